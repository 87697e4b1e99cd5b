"""The risk near a point along directions, in float64, on two halves of the evaluation set.

The checks of a slice rest on these probes: second differences as the step shrinks need more digits
than float32 has, and two disjoint halves tell shape from the noise of a finite evaluation set.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax import lax

from landscape.numerics import hoist
from landscape.numerics.compiling import jit_loop
from landscape.numerics.curvature import hessian_product
from landscape.numerics.loss import Objective
from landscape.numerics.risk import BatchMeasure, Examples, batch_measure, evaluator, over_batches
from landscape.parts.models import Model

PyTree = Any

# Steps of the second differences, in units of the distance up to which a ray is followed.
STEPS = 1e-2 * 8.0 ** -np.arange(6)


class Rays(NamedTuple):
    """Measurements along K directions, R of them at several distances.

    `near` (R, S) is the risk on the evaluation set, `first` and `second` (R, G) that on each half
    of it. (K,) each, at the point: `slope` d'g, `curvature` d'Hd, `product_norm` ||Hd||.
    """

    near: np.ndarray
    first: np.ndarray
    second: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray
    product_norm: np.ndarray


RayTracer = Callable[[Objective, PyTree, PyTree, np.ndarray, np.ndarray, Examples], Rays]


def ray_tracer(model: Model, *, batch_size: int) -> RayTracer:
    """`trace(loss, params, directions, distances, grid, examples) -> Rays`.

    `directions` are like `params` with a leading axis; the first R are followed: to `distances`
    (R, S) on all examples, to `grid` (R, G) on each half of them. If the number of examples is
    odd, the one in the middle is in neither half; a single example is in both.
    """
    compiled = jit_loop(_tracer(model, batch_size))

    def trace(
        loss: Objective,
        params: PyTree,
        directions: PyTree,
        distances: np.ndarray,
        grid: np.ndarray,
        examples: Examples,
    ) -> Rays:
        half = max(len(examples.targets) // 2, 1)
        with jax.enable_x64(True):
            params, directions, distances, grid, examples = jax.tree.map(
                _float64, (params, directions, distances, grid, examples)
            )
            rows = examples._replace(state=None)  # the state has no axis of examples
            halves = jax.tree.map(lambda a: np.stack([a[:half], a[-half:]]), rows)
            rays = compiled(loss, params, directions, distances, grid, examples, halves)
            return Rays(*map(np.asarray, rays))

    return trace


def _tracer(model: Model, batch_size: int) -> Callable[..., Rays]:
    """Same as the result of `ray_tracer`, of arrays in float64 and the `halves` of the examples.

    The halves have no state of the model: it is that of the examples.
    """
    measure_batch = batch_measure(model, gradients=False)
    hessian = hessian_product(model, batch_size=batch_size)
    evaluate = evaluator(model, batch_size=batch_size, gradients=True)

    def trace(
        loss: Objective,
        params: PyTree,
        directions: PyTree,
        distances: jax.Array,
        grid: jax.Array,
        examples: Examples,
        halves: Examples,
    ) -> Rays:
        measure = functools.partial(measure_batch, loss)
        gradient = evaluate(loss, params, examples).gradients

        def derivatives(direction: PyTree) -> tuple[jax.Array, ...]:
            product = hessian(loss, params, direction, examples)
            along = (optax.tree.vdot(direction, a) for a in (gradient, product))
            return (*along, optax.tree.norm(product))

        def risks(direction: PyTree, distances: jax.Array, examples: Examples) -> jax.Array:
            def over_distances(batch: Examples) -> BatchMeasure:
                evaluate = hoist.evaluator(measure, params, (direction,), batch)
                risk = lax.map(lambda distance: evaluate(distance[None]).means["risk"], distances)
                return BatchMeasure({"risk": risk}, {})

            return over_batches(over_distances, examples, batch_size).means["risk"]

        def follow(ray: tuple[PyTree, jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
            direction, near, far = ray
            by_half = lax.map(
                lambda half: risks(direction, far, half._replace(state=examples.state)), halves
            )
            return (risks(direction, near, examples), *by_half)

        followed = jax.tree.map(lambda d: d[: len(distances)], directions)
        rays = lax.map(follow, (followed, distances, grid))
        return Rays(*rays, *lax.map(derivatives, directions))

    return trace


def _float64(array: Any) -> np.ndarray:
    values = np.asarray(array)
    return values.astype(np.float64) if values.dtype.kind == "f" else values

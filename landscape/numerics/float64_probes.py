"""The risk near a point along directions, in float64, on two halves of the evaluation set.

What the checks of a slice rest on: second differences as the step shrinks need more digits than
float32 has, and two disjoint halves tell shape from the noise of a finite evaluation set.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from landscape.numerics import hoist
from landscape.numerics.compiling import jit_loop
from landscape.numerics.curvature import hessian_product
from landscape.numerics.risk import Examples, Loss, Numbers, batch_measure, evaluator, over_batches
from landscape.parts.models import Model

PyTree = Any

# Steps of the second differences, in units of the distance that a ray is given.
STEPS = 1e-2 * 8.0 ** -np.arange(6)


class Rays(NamedTuple):
    """What was found of K directions, R of which were followed.

    `near` (R, S) is the risk on the evaluation set, `first` and `second` (R, G) that on each half
    of it. (K,) each, at the point: `slope` d'g, `curvature` d'Hd, `bend` ||Hd||.
    """

    near: np.ndarray
    first: np.ndarray
    second: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray
    bend: np.ndarray


def ray_tracer(
    loss_of: Callable[[Numbers], Loss], model: Model, *, batch_size: int
) -> Callable[[Numbers, PyTree, PyTree, np.ndarray, np.ndarray, Examples], Rays]:
    """`trace(numbers, params, directions, places, grid, examples) -> Rays`, under the loss
    `loss_of(numbers)`.

    `directions` are like `params` with a leading axis; the first R are followed: to `places` (R, S)
    on all examples, to `grid` (R, G) on each half of them. An example that is left over when the
    set is halved is in neither half; of a single example both halves are that one.
    """

    @jit_loop
    def trace(
        numbers: Numbers,
        params: PyTree,
        directions: PyTree,
        places: jax.Array,
        grid: jax.Array,
        everything: Examples,
        halves: Examples,
    ) -> Rays:
        loss = loss_of(numbers)
        measure = batch_measure(loss, model, gradients=False)
        product = hessian_product(loss, model, batch_size=batch_size)
        steep = evaluator(loss, model, batch_size=batch_size, gradients=True)
        gradient = steep(params, everything).gradients

        def bent(direction: PyTree) -> tuple[jax.Array, ...]:
            image = product(params, direction, everything)
            along = (optax.tree.vdot(direction, a) for a in (gradient, image))
            return (*along, optax.tree.norm(image))

        def risks(direction: PyTree, places: jax.Array, examples: Examples) -> jax.Array:
            def over_places(batch: Examples) -> tuple[dict, dict]:
                at = hoist.evaluator(measure, params, (direction,), batch)
                return {"risk": lax.map(lambda place: at(place[None])[0]["risk"], places)}, {}

            return over_batches(over_places, examples, batch_size)[0]["risk"]

        def follow(ray: tuple[PyTree, jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
            direction, near, far = ray
            by_half = lax.map(lambda half: risks(direction, far, half), halves)
            return (risks(direction, near, everything), *by_half)

        followed = jax.tree.map(lambda d: d[: len(places)], directions)
        return Rays(*lax.map(follow, (followed, places, grid)), *lax.map(bent, directions))

    def exactly(
        numbers: Numbers,
        params: PyTree,
        directions: PyTree,
        places: np.ndarray,
        grid: np.ndarray,
        examples: Examples,
    ) -> Rays:
        half = max(len(examples.targets) // 2, 1)
        with jax.enable_x64(True):
            whole = _wide(examples)
            halves = jax.tree.map(lambda a: jnp.stack([a[:half], a[-half:]]), whole)
            near, far = jnp.asarray(places), jnp.asarray(grid)
            found = trace(numbers, _wide(params), _wide(directions), near, far, whole, halves)
            return Rays(*(np.asarray(values) for values in found))

    return exactly


def _wide(tree: PyTree) -> PyTree:
    return jax.tree.map(_float64, tree)


def _float64(array: Any) -> jax.Array:
    values = np.asarray(array)
    return jnp.asarray(values.astype(np.float64) if values.dtype.kind == "f" else values)

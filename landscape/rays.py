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

from landscape.curvature import hessian_product
from landscape.parts.models import Model
from landscape.risk import Examples, Loss, evaluator
from landscape.slices import displace

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
    loss: Loss, model: Model, *, batch_size: int
) -> Callable[[PyTree, list[PyTree], np.ndarray, np.ndarray, Examples], Rays]:
    """`trace(params, directions, places, grid, examples) -> Rays`.

    The first R directions are followed: to `places` (R, S) on all examples, to `grid` (R, G) on
    each half of them. An example that is left over when the set is halved is in neither half; of
    a single example both halves are that one.
    """
    evaluate = evaluator(loss, model, batch_size=batch_size, gradients=False)
    slopes = evaluator(loss, model, batch_size=batch_size, gradients=True)
    product = hessian_product(loss, model, batch_size=batch_size)

    @jax.jit
    def trace(
        params: PyTree,
        directions: PyTree,
        places: jax.Array,
        grid: jax.Array,
        sets: tuple[Examples, Examples, Examples],
    ) -> Rays:
        everything, *halves = sets
        gradient = slopes(params, everything).gradients

        def bent(direction: PyTree) -> tuple[jax.Array, ...]:
            image = product(params, direction, everything)
            along = (optax.tree.vdot(direction, a) for a in (gradient, image))
            return (*along, optax.tree.norm(image))

        def risks(ray: tuple[PyTree, jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
            direction, near, far = ray

            def at(place: jax.Array, examples: list[Examples]) -> list[jax.Array]:
                moved = displace(params, (direction,), place[None])
                return [evaluate(moved, some).risk for some in examples]

            (close,) = lax.map(lambda place: at(place, [everything]), near)
            return (close, *lax.map(lambda place: at(place, halves), far))

        followed = jax.tree.map(lambda d: d[: len(places)], directions)
        return Rays(*lax.map(risks, (followed, places, grid)), *lax.map(bent, directions))

    def exactly(
        params: PyTree,
        directions: list[PyTree],
        places: np.ndarray,
        grid: np.ndarray,
        examples: Examples,
    ) -> Rays:
        half = max(len(examples.targets) // 2, 1)
        cuts = (slice(None), slice(0, half), slice(-half, None))
        with jax.enable_x64(True):
            sets = tuple(_wide(Examples(*(a[cut] for a in examples))) for cut in cuts)
            stacked = jax.tree.map(lambda *d: jnp.stack([_float64(a) for a in d]), *directions)
            found = trace(_wide(params), stacked, jnp.asarray(places), jnp.asarray(grid), sets)
            return Rays(*(np.asarray(values) for values in found))

    return exactly


def _wide(tree: PyTree) -> PyTree:
    return jax.tree.map(_float64, tree)


def _float64(array: Any) -> jax.Array:
    values = np.asarray(array)
    return jnp.asarray(values.astype(np.float64) if values.dtype.kind == "f" else values)

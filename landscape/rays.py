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
    """What was found of K directions, at R of which the risk was followed to S places.

    `first`, `second` (R, S): the risk on each half of the examples. Over both halves together, (K,)
    each: `slope` d'g, `curvature` d'Hd, `bend` ||Hd||.
    """

    first: np.ndarray
    second: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray
    bend: np.ndarray

    @property
    def risk(self) -> np.ndarray:
        """(R, S) over both halves together."""
        return (self.first + self.second) / 2


def ray_tracer(
    loss: Loss, model: Model, *, batch_size: int
) -> Callable[[PyTree, list[PyTree], list[int], np.ndarray, Examples], Rays]:
    """`trace(params, directions, followed, coordinates, examples) -> Rays`.

    `followed` are the numbers of the R directions along which the risk is computed, `coordinates`
    (R, S) its places. An example that is left over when the set is halved is left out. Of a loss
    that mixes the examples of a batch each half has batches of its own.
    """
    evaluate = evaluator(loss, model, batch_size=batch_size, gradients=False)
    slopes = evaluator(loss, model, batch_size=batch_size, gradients=True)
    product = hessian_product(loss, model, batch_size=batch_size)

    @jax.jit
    def trace(
        params: PyTree,
        directions: PyTree,
        followed: jax.Array,
        coordinates: jax.Array,
        halves: tuple[Examples, ...],
    ) -> Rays:
        gradient = _mean([slopes(params, half).gradients for half in halves])

        def bent(direction: PyTree) -> tuple[jax.Array, ...]:
            image = _mean([product(params, direction, half) for half in halves])
            along = (optax.tree.vdot(direction, a) for a in (gradient, image))
            return (*along, optax.tree.norm(image))

        def risks(ray: tuple[PyTree, jax.Array]) -> list[jax.Array]:
            def at(place: jax.Array) -> list[jax.Array]:
                moved = displace(params, (ray[0],), place[None])
                return [evaluate(moved, half).risk for half in halves]

            return lax.map(at, ray[1])

        chosen = jax.tree.map(lambda d: d[followed], directions)
        return Rays(*lax.map(risks, (chosen, coordinates)), *lax.map(bent, directions))

    def exactly(
        params: PyTree,
        directions: list[PyTree],
        followed: list[int],
        coordinates: np.ndarray,
        examples: Examples,
    ) -> Rays:
        half = len(examples.targets) // 2
        with jax.enable_x64(True):
            wide = [_wide(Examples(*(a[s] for a in examples))) for s in _halves(half)]
            stacked = jax.tree.map(lambda *d: jnp.stack([_float64(a) for a in d]), *directions)
            places = jnp.asarray(coordinates), tuple(wide)
            found = trace(_wide(params), stacked, jnp.asarray(followed), *places)
            return Rays(*(np.asarray(values) for values in found))

    return exactly


def _mean(trees: list[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *trees)


def _halves(half: int) -> tuple[slice, slice]:
    return slice(0, half), slice(half, 2 * half)


def _wide(tree: PyTree) -> PyTree:
    return jax.tree.map(_float64, tree)


def _float64(array: Any) -> jax.Array:
    values = np.asarray(array)
    return jnp.asarray(values.astype(np.float64) if values.dtype.kind == "f" else values)

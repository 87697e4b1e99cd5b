"""Slices: the risk and other measures along a line or on a plane through a point.

Every point is `params + sum(c_i * d_i)`, computed afresh from its coordinates: nothing is carried
from one point to the next, so no rounding accumulates and no point can be shifted by another.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from landscape.parts.metrics import Snapshot
from landscape.parts.models import Model
from landscape.risk import Examples, Loss, evaluator

PyTree = Any
Measure = Callable[[PyTree, Examples], dict[str, jax.Array]]


class Grid(NamedTuple):
    """Axis values of a plane and its points, row by row: point `j * len(x) + i` is (x_i, y_j)."""

    x: np.ndarray
    y: np.ndarray
    points: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.y), len(self.x)


def axis(points: int, radius: float) -> np.ndarray:
    """Float32 coordinates from -radius to radius, symmetric, with an exact 0 in the middle."""
    half = points // 2
    return (radius * np.arange(-half, half + 1) / half).astype(np.float32)


def grid(points: tuple[int, int], radius: float) -> Grid:
    """The points (x, y) of a plane, x varying fastest."""
    x, y = axis(points[0], radius), axis(points[1], radius)
    return Grid(x, y, np.stack([a.ravel() for a in np.meshgrid(x, y)], axis=1))


def displace(params: PyTree, directions: Sequence[PyTree], coordinates: jax.Array) -> PyTree:
    """`params + sum(coordinates[i] * directions[i])`."""

    def leaf(value: jax.Array, *steps: jax.Array) -> jax.Array:
        return value + sum(c * d for c, d in zip(coordinates, steps, strict=True))

    return jax.tree.map(leaf, params, *directions)


def point_measure(
    loss: Loss,
    model: Model,
    metrics: Sequence[Callable[[Snapshot], dict[str, jax.Array]]],
    *,
    batch_size: int,
    gradients: bool,
) -> Measure:
    """`measure(params, examples) -> {"risk": …, "<metric>": …}` on the fixed evaluation set.

    With `gradients` the metrics receive the gradients on the evaluation set as well: as
    `gradients`, `evaluation_gradients` and `prediction_gradients` of their snapshot.
    """
    evaluate = evaluator(loss, model, batch_size=batch_size, gradients=gradients)

    def measure(params: PyTree, examples: Examples) -> dict[str, jax.Array]:
        found = evaluate(params, examples)
        snapshot = Snapshot(
            predictions=found.predictions,
            targets=examples.targets,
            prediction_gradients=found.prediction_gradients,
            params=params,
            gradients=found.gradients,
            evaluation_gradients=found.gradients,
            filter_axes=model.filter_axes(params),
        )
        row = {"risk": found.risk}
        for metric in metrics:
            row |= metric(snapshot)
        return row

    return measure


def slicer(
    measure: Measure,
) -> Callable[[PyTree, tuple[PyTree, ...], jax.Array, Examples], dict[str, jax.Array]]:
    """`slice(params, directions, coordinates, examples) -> {name: (points,)}`.

    `directions` holds m pytrees like `params`, `coordinates` is `(points, m)`: m = 1 is a line,
    m = 2 a plane.
    """

    def along(
        params: PyTree, directions: tuple[PyTree, ...], coordinates: jax.Array, examples: Examples
    ) -> dict[str, jax.Array]:
        def at(point: jax.Array) -> dict[str, jax.Array]:
            return measure(displace(params, directions, point), examples)

        return lax.map(at, coordinates)

    return along


def cosine(first: PyTree, second: PyTree) -> jax.Array:
    """Cosine of the angle between two directions; NaN where one of them is zero."""
    product = optax.tree.vdot(first, second)
    return product / (optax.tree.norm(first) * optax.tree.norm(second))


def cosines(directions: Sequence[PyTree]) -> jax.Array:
    """`(K, K)` cosines between K directions."""
    flat = jnp.stack([jnp.concatenate([a.ravel() for a in jax.tree.leaves(d)]) for d in directions])
    norms = jnp.sqrt(jnp.sum(flat**2, axis=1))
    return flat @ flat.T / jnp.outer(norms, norms)

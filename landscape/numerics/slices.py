"""Slices: the risk and other measures along a line or on a plane through a point.

Every point is `params + sum(c_i * d_i)`, computed afresh from its coordinates: nothing is carried
from one point to the next, so no rounding accumulates and no point can be shifted by another.
"""

import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from landscape.numerics import batched_points, hoist
from landscape.numerics.compiling import jit_loop
from landscape.numerics.hoist import displace
from landscape.numerics.risk import Examples, Loss, Numbers, batch_measure, over_batches
from landscape.parts.metrics import Metric, Snapshot
from landscape.parts.models import Model

PyTree = Any
Width = int | Callable[[Callable[[int], float]], int]
# Points on which different widths are compared.
TRIED = 64
Row = dict[str, jax.Array]


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


def slicer(
    loss_of: Callable[[Numbers], Loss],
    model: Model,
    metrics: Sequence[Metric],
    *,
    batch_size: int,
    gradients: bool,
    hoisted: bool = True,
    width: Width = 1,
) -> Callable[[Numbers, PyTree, tuple[PyTree, ...], np.ndarray, Examples], dict[str, np.ndarray]]:
    """`slice(numbers, params, directions, coordinates, examples) -> {"risk": (points,), …}`.

    `directions` holds m pytrees like `params`, `coordinates` is `(points, m)`: m = 1 is a line,
    m = 2 a plane. `loss_of(numbers)` is the loss whose options have these values: all values share
    one compilation, as do all slices of one m. Everything is measured on the whole evaluation set,
    in batches of `batch_size`: memory is bounded by the coefficients of one batch and the
    predictions of one group of points. With `gradients` the metrics receive the gradients on the
    evaluation set as well: as `gradients`, `evaluation_gradients` and `prediction_gradients` of
    their snapshot.

    `hoisted`: what is affine in the coordinates is computed once for all points, see
    `landscape.numerics.hoist`. `width`: how many points are evaluated side by side, or a function
    that chooses: `width(seconds_of)`, where `seconds_of(n)` are the seconds of n side by side.
    """
    evaluated = hoist.evaluator if hoisted else hoist.plain_evaluator

    def one(
        width: int,
        coordinates: jax.Array,
        counts: jax.Array,
        numbers: Numbers,
        params: PyTree,
        directions: tuple[PyTree, ...],
        examples: Examples,
    ) -> Row:
        measure = batch_measure(loss_of(numbers), model, gradients=gradients)

        def over_points(batch: Examples) -> tuple[dict, dict]:
            at = evaluated(measure, params, directions, batch)
            means, rows = batched_points.map_first(at, (coordinates,), counts[0], width)
            return means, _swapped(rows)

        means, rows = over_batches(over_points, examples, batch_size)

        def read(point: jax.Array, means: dict, rows: dict) -> Row:
            here = displace(params, directions, point)
            return _row(metrics, model, here, means, rows, examples.targets)

        return batched_points.map_first(
            read, (coordinates, means, _swapped(rows)), counts[0], width
        )

    @functools.partial(jit_loop, static_argnums=0)
    def call(plan: batched_points.Plan, *arguments: Any) -> Row:
        return batched_points.shared(functools.partial(one, plan.width), plan)(*arguments)

    def in_groups(width: int, coordinates: np.ndarray, *others: Any) -> dict[str, np.ndarray]:
        _, params, _, examples = others
        plan = batched_points.plan_for(_bytes_at_a_point(model, params, examples, gradients), width)
        found = [
            (call(plan, some, counts, *others), counts)
            for some, counts in batched_points.groups(coordinates, plan)
        ]
        return batched_points.joined(found, plan)

    def along(
        numbers: Numbers,
        params: PyTree,
        directions: tuple[PyTree, ...],
        coordinates: np.ndarray,
        examples: Examples,
    ) -> dict[str, np.ndarray]:
        others = (numbers, params, directions, examples)
        coordinates = np.asarray(coordinates)

        def seconds_of(tried: int) -> float:
            some = np.resize(coordinates, (max(TRIED, tried), coordinates.shape[1]))
            in_groups(tried, some, *others)
            start = time.perf_counter()
            in_groups(tried, some, *others)
            return time.perf_counter() - start

        return in_groups(
            width if isinstance(width, int) else width(seconds_of), coordinates, *others
        )

    return along


def _swapped(rows: dict) -> dict:
    """Points first and examples second, or the other way round."""
    return jax.tree.map(lambda a: jnp.moveaxis(a, 0, 1), rows)


def _row(
    metrics: Sequence[Metric],
    model: Model,
    params: PyTree,
    means: dict,
    rows: dict,
    targets: jax.Array,
) -> Row:
    snapshot = Snapshot(
        predictions=rows["predictions"],
        targets=targets,
        prediction_gradients=rows.get("prediction_gradients"),
        params=params,
        gradients=means.get("gradients"),
        evaluation_gradients=means.get("gradients"),
        filter_axes=model.filter_axes(params),
    )
    row = {"risk": means["risk"]}
    for metric in metrics:
        row |= metric(snapshot)
    return row


def _bytes_at_a_point(model: Model, params: PyTree, examples: Examples, gradients: bool) -> int:
    made = jax.eval_shape(model.apply, params, examples.inputs)
    predictions = math.prod(made.shape) * made.dtype.itemsize
    weights = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(params))
    return 2 * predictions + weights if gradients else predictions


def mapper(
    measure: Callable[[PyTree, Examples], Row],
) -> Callable[[PyTree, tuple[PyTree, ...], jax.Array, Examples], Row]:
    """`slice(params, directions, coordinates, examples)` of any measure, one point after another.

    For measures that are loops themselves, from which nothing can be taken out.
    """

    def along(
        params: PyTree, directions: tuple[PyTree, ...], coordinates: jax.Array, examples: Examples
    ) -> Row:
        def at(point: jax.Array) -> Row:
            return measure(displace(params, directions, point), examples)

        return lax.map(at, coordinates)

    return along


def norm(direction: PyTree) -> np.float32:
    """Euclidean norm of a direction, in float32 from float64."""
    return np.float32(np.linalg.norm(_flat(direction)))


def cosine(first: PyTree, second: PyTree) -> np.ndarray:
    """Cosine of the angle between two directions; NaN where one of them is zero."""
    return cosines([first, second])[0, 1]


def cosines(directions: Sequence[PyTree]) -> np.ndarray:
    """`(K, K)` cosines between K directions; NaN beside one that is zero."""
    flat = np.stack([_flat(direction) for direction in directions])
    norms = np.linalg.norm(flat, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (flat @ flat.T / np.outer(norms, norms)).astype(np.float32)


def _flat(direction: PyTree) -> np.ndarray:
    leaves = jax.tree.leaves(direction)
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in leaves])

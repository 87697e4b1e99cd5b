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
from landscape.numerics.loss import Objective, Targets
from landscape.numerics.risk import BatchMeasure, Examples, batch_measure, over_batches
from landscape.parts.metrics import Measurement, Snapshot
from landscape.parts.models import Model

PyTree = Any
# A number of points side by side, or a function that chooses it from their timing.
Width = int | Callable[[Callable[[int], float]], int]
# Points on which different widths are compared.
TRIED = 64
# Entries of a direction that are in float64 at a time.
_ENTRIES = 2**18
Row = dict[str, jax.Array]
Directions = tuple[PyTree, ...]
Slicer = Callable[
    [Objective, PyTree, Sequence[Directions], np.ndarray, Examples], dict[str, np.ndarray]
]


class Grid(NamedTuple):
    """Axis values of a plane and its points, row by row: point `j * len(x) + i` is (x_i, y_j)."""

    x: np.ndarray
    y: np.ndarray
    points: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.y), len(self.x)


def axis(points: int, radius: float) -> np.ndarray:
    """Returns float32 coordinates from -radius to radius, symmetric, with an exact 0 inside."""
    half = points // 2
    return (radius * np.arange(-half, half + 1) / half).astype(np.float32)


def grid(points: tuple[int, int], radius: float) -> Grid:
    """Returns the points (x, y) of a plane, x varying fastest."""
    x, y = axis(points[0], radius), axis(points[1], radius)
    return Grid(x, y, np.stack([a.ravel() for a in np.meshgrid(x, y)], axis=1))


class PointMeasure(NamedTuple):
    """What a slice records at each point: risk and metrics, with gradients if they need them.

    With `gradients` the measurements receive the gradients on the evaluation set as well: as
    `gradients`, `evaluation_gradients` and `prediction_gradients` of their snapshot. Memory is
    bounded by the coefficients of one batch of `batch_size` examples and the predictions of one
    group of points. If `hoisted`, computations that are affine in the coordinates run once for all
    points, see `landscape.numerics.hoist`.
    """

    model: Model
    measurements: Sequence[Measurement]
    batch_size: int
    gradients: bool
    hoisted: bool = True


def slicer(point_measure: PointMeasure, width: Width = 1) -> Slicer:
    """`slice(loss, params, slices, coordinates, examples) -> {"risk": (K, points), ...}`.

    Each of K `slices` is a tuple of m directions, pytrees like `params`; `coordinates` is
    `(points, m)`: m = 1 is a line, m = 2 a plane. All slices of one m under losses of one structure
    share one compilation. Everything is measured on all `examples`, and no value depends on the
    other slices. `width` points are evaluated side by side; a function `width(seconds_of)` chooses
    the number, where `seconds_of(n)` times n points side by side.
    """

    @functools.partial(jit_loop, static_argnums=0)
    def call(plan: batched_points.Plan, *arguments: Any) -> Row:
        groups = functools.partial(_measure_groups, point_measure, plan.width)
        return batched_points.shared(groups, plan)(*arguments)

    def in_groups(
        width: int,
        slices: Sequence[Directions],
        coordinates: np.ndarray,
        loss: Objective,
        params: PyTree,
        examples: Examples,
    ) -> dict[str, np.ndarray]:
        size = _bytes_per_point(point_measure, params, examples)
        plan = batched_points.plan_for(size, _bytes(slices[0]), len(slices[0]), width)
        results = []
        for groups in batched_points.calls(len(slices), coordinates, plan):
            directions = _stacked([slices[number] for number in groups.slices])
            points = groups.coordinates, groups.counts, groups.number
            results.append((call(plan, *points, directions, loss, params, examples), groups))
        return batched_points.joined(results, len(slices), plan)

    def along(
        loss: Objective,
        params: PyTree,
        slices: Sequence[Directions],
        coordinates: np.ndarray,
        examples: Examples,
    ) -> dict[str, np.ndarray]:
        coordinates = np.asarray(coordinates)

        def seconds_of(candidate: int) -> float:
            trial = np.resize(coordinates, (max(TRIED, candidate), coordinates.shape[1]))
            in_groups(candidate, [slices[0]], trial, loss, params, examples)
            start = time.perf_counter()
            in_groups(candidate, [slices[0]], trial, loss, params, examples)
            return time.perf_counter() - start

        chosen = width if isinstance(width, int) else width(seconds_of)
        return in_groups(chosen, slices, coordinates, loss, params, examples)

    return along


def _measure_groups(
    point_measure: PointMeasure,
    width: int,
    coordinates: jax.Array,
    counts: jax.Array,
    number: jax.Array,
    directions: Directions,
    loss: Objective,
    params: PyTree,
    examples: Examples,
) -> Row:
    """The rows of the first `number` groups of points on one device."""

    def rows_of(coordinates: jax.Array, counts: jax.Array, directions: Directions) -> Row:
        arguments = coordinates, counts, loss, params, directions, examples
        return _measure_group(point_measure, width, *arguments)

    return batched_points.map_first(rows_of, (coordinates, counts, directions), number, 1)


def _measure_group(
    point_measure: PointMeasure,
    width: int,
    coordinates: jax.Array,
    counts: jax.Array,
    loss: Objective,
    params: PyTree,
    directions: Directions,
    examples: Examples,
) -> Row:
    """The rows of one group of points on one device, the first `counts[0]` of them."""
    evaluated = hoist.evaluator if point_measure.hoisted else hoist.plain_evaluator
    batch_of = batch_measure(point_measure.model, gradients=point_measure.gradients)
    measure = functools.partial(batch_of, loss)

    def over_points(batch: Examples) -> BatchMeasure:
        at = evaluated(measure, params, directions, batch)
        means, rows = batched_points.map_first(at, (coordinates,), counts[0], width)
        return BatchMeasure(means, _swapped(rows))

    means, rows = over_batches(over_points, examples, point_measure.batch_size)

    def read(point: jax.Array, means: dict, rows: dict) -> Row:
        displaced = displace(params, directions, point)
        return _row(point_measure, displaced, BatchMeasure(means, rows), examples.targets)

    return batched_points.map_first(read, (coordinates, means, _swapped(rows)), counts[0], width)


def _swapped(rows: dict) -> dict:
    """Swaps the axes of points and examples."""
    return jax.tree.map(lambda a: jnp.moveaxis(a, 0, 1), rows)


def _row(
    point_measure: PointMeasure, params: PyTree, measured: BatchMeasure, targets: Targets
) -> Row:
    snapshot = Snapshot(
        predictions=measured.rows["predictions"],
        targets=targets.values,
        fields=targets.fields,
        prediction_gradients=measured.rows.get("prediction_gradients"),
        params=params,
        # At a point of a slice no step is taken: both are the gradient on the evaluation set.
        gradients=measured.means.get("gradients"),
        evaluation_gradients=measured.means.get("gradients"),
        filter_axes=point_measure.model.filter_axes(params),
    )
    row = {"risk": measured.means["risk"]}
    for measure in point_measure.measurements:
        row |= measure(snapshot)
    return row


def _bytes_per_point(point_measure: PointMeasure, params: PyTree, examples: Examples) -> int:
    shape = jax.eval_shape(point_measure.model.predict, params, examples.inputs, examples.state)
    predictions = math.prod(shape.shape) * shape.dtype.itemsize
    return 2 * predictions + _bytes(params) if point_measure.gradients else predictions


def _bytes(tree: PyTree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _stacked(trees: Sequence[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: np.stack([*map(np.asarray, leaves)]), *trees)


def mapper(
    measure: Callable[[Objective, PyTree, Examples], Row],
) -> Callable[[Objective, PyTree, Directions, jax.Array, Examples], Row]:
    """`slice(loss, params, directions, coordinates, examples)` of any measure, point by point.

    For measures that are loops themselves, from which nothing can be hoisted.
    """

    def along(
        loss: Objective,
        params: PyTree,
        directions: Directions,
        coordinates: jax.Array,
        examples: Examples,
    ) -> Row:
        def at(point: jax.Array) -> Row:
            return measure(loss, displace(params, directions, point), examples)

        return lax.map(at, coordinates)

    return along


def norm(direction: PyTree) -> np.float32:
    """Returns the Euclidean norm of a direction, computed in float64, as float32."""
    return np.float32(np.sqrt(_dot(direction, direction)))


def cosine(first: PyTree, second: PyTree) -> np.ndarray:
    """Returns the cosine of the angle between two directions; NaN if one of them is zero."""
    return cosines([first, second])[0, 1]


def cosines(directions: Sequence[PyTree]) -> np.ndarray:
    """Returns the `(K, K)` cosines between K directions; NaN in the row of one that is zero.

    Two of the directions are read at a time.
    """
    products = np.zeros((len(directions), len(directions)))
    for i in range(len(directions)):
        first = directions[i]
        products[i, i] = _dot(first, first)
        for j in range(i):
            products[i, j] = products[j, i] = _dot(first, directions[j])
    norms = np.sqrt(np.diag(products))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (products / np.outer(norms, norms)).astype(np.float32)


def _dot(first: PyTree, second: PyTree) -> float:
    """Returns the inner product in float64, of a part of the entries at a time."""
    total = 0.0
    for pair in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        a, b = (np.asarray(leaf).reshape(-1) for leaf in pair)
        for start in range(0, a.size, _ENTRIES):
            part = slice(start, start + _ENTRIES)
            with np.errstate(invalid="ignore", over="ignore"):  # of a run that diverged
                total += float(np.dot(a[part].astype(np.float64), b[part].astype(np.float64)))
    return total

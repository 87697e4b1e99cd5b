"""Convexity in the prediction, proved by the rules or refuted by a midpoint."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import EXTREME, Target
from landscape.audit.measure.exact import exact_values
from landscape.audit.measure.pairs import close_pairs, curved_pairs
from landscape.audit.measure.survey import Survey, once
from landscape.audit.measure.walks import Line, lines
from landscape.audit.static import intervals

Array = np.ndarray
Pairs = Iterator[tuple[Target, Array]]  # targets with pairs of points, `(2, n, *shape)`
TOLERANCE = 1e-9  # excess of the midpoint, relative to the values
_PAIRS = 64  # of close points per line, and twice as many at any distance
_LINES = 3  # of each kind per target
_INNER = 0.02 * EXTREME  # pairs start within this step, if any on the line do
_PER_GROUP, _CHECKED = 2, 8  # midpoints per group of pairs, and those checked with many digits


class Midpoint(NamedTuple):
    """Two points, and their midpoint, whose value is above the mean of the two others."""

    excess: float
    target: Target
    points: Array
    values: Array


def proved_convex(survey: Survey) -> bool:
    """Whether the rules prove convexity in the prediction, for every target of the task."""
    (output,) = survey.reading.outputs
    return intervals.is_convex(output.convexity)


@once
def refuting_midpoint(survey: Survey) -> Midpoint | None:
    """Returns a midpoint that refutes convexity; None if none does.

    Tried are pairs on lines, then opposite predictions and pairs that differ in one component, then
    pairs along the eigenvector of the lowest curvature. A midpoint counts if it is above the mean
    with many digits as well, so that it is not an effect of rounding.
    """
    rng = np.random.default_rng([survey.seed, 401])
    for search in (_on_lines, _close, _curved):
        midpoints: list[Midpoint] = []
        for target, pairs in search(survey, rng):
            midpoints += _above_the_mean(survey, target, pairs)
        midpoints.sort(key=lambda midpoint: -midpoint.excess)
        exact = next((m for m in midpoints[:_CHECKED] if _is_exact(survey, m)), None)
        if exact is not None:
            return exact
    return None


def _on_lines(survey: Survey, rng: np.random.Generator) -> Pairs:
    for line in lines(survey.subject, rng, count=_LINES):
        yield line.target, np.stack([line.points_at(s) for s in _steps_of_pairs(line, rng)])


def _close(survey: Survey, rng: np.random.Generator) -> Pairs:
    for sample in survey.plausible:
        yield sample.target, close_pairs(survey, sample, rng)


def _curved(survey: Survey, rng: np.random.Generator) -> Pairs:
    for sample in survey.plausible:
        yield sample.target, curved_pairs(survey, sample, rng)


def _steps_of_pairs(line: Line, rng: np.random.Generator) -> Array:
    """Returns the steps of pairs of close and of far points."""
    count = len(line.steps)
    first = rng.integers(count, size=3 * _PAIRS)
    hops = np.concatenate([rng.integers(1, 4, _PAIRS), rng.integers(1, count, 2 * _PAIRS)])
    second = np.minimum(first + hops, count - 1)
    chosen = (np.abs(line.steps[first]) < _INNER) & (first != second)
    pairs = np.stack([line.steps[first], line.steps[second]])
    return pairs[:, chosen] if chosen.any() else pairs


def _above_the_mean(survey: Survey, target: Target, pairs: Array) -> list[Midpoint]:
    """Returns the midpoints of pairs that are most above the mean of their ends."""
    points = np.concatenate([pairs, pairs.mean(0, keepdims=True)])
    count = points.shape[1]
    if count == 0:
        return []
    values = survey.probe.values(points.reshape(3 * count, *points.shape[2:]), target)
    a, b, middle = values.reshape(3, count)
    level = np.abs(a) + np.abs(b) + np.abs(middle) + survey.scale.levels[0]
    with np.errstate(invalid="ignore"):
        excess = (middle - (a + b) / 2) / np.maximum(level, 1e-300)
    excess = np.where(np.isfinite(excess) & np.isfinite(a + b), excess, -1)
    chosen = [i for i in np.argsort(-excess)[:_PER_GROUP] if excess[i] > TOLERANCE]
    return [
        Midpoint(float(excess[i]), target, points[:, i], np.array([a[i], b[i], middle[i]]))
        for i in chosen
    ]


def _is_exact(survey: Survey, midpoint: Midpoint) -> bool:
    """Whether a midpoint is above the mean without rounding; True if that is unknown."""
    values = exact_values(survey, midpoint.points, midpoint.target)
    if values is None:
        return True
    a, b, middle = values
    level = abs(float(a)) + abs(float(b)) + abs(float(middle)) + survey.scale.levels[0]
    return bool(float(middle - (a + b) / 2) > TOLERANCE / 2 * level)

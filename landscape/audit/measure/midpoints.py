"""Convexity in the prediction, proved by the rules or refuted by a midpoint."""

from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import EXTREME
from landscape.audit.measure.survey import Survey, once
from landscape.audit.measure.walks import Line, lines
from landscape.audit.static import intervals

Array = np.ndarray
TOLERANCE = 1e-9  # excess of the midpoint, relative to the values
_PAIRS = 64  # of close points per line, and twice as many at any distance
_LINES = 3  # of each kind per target
_INNER = 0.02 * EXTREME  # pairs start within this step, if any on the line do


class Midpoint(NamedTuple):
    """Two points, and their midpoint, whose value is above the mean of the two others."""

    excess: float
    target: str
    points: Array
    values: Array


def proved_convex(survey: Survey) -> bool:
    """Whether the rules prove convexity in the prediction, for every target of the task."""
    (output,) = survey.reading.outputs
    return intervals.is_convex(output.convexity)


@once
def refuting_midpoint(survey: Survey) -> Midpoint | None:
    """Returns the midpoint that refutes convexity most clearly; None if none does."""
    rng = np.random.default_rng([survey.seed, 401])
    best = None
    for line in lines(survey.subject, rng, count=_LINES):
        first, second = _pairs(line, rng)
        steps = first, second, np.stack([first, second]).mean(0)
        a, b, middle = (survey.probe.values(line.points_at(s), line.target) for s in steps)
        finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(middle)
        level = np.abs(a) + np.abs(b) + np.abs(middle) + survey.scale.levels[0]
        with np.errstate(invalid="ignore"):
            excess = np.where(finite, (middle - (a + b) / 2) / np.maximum(level, 1e-300), -1)
        i = int(np.argmax(excess))
        if excess[i] > TOLERANCE and (best is None or excess[i] > best.excess):
            points = line.points_at(np.array([s[i] for s in steps]))
            values = np.array([a[i], b[i], middle[i]])
            best = Midpoint(float(excess[i]), line.target.name, points, values)
    return best


def _pairs(line: Line, rng: np.random.Generator) -> Array:
    """Returns the steps of pairs of close and of far points."""
    count = len(line.steps)
    first = rng.integers(count, size=3 * _PAIRS)
    hops = np.concatenate([rng.integers(1, 4, _PAIRS), rng.integers(1, count, 2 * _PAIRS)])
    second = np.minimum(first + hops, count - 1)
    chosen = (np.abs(line.steps[first]) < _INNER) & (first != second)
    pairs = np.stack([line.steps[first], line.steps[second]])
    return pairs[:, chosen] if chosen.any() else pairs

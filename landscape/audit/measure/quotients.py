"""Compares autodiff with difference quotients of points between which nothing switches."""

from typing import NamedTuple

import numpy as np

from landscape.audit.measure.survey import Sample, Survey, norms, once

Array = np.ndarray
STEPS = (1e-4, 1e-5)  # of the two central difference quotients, relative to the prediction
TOLERANCE = 1e-3  # relative difference between slope and quotient, and between the two quotients
ROUNDING = 1e-9  # of values, relative
SHARE = 0.005  # of the points must disagree,
LEAST = 3  # and at least this many


class Disagreement(NamedTuple):
    """At `points` of `trials` the slope is wrong, at `opposed` its sign; with one such point."""

    points: int
    opposed: int
    trials: int
    target: str
    point: Array
    direction: Array
    slope: float
    quotient: float


@once
def disagreement(survey: Survey) -> Disagreement | None:
    """Returns how slopes of autodiff differ from the difference quotients, if enough do."""
    points, opposed, trials, example = 0, 0, 0, None
    for sample in survey.plausible:
        for directions in (sample.directions, _uphill(sample)):
            slopes, quotients, comparable = _compare(survey, sample, directions)
            level = np.abs(slopes) + np.abs(quotients) + TOLERANCE * survey.steepest
            rounding = ROUNDING * (np.abs(sample.derivatives.value) + survey.scale.levels[0])
            differs = np.abs(slopes - quotients) > TOLERANCE * level + rounding
            differs &= comparable
            trials += int(comparable.sum())
            points += int(differs.sum())
            opposed += int((differs & (slopes * quotients < 0)).sum())
            if differs.any() and example is None:
                i = int(np.argmax(differs))
                point = sample.points[i]
                example = sample.target.name, point, directions[i], slopes[i], quotients[i]
    if example is None or points < max(LEAST, SHARE * trials):
        return None
    return Disagreement(points, opposed, trials, *example)


def is_trusted(survey: Survey) -> bool:
    """Whether the gradients of autodiff are those of the function."""
    return disagreement(survey) is None


def _uphill(sample: Sample) -> Array:
    """Returns unit vectors along the gradients, and the random directions if these are zero."""
    sizes = sample.norms.reshape(-1, *(1,) * (sample.points.ndim - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        units = sample.derivatives.gradient / sizes
    return np.where(np.isfinite(units) & (sizes > 0), units, sample.directions)


def _compare(survey: Survey, sample: Sample, directions: Array) -> tuple[Array, Array, Array]:
    """Returns slopes, difference quotients, and whether they are comparable at each point.

    They are if the states on both sides are equal and the quotients have converged.
    """
    rows = (-1, *(1,) * (sample.points.ndim - 1))
    units = directions / norms(directions).reshape(rows)
    count = len(units)
    slopes = np.sum((sample.derivatives.gradient * units).reshape(count, -1), axis=1)
    quotients, steady = [], np.ones(count, bool)
    for step in STEPS:
        moves = step * np.maximum(1, np.abs(sample.points).reshape(count, -1).max(1))
        left, right = (sample.points + s * moves.reshape(rows) * units for s in (-1, 1))
        low, before = survey.probe.scan(left, sample.target)
        high, after = survey.probe.scan(right, sample.target)
        steady &= np.all(before == after, axis=1)
        quotients.append((high - low) / (2 * moves))
    coarse, fine = quotients
    noise = ROUNDING * (1 + np.abs(sample.derivatives.value))
    settled = np.abs(coarse - fine) <= TOLERANCE * (np.abs(coarse) + np.abs(fine)) + noise
    return slopes, fine, steady & settled & np.isfinite(slopes) & np.isfinite(fine)

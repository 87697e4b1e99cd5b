"""Compares autodiff with difference quotients of points between which nothing switches."""

from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.exact import exact_gradient, exact_values
from landscape.audit.measure.survey import Sample, Survey, norms, once

Array = np.ndarray
STEPS = (1e-4, 1e-5)  # of the two central difference quotients, relative to the prediction
TOLERANCE = 1e-3  # relative difference between slope and quotient, and between the two quotients
ROUNDING = 1e-9  # of values, relative
SHARE = 0.005  # of the points must disagree,
EXACT_STEP = 1e-6  # of the quotient that is computed with many digits
LEAST = 3  # and at least this many


class Example(NamedTuple):
    """A point at which the slope of autodiff differs from the difference quotient."""

    target: Target
    point: Array
    direction: Array
    slope: float
    quotient: float


class Disagreement(NamedTuple):
    """At `points` of `trials` the slope is wrong, at `opposed` its sign; with one such point.

    `descends` is the share of trials at which a small step against autodiff's gradient lowers the
    value.
    """

    points: int
    opposed: int
    trials: int
    descends: float
    example: Example


@once
def disagreement(survey: Survey) -> Disagreement | None:
    """Returns how slopes of autodiff differ from the difference quotients, if enough do.

    A difference that is only rounding does not count.
    """
    points, opposed, trials, examples = 0, 0, 0, []
    rises: list[Array] = []
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
            if directions is not sample.directions:
                rises.append(quotients[comparable & (slopes > 0)] > 0)
            for i in np.flatnonzero(differs)[:1]:
                point, unit = sample.points[i], directions[i]
                examples.append(Example(sample.target, point, unit, slopes[i], quotients[i]))
    if points < max(LEAST, SHARE * trials):
        return None
    example = next((e for e in examples if not _is_rounding(survey, e)), None)
    climbed = np.concatenate(rises)
    descends = float(climbed.mean()) if len(climbed) else 0.0
    return example and Disagreement(points, opposed, trials, descends, example)


def _is_rounding(survey: Survey, example: Example) -> bool:
    """Whether slope and quotient agree when both are computed with many digits."""
    target, point, direction = example.target, example.point, example.direction
    unit = direction / np.linalg.norm(direction)
    move = EXACT_STEP * max(1.0, float(np.abs(point).max()))
    values = exact_values(survey, np.stack([point - move * unit, point + move * unit]), target)
    gradient = exact_gradient(survey, point, target)
    if values is None or gradient is None:
        return False
    quotient = float(values[1] - values[0]) / (2 * move)
    slope = float(np.sum(gradient * unit))
    return abs(slope - quotient) <= TOLERANCE * (abs(slope) + abs(quotient))


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

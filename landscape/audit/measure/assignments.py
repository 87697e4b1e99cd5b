"""Other predictions that cost as little as the targets: found by descent, or of one side only."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from landscape.audit.measure.aims import aim
from landscape.audit.measure.descent import descend
from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey, once
from landscape.audit.measure.task_targets import all_classes

Array = np.ndarray
STARTS = 16
MOST_FLIPS = 64  # right predictions of which one is exchanged
APART, MOST = 0.3, 0.5  # least distance from the targets, of more than this share of them
BOUNDED = ("unit", "symmetric")  # domains with a side per class
RIGHT_LOGIT = 4.0  # of right predictions in classification
NEAR = 1e-4  # of the typical spread of the loss, within which a cost is as low
SMALL, ROUNDED = 0.1, 1e-9  # a rise that others compensate, relative to its own; no rise at all
BELOW = (NEAR, 0.05)  # how far below, for numbers and for classes: at a lower cost it is S403


class Assignment(NamedTuple):
    """Predictions that cost as little as right ones, with both values."""

    target: Target
    predictions: Array
    value: float
    value_at_targets: float


@once
def other_assignment(survey: Survey) -> Assignment | None:
    """Returns predictions for the first target of a batch that cost as little as right ones.

    None for losses of a single prediction, and if the aim leaves the predictions free.
    """
    subject = survey.subject
    if subject.kind != "loss" or subject.size == 1:
        return None
    has_sides = subject.goal == "sides" and subject.domain.name in ("real", *BOUNDED)
    descends = subject.domain.name == "real" and (subject.rows > 1 or subject.goal == "numbers")
    if not (has_sides or descends):
        return None
    if aim(survey).name not in ("target", "decision", "distribution") or survey.gradient_is_zero:
        return None
    target = subject.targets[0]
    if subject.goal == "classes":  # a batch that lacks a class may leave others undecided
        every = all_classes(subject.shape, subject.form)
        target = target._replace(name=every.name, value=every.value, away=every.away)
    right = _right(survey, target)
    value = float(survey.probe.values(right[None], target)[0])
    lowest = value + NEAR * survey.scale.levels[0]
    points, values = np.zeros((0, *subject.shape)), np.zeros(0)
    if has_sides:
        points = _one_sided(right)
        values = survey.probe.values(points, target)
    if descends:
        ends, costs = descend(survey, target, _starts(survey, target), lowest)
        points, values = np.concatenate([points, ends]), np.concatenate([values, costs])
    deepest = value - BELOW[subject.goal != "numbers"] * survey.scale.levels[0]
    alike = np.isfinite(values) & (values <= lowest) & (values >= deepest)
    for i in np.flatnonzero(alike):
        is_other = _is_other(survey, points[i], right, target)
        if is_other and _compensates(survey, points[i], float(values[i]) - value, right, target):
            return Assignment(target, points[i], float(values[i]), value)
    return None


def _right(survey: Survey, target: Target) -> Array:
    subject = survey.subject
    if subject.goal == "numbers":
        return np.broadcast_to(target.value, subject.shape).astype(float)
    if subject.domain.bounded:
        right = np.broadcast_to(target.away, subject.shape) < 0
        return np.where(right, subject.domain.high, subject.domain.low)
    return -RIGHT_LOGIT * np.broadcast_to(target.away, survey.subject.shape)


def _starts(survey: Survey, target: Target) -> Array:
    """Returns random predictions, and for classes also right ones with shifted classes."""
    points = survey.plausible[0].points[:STARTS] / 3
    if survey.subject.goal != "classes":
        return points
    rng = np.random.default_rng([survey.seed, 405])
    half, between = STARTS // 2, (1,) * (points.ndim - 2)
    shifts = 2 * RIGHT_LOGIT * rng.normal(size=(half, *between, points.shape[-1]))
    return np.concatenate([points[:half], _right(survey, target) + shifts])


def _one_sided(right: Array) -> Array:
    """Returns predictions of the two sides: all alike, and right ones with one exchanged."""
    high, low = np.full_like(right, right.max()), np.full_like(right, right.min())
    flips = np.repeat(right[None], min(right.size, MOST_FLIPS), axis=0).reshape(-1, right.size)
    rows = np.arange(len(flips))
    flips[rows, rows] = right.max() + right.min() - flips[rows, rows]
    return np.concatenate([high[None], low[None], flips.reshape(-1, *right.shape)])


def _compensates(survey: Survey, point: Array, rise: float, right: Array, target: Target) -> bool:
    """Whether a prediction alone, off as in `point`, costs more than all of them together.

    If not, they are only cheap beside far larger costs.
    """
    if survey.subject.goal != "numbers":
        return True
    units = np.eye(right.size).reshape(-1, *right.shape)
    alone = survey.probe.values(right + units * (point - right), target)
    level = float(survey.probe.values(right[None], target)[0])
    rises = alone[np.isfinite(alone)] - level
    return rise <= ROUNDED * survey.scale.levels[0] or bool(np.any(rises * SMALL > rise))


def _is_other(survey: Survey, point: Array, right: Array, target: Target) -> bool:
    """Whether predictions are another assignment: for a distribution, of any order.

    Components without a gradient do not count: they may be masked, and G203 reports others.
    """
    goal, middle = survey.subject.goal, survey.subject.domain.middle
    if goal == "classes":
        return bool(np.any(point.argmax(-1) != right.argmax(-1)))
    samples = survey.plausible[:1] if goal == "numbers" else survey.plausible
    reached = [np.any(sample.derivatives.gradient != 0, axis=0) for sample in samples]
    point = np.where(np.any(reached, axis=0), point, right)
    if goal != "numbers":
        return bool(np.any((point > middle) != (right > middle)))
    if aim(survey).name != "distribution":
        return bool(np.mean(np.abs(point - right) > APART) > MOST)
    axis = 0 if survey.subject.rows > 1 else 1
    apart = np.abs(np.expand_dims(point, axis) - np.expand_dims(right, axis + 1)) > APART
    others = tuple(number for number in range(apart.ndim) if number not in (axis, axis + 1))
    costs = apart.mean(others)  # of each prediction for each target
    return bool(costs[linear_sum_assignment(costs)].mean() > MOST)

"""Other predictions of a batch that cost as little as its targets, found by descent."""

from itertools import permutations
from typing import NamedTuple

import numpy as np

from landscape.audit.measure.aims import aim
from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey, norms, once
from landscape.audit.measure.task_targets import of_labels

Array = np.ndarray
STARTS, ROUNDS = 16, 60
LENGTHS = 2.0 ** np.arange(4, -12, -1)  # of the steps that are tried in each round
APART, MOST = 0.3, 0.5  # least distance from the targets, of more than this share of them
RIGHT_LOGIT = 4.0  # of right predictions in classification
NEAR = 1e-4  # of the typical spread of the loss, within which a cost is as low
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

    None for losses of single examples, and if the aim leaves the predictions free.
    """
    subject = survey.subject
    if subject.kind != "loss" or subject.size == 1 or subject.domain.name != "real":
        return None
    if subject.rows == 1 and subject.goal != "numbers":
        return None
    if aim(survey).name not in ("target", "decision", "distribution") or survey.gradient_is_zero:
        return None
    target = subject.targets[0]
    if subject.goal == "classes":  # a batch that lacks a class may leave others undecided
        *places, classes = subject.shape
        labels = np.arange(np.prod(places)).reshape(places) % classes
        every = of_labels("all classes", labels, subject.form, classes)
        target = target._replace(name=every.name, value=every.value, away=every.away)
    right = _right(survey, target)
    value = float(survey.probe.values(right[None], target)[0])
    lowest = value + NEAR * survey.scale.levels[0]
    points, values = _descend(survey, target, lowest)
    deepest = value - BELOW[subject.goal != "numbers"] * survey.scale.levels[0]
    alike = np.isfinite(values) & (values <= lowest) & (values >= deepest)
    for i in np.flatnonzero(alike):
        if _is_other(survey, points[i], right, target):
            return Assignment(target, points[i], float(values[i]), value)
    return None


def _right(survey: Survey, target: Target) -> Array:
    if survey.subject.goal == "numbers":
        return np.broadcast_to(target.value, survey.subject.shape).astype(float)
    return -RIGHT_LOGIT * np.broadcast_to(target.away, survey.subject.shape)


def _descend(survey: Survey, target: Target, lowest: float) -> tuple[Array, Array]:
    """Returns where descent from random predictions gets to, and the values there.

    Each round takes the best of several steps along the gradient; points at the bound stay.
    """
    points = survey.plausible[0].points[:STARTS] / 3
    if survey.subject.goal == "classes":  # half start at right predictions with shifted classes
        rng = np.random.default_rng([survey.seed, 405])
        half, classes = STARTS // 2, points.shape[-1]
        shifts = 2 * RIGHT_LOGIT * rng.normal(size=(half, 1, classes))
        points = np.concatenate([points[:half], _right(survey, target) + shifts])
    axes = (1,) * (points.ndim - 1)
    values, slopes = survey.probe.gradients(points, target)
    for _ in range(ROUNDS):
        if np.all(values <= lowest):
            break
        units = slopes / np.maximum(norms(slopes), 1e-300).reshape(-1, *axes)
        tries = points - LENGTHS.reshape(-1, 1, *axes) * units
        costs, gradients = survey.probe.gradients(tries.reshape(-1, *points.shape[1:]), target)
        costs = np.where(np.isfinite(costs), costs, np.inf).reshape(len(LENGTHS), STARTS)
        best, rows = np.argmin(costs, axis=0), np.arange(STARTS)
        better = (costs[best, rows] < values) & (values > lowest)
        moved = gradients.reshape(tries.shape)[best, rows]
        points = np.where(better.reshape(-1, *axes), tries[best, rows], points)
        slopes = np.where(better.reshape(-1, *axes), moved, slopes)
        values = np.where(better, costs[best, rows], values)
        if not better.any():
            break
    return points, values


def _is_other(survey: Survey, point: Array, right: Array, target: Target) -> bool:
    """Whether predictions are another assignment: for a distribution, of any order."""
    goal = survey.subject.goal
    if goal == "classes":
        return bool(np.any(point.argmax(-1) != right.argmax(-1)))
    if goal != "numbers":
        return bool(np.any((point > 0) != (right > 0)))
    gradients = survey.plausible[0].derivatives.gradient
    point = np.where(np.any(gradients != 0, axis=0), point, right)  # a mask may leave some out
    orders = permutations(range(len(point))) if aim(survey).name == "distribution" else [None]
    gaps = [np.abs((point if p is None else point[list(p)]) - right) for p in orders]
    return all(np.mean(gap > APART) > MOST for gap in gaps)

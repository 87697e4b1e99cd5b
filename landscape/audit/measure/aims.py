"""What a loss that compares examples or codes its labels leads predictions to: its aim.

`target`: each prediction is led to its target. `decision`: to the side or the class of its target.
`order`: to the order of the targets. `distribution`: all predictions together to the targets, in
any assignment. `none`: to none of these.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey, once

Array = np.ndarray
SAME = 1e-9  # relative difference of values that are rounded differently
SHIFT = 0.75  # added to all predictions
POINTS = 64
RIGHT_LOGIT = 4.0
_USUAL = {"numbers": "target", "sides": "decision", "classes": "decision"}


class Aim(NamedTuple):
    """An aim, and what in the program or the values shows it."""

    name: str
    reason: str

    @property
    def has_right_predictions(self) -> bool:
        """Whether each prediction has a right value or a right side of its own."""
        return self.name in ("target", "decision")


@once
def aim(survey: Survey) -> Aim:
    """Returns the aim that was requested, or the one that the values show."""
    subject = survey.subject
    if subject.aim != "auto":
        return Aim(subject.aim, "as requested")
    if subject.kind != "loss":
        return Aim("none", f"a {subject.kind}")
    usual = Aim(
        subject.usual_aim or _USUAL.get(subject.goal, "none"), f"the task is {subject.task}"
    )
    if subject.usual_aim is not None:
        return usual
    if subject.domain.name != "real" or survey.gradient_is_zero:
        return usual
    if subject.rows > 1 or (subject.goal == "numbers" and subject.size > 1):
        return _of_several(survey) or usual
    if subject.goal == "classes" and len(subject.shape) == 2 and _codes_thresholds(survey):
        return Aim("order", "a label makes the outputs below it positive, as thresholds do")
    return usual


def _of_several(survey: Survey) -> Aim | None:
    """Returns the aim of a loss that mixes examples or numbers, if the values show one."""
    subject = survey.subject
    if subject.goal == "classes":
        if _is_relabeled_alike(survey):
            return Aim("none", "only the equality of labels matters, as for embeddings")
        return None
    sample = survey.plausible[0]
    points, values = sample.points[:POINTS], sample.derivatives.value[:POINTS]

    def unchanged(moved: Array) -> bool:
        return _equal(values, survey.probe.values(moved, sample.target))

    if unchanged(points + SHIFT):
        return Aim("order", "only differences of predictions matter")
    if unchanged(2 * points):
        return Aim("order", "the scale of the predictions does not matter")
    axis = 1 if subject.rows > 1 else 2
    count = points.shape[axis]
    swapped = np.take(points, [1, 0, *range(2, count)], axis) if count > 1 else points
    is_free = unchanged(swapped) and unchanged(np.roll(points, 1, axis))  # so in any order
    if is_free and _prefers_targets(survey, sample.target):
        return Aim("distribution", "the order of the predictions does not matter")
    return None


def _prefers_targets(survey: Survey, target: Target) -> bool:
    """Whether right predictions cost no more than equal ones, to which a broadcast would lead.

    Those of one example must cost less: a function of their mean alone is not a distribution.
    """
    right = -RIGHT_LOGIT * np.broadcast_to(target.away, survey.subject.shape)
    if survey.subject.goal == "numbers":
        right = np.broadcast_to(target.value, right.shape).astype(float)
    both = np.stack([right, np.full_like(right, right.mean())])
    at_right, at_equal = survey.probe.values(both, target)
    return bool(at_right < at_equal if survey.subject.rows == 1 else at_right <= at_equal)


def _is_relabeled_alike(survey: Survey) -> bool:
    """Whether classes can be exchanged: targets that differ by the names of classes cost alike."""
    first, second = survey.plausible[:2]
    values = survey.probe.values(first.points[:POINTS], second.target)
    return _equal(first.derivatives.value[:POINTS], values)


def _codes_thresholds(survey: Survey) -> bool:
    """Whether label k raises the first outputs, more of them for a larger label."""
    counts = []
    for target in survey.subject.targets:
        zero = np.zeros((1, *survey.subject.shape))
        raised = np.ravel(survey.probe.gradients(zero, target)[1]) < 0
        if raised[np.argmin(raised) :].any() and not raised.all():
            return False
        counts.append(int(raised.sum()))
    return len(counts) > 2 and all(b > a for a, b in pairwise(counts))


def _equal(values: Array, others: Array) -> bool:
    finite = np.isfinite(values) & np.isfinite(others)
    if not finite.any():
        return False
    level = np.abs(values[finite]).max() + np.ptp(values[finite])
    return bool(np.abs(values - others)[finite].max() <= SAME * level)

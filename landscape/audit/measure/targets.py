"""Whether the gradient of a loss depends on its targets."""

import numpy as np

from landscape.audit.measure.recession import unbounded_falls
from landscape.audit.measure.survey import Sample, Survey, once
from landscape.audit.static.reach import reached_outputs

SAME = 1e-9  # relative difference of gradients that are rounded differently


@once
def targets_proved_ignored(survey: Survey) -> bool:
    """Whether no target reaches the program of the gradient."""
    is_loss = survey.subject.kind == "loss" and not survey.gradient_is_zero
    return is_loss and not reached_outputs(survey.subject.gradient, 1)[1]


@once
def targets_ignored(survey: Survey) -> bool:
    """Whether the gradient is the same for all targets, by the rules or at all samples."""
    if targets_proved_ignored(survey):
        return True
    subject = survey.subject
    if subject.kind != "loss" or survey.gradient_is_zero or len(subject.targets) < 2:
        return False
    first, *others = survey.plausible
    return all(same_gradients(survey, first, other) for other in others)


@once
def learns_nothing(survey: Survey) -> bool:
    """Whether the targets are ignored by a loss that has a lower bound, so that S402 is silent."""
    return targets_ignored(survey) and not unbounded_falls(survey)


def same_gradients(survey: Survey, sample: Sample, other: Sample) -> bool:
    """Whether predictions get the same gradients for the targets of two samples."""
    ours = sample.derivatives.gradient
    theirs = survey.probe.gradients(sample.points, other.target)[1]
    finite = np.isfinite(ours) & np.isfinite(theirs)
    if not finite.any() or not np.any(ours[finite]):
        return False
    return bool(np.all(np.abs(ours - theirs)[finite] <= SAME * np.abs(ours[finite]).max()))

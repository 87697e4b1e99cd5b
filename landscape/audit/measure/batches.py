"""What a loss that mixes the examples of a batch gives for batches of one class."""

from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import Target, is_degenerate
from landscape.audit.measure.survey import Survey, norms, once

BATCH = 32  # the size of the batches whose share is stated
SHARES = (0.05, 0.01)  # of the rarer class
_MOST = 0.5  # of the predictions, from which on a batch counts as failing


class DegenerateBatch(NamedTuple):
    """A batch of equal targets that gives NaN (`nan`), or no gradient."""

    target: Target
    nan: bool


@once
def degenerate_batches(survey: Survey) -> list[DegenerateBatch]:
    """Returns the batches of equal targets that cannot be trained on, in float32."""
    subject = survey.subject
    if subject.kind != "loss" or subject.rows == 1:
        return []
    batches = []
    for target in filter(is_degenerate, subject.targets):
        points = survey.plausible[0].points
        value, gradient = survey.probe.native(points, target, np.float32)
        slopes = norms(gradient)
        bad = ~np.isfinite(value) | ~np.isfinite(slopes)
        if bad.mean() > _MOST:
            batches.append(DegenerateBatch(target, nan=True))
        elif np.mean(slopes == 0) > _MOST and not survey.gradient_is_zero:
            batches.append(DegenerateBatch(target, nan=False))
    return batches


def batch_notes(survey: Survey) -> list[str]:
    """Returns the notes on the batch size of a loss that mixes the examples of a batch."""
    subject = survey.subject
    if subject.kind != "loss" or subject.rows == 1:
        return []
    notes = ["it mixes the examples of a batch, so the risk depends on `batch_size`"]
    for nan in (True, False):
        targets = [batch.target for batch in degenerate_batches(survey) if batch.nan is nan]
        names = list(dict.fromkeys(_name(survey, target) for target in targets))
        if names:
            notes.append(_note(survey, " or of ".join(names), "NaN" if nan else "no gradient"))
    return notes


def _name(survey: Survey, target: Target) -> str:
    """Returns the name of a target that all examples of a batch have."""
    if survey.subject.goal == "numbers" and not target.ignored:
        return "equal targets"
    return target.name.removesuffix(" only")


def _note(survey: Survey, names: str, effect: str) -> str:
    if names == "equal targets":
        return f"a batch of equal targets gives {effect}"
    if survey.subject.task not in ("binary", "multiclass", "segmentation"):
        return f"a batch of {names} only gives {effect}"
    rare = " and ".join(
        f"{(1 - share) ** BATCH:.0%} where {share:.0%} of the examples are of the other class"
        for share in SHARES
    )
    return (
        f"a batch of {names} only gives {effect}; of batches of {BATCH} such are {rare}: draw "
        "batches that hold all classes"
    )

"""G204, a sparse gradient: each prediction gets one in some of its components only.

Other predictions reach the others, as with a hard maximum. Learning is slower at worst. A note.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from landscape.audit.codes import _breaks
from landscape.audit.findings import Finding, Where
from landscape.audit.measure.crossings import KINK
from landscape.audit.measure.survey import Survey

SELECTING = ("reduce_max", "reduce_min", "sort", "top_k", "argmax", "argmin")
OTHERS = ("gather", "mul", "dot_general", "reduce_sum")


class _Reach(NamedTuple):
    """The most components that one prediction of a target reaches."""

    target: str
    most: int


def find(survey: Survey) -> list[Finding]:
    """At most one finding, for the target with the sparsest gradients."""
    sparse = _sparse(survey)
    if not sparse:
        return []
    target, most = min(sparse, key=lambda reach: reach.most)
    return [
        Finding(
            code="G204",
            severity="note",
            message=(
                f"a prediction gets a gradient in at most {most} of its {survey.subject.size} "
                f"components at a time ({target or 'any input'}; {survey.coverage:.0%} on "
                "average): the others get no gradient in that step"
            ),
            where=_place(survey),
            evidence={
                "at_most": most,
                "components": survey.subject.size,
                "coverage": round(survey.coverage, 4),
                "targets": [reach.target for reach in sparse],
            },
            suggestion=(
                "jax.nn.logsumexp in place of the maximum, or a sum over all, reaches every one"
            ),
        )
    ]


def _sparse(survey: Survey) -> list[_Reach]:
    """The targets of which each prediction reaches fewer components than all together do."""
    subject = survey.subject
    if subject.size == 1 or subject.kind == "activation" or survey.gradient_is_zero:
        return []
    reached = [
        (sample.target.name, sample.derivatives.gradient.reshape(len(sample.points), -1) != 0)
        for sample in survey.samples
    ]
    reachable = int(np.any([rows.any(0) for _, rows in reached], axis=0).sum())
    reaches = [
        _Reach(target.name, max(int(r.sum(1).max()) for name, r in reached if name == target.name))
        for target in subject.targets
    ]
    return [reach for reach in reaches if 0 < reach.most < reachable]


def _place(survey: Survey) -> Where | None:
    where = _open_place(survey, SELECTING) or _breaks.first_place(survey, [KINK])
    where = where or survey.place_of_operation(SELECTING) or survey.place_of_operation(OTHERS)
    return where or survey.definition


def _open_place(survey: Survey, names: Sequence[str]) -> Where | None:
    """The place of the first suspect of these names that the rules do not clear."""
    for site in survey.reading.sites:
        harmless = site.status != "open" or site.number in survey.reading.softmax_shifts
        if site.operation in names and not harmless:
            return survey.place_of(site)
    return None

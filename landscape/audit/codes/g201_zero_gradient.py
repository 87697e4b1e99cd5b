"""G201, a zero gradient: no sampled prediction and no point of any path has another one.

*Proved* if the rules show the gradient's program to be zero for every input. Nothing can be
learned. An error.
"""

from landscape.audit.codes import _breaks
from landscape.audit.codes._cuts import cut_place
from landscape.audit.findings import Finding
from landscape.audit.measure.crossings import JUMP
from landscape.audit.measure.survey import Survey


def find(survey: Survey) -> list[Finding]:
    """At most one finding."""
    if not survey.gradient_is_zero:
        return []
    slope = survey.slopes.outputs[1]
    proved = not slope.varies and not slope.uses_target and slope.range == (0.0, 0.0)
    trials = sum(len(sample.points) for sample in survey.samples)
    trials += sum(len(path.points) for path in survey.paths)
    extent = "for every prediction" if proved else f"at all {trials} predictions tried"
    where = _breaks.first_place(survey, [JUMP]) or cut_place(survey) or survey.definition
    return [
        Finding(
            code="G201",
            severity="error",
            message=(
                f"the gradient is exactly zero {extent}: no optimizer that follows it can learn "
                "anything"
            ),
            where=where,
            evidence={"how": "proved" if proved else "measured", "trials": trials, "nonzero": 0},
            suggestion=_suggestion(survey),
        )
    ]


def _suggestion(survey: Survey) -> str:
    if survey.reading.outputs[0].varies:
        return (
            "replace the hard decision by a soft one (sigmoid, softmax) in the loss, and report "
            "the hard one as a metric"
        )
    return "the loss does not depend on the prediction: use the prediction, not a copy of it"

"""D103, a jump of the second or third derivative; value and slope are continuous.

The difference keeps at least half of its height while the step shrinks by two decades
(`measure.crossings`). Harmless for gradient descent, not for second-order methods. A note, and none
at a line whose value or slope jumps as well.
"""

from landscape.audit.codes import _breaks
from landscape.audit.codes._numbers import brief
from landscape.audit.findings import Finding
from landscape.audit.measure.crossings import JUMP, KINK, SECOND, THIRD, Crossing
from landscape.audit.measure.survey import Survey

ORDINALS = {SECOND: "second", THIRD: "third"}


def find(survey: Survey) -> list[Finding]:
    """One finding for each line at which a higher derivative is the lowest that jumps."""
    broken = _breaks.by_line(survey, [JUMP, KINK])
    groups = _breaks.by_line(survey, [SECOND, THIRD])
    return [_finding(survey, group) for line, group in groups.items() if line not in broken]


def _finding(survey: Survey, group: list[Crossing]) -> Finding:
    crossing = _breaks.clearest(group)
    low, high = _breaks.sides(crossing)
    evidence = _breaks.evidence(survey, crossing, group)
    return Finding(
        code="D103",
        severity="note",
        message=(
            f"the {ORDINALS[crossing.order]} derivative jumps from {brief(low)} to {brief(high)} "
            f"at {_breaks.point_text(crossing)}: harmless for training by gradients, but curvature "
            "is not continuous"
        ),
        where=_breaks.place_of(survey, crossing),
        evidence=evidence | {"derivative": crossing.order},
    )

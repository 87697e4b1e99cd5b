"""G203, an unreached component: it gets no gradient at any sampled prediction, though others do.

Nothing is learned for it. A warning.
"""

import numpy as np

from landscape.audit.codes._cuts import CUTTERS, cut_place
from landscape.audit.findings import Finding, Where
from landscape.audit.measure.survey import Survey

Array = np.ndarray
SHOWN = 4  # components that are named
MOVE = 0.37  # added to unreached components, to see whether the value depends on them
SELECTING = ("slice", "gather", "dynamic_slice", "split")


def find(survey: Survey) -> list[Finding]:
    """At most one finding, for all unreached components."""
    if survey.subject.size == 1 or survey.gradient_is_zero:
        return []
    gradients = [sample.derivatives.gradient for sample in survey.samples]
    unreached = ~np.any([np.any(gradient != 0, axis=0) for gradient in gradients], axis=0)
    if unreached.all() or not unreached.any():
        return []
    trials = sum(map(len, gradients))
    names = _names(survey, unreached)
    what = "input" if survey.subject.kind == "function" else "component"
    return [
        Finding(
            code="G203",
            severity="warning",
            message=(
                f"{int(unreached.sum())} of {unreached.size} {what}s never receive a gradient "
                f"({what} {', '.join(names)}; {trials} predictions tried): nothing is learned for "
                "them"
            ),
            where=_place(survey, unreached) or survey.definition,
            evidence={"components": names, "trials": trials},
            suggestion="let every component enter the loss, or leave it out of the model",
        )
    ]


def _names(survey: Survey, components: Array) -> list[str]:
    names = [str(list(map(int, index))) for index in np.argwhere(components)[:SHOWN]]
    return [name.replace("[0, ", "[") if survey.subject.rows == 1 else name for name in names]


def _place(survey: Survey, unreached: Array) -> Where | None:
    """Where the gradient is cut, or where the components are left out if the value ignores them."""
    cuts = (CUTTERS, SELECTING) if _affect_value(survey, unreached) else (SELECTING, CUTTERS)
    return cut_place(survey, cuts[0]) or cut_place(survey, cuts[1])


def _affect_value(survey: Survey, components: Array) -> bool:
    """Whether the value depends on these components, which no gradient shows."""
    domain = survey.subject.domain
    for sample in survey.plausible:
        moved = np.where(components, sample.points + MOVE, sample.points)
        values = survey.probe.values(np.clip(moved, domain.low, domain.high), sample.target)
        if np.any(values != sample.derivatives.value):
            return True
    return False

"""G204, a sparse gradient: each prediction gets a gradient in some of its components only.

Other predictions reach the others, as with a hard maximum.

## Why

The other components get no gradient in that step. At worst, learning is slower.

## Severity

Note.

## Instead

Use logsumexp in place of the maximum, or a sum over all components.

## Example (--task multiclass)

    import jax.numpy as jnp


    def margin(logits, labels):
        return jnp.max(logits, axis=-1) - jnp.sum(labels * logits, axis=-1)

## Fixed

    import jax
    import jax.numpy as jnp


    def margin(logits, labels):
        return jax.nn.logsumexp(logits, axis=-1) - jnp.sum(labels * logits, axis=-1)
"""

import numpy as np

from landscape.audit.codes._breaks import first_place
from landscape.audit.measure.crossings import KINK
from landscape.audit.measure.survey import Survey
from landscape.audit.static.reader import OPEN
from landscape.storage.audit_records import Finding, Where

SELECTING = ("reduce_max", "reduce_min", "sort", "top_k", "argmax", "argmin")
OTHERS = ("gather", "mul", "dot_general", "reduce_sum")


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the target with the sparsest gradients."""
    sparse = _sparse_targets(survey)
    if not sparse:
        return []
    target, count = min(sparse.items(), key=lambda item: item[1])
    return [
        Finding(
            code="G204",
            severity="note",
            message=(
                f"a prediction gets a gradient in at most {count} of its {survey.subject.size} "
                f"components at a time ({target or 'any input'}; {survey.coverage:.0%} on "
                "average): the others get no gradient in that step"
            ),
            where=_place(survey),
            evidence={
                "at_most": count,
                "components": survey.subject.size,
                "coverage": round(survey.coverage, 4),
                "targets": list(sparse),
            },
            suggestion=_suggestion(survey),
        )
    ]


def _suggestion(survey: Survey) -> str | None:
    """Returns what to write instead of a selection; a mask by the target is intended."""
    names = {s.operation for s in survey.reading.sites if s.status == OPEN}
    if names & {"reduce_max", "reduce_min", "max", "min", "argmax", "argmin"}:
        return "jax.nn.logsumexp in place of the maximum, or a sum, reaches all components"
    if names & {"sort", "top_k"}:
        return "a sum over all components, or weights that fall off smoothly, in place of a cut"
    return None


def _sparse_targets(survey: Survey) -> dict[str, int]:
    """Returns the most components that one prediction reaches, per target.

    Only for targets whose predictions each reach fewer components than all predictions together.
    """
    subject = survey.subject
    if subject.size == 1 or subject.kind == "activation" or survey.gradient_is_zero:
        return {}
    reachable = np.zeros(subject.size, bool)
    counts = {target.name: 0 for target in subject.targets if not target.ignored}
    for sample in (s for s in survey.samples if not s.target.ignored):
        reached = sample.derivatives.gradient.reshape(len(sample.points), -1) != 0
        reachable |= reached.any(0)
        name = sample.target.name
        counts[name] = max(counts[name], int(reached.sum(1).max()))
    return {name: count for name, count in counts.items() if 0 < count < reachable.sum()}


def _place(survey: Survey) -> Where | None:
    """Prefers a suspect that the rules do not clear, then a kink."""
    shifts = survey.reading.softmax_shifts
    open_sites = [s for s in survey.reading.sites if s.status == OPEN and s.number not in shifts]
    selecting = next((s for s in open_sites if s.operation in SELECTING), None)
    where = (selecting and survey.place_of(selecting)) or first_place(survey, KINK)
    where = where or survey.place_of_operation(SELECTING) or survey.place_of_operation(OTHERS)
    return where or survey.definition

"""G201, a zero gradient: the gradient is zero for every prediction.

No sampled prediction and no point of any path has a nonzero gradient. *Proved* if the rules show
that the gradient's program is zero for every input.

## Why

Nothing can be learned.

## Severity

Error.

## Instead

Remove the decision, the cast or the `stop_gradient` from the loss.

## Example (--task regression)

    import jax.numpy as jnp


    def squared_error(predictions, targets):
        return jnp.square(jnp.round(predictions) - targets)

## Fixed

    import jax.numpy as jnp


    def squared_error(predictions, targets):
        return jnp.square(predictions - targets)
"""

from landscape.audit.codes._breaks import first_place
from landscape.audit.codes._cuts import cut_place, first_cut, is_stopped
from landscape.audit.measure.crossings import JUMP
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding

STOPPED = (
    "remove lax.stop_gradient from the prediction; apply it to targets, weights or another term"
)


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding."""
    if not survey.gradient_is_zero:
        return []
    proved = survey.gradient_proved_zero
    trials = sum(len(sample.points) for sample in survey.samples)
    trials += sum(len(path.points) for path in survey.paths)
    extent = "for every prediction" if proved else f"at all {trials} predictions tried"
    jump = first_place(survey, JUMP)
    return [
        Finding(
            code="G201",
            severity="error",
            message=f"the gradient is exactly zero {extent}: no optimizer can learn from it",
            where=jump or cut_place(survey) or survey.definition,
            evidence={"how": "proved" if proved else "measured", "trials": trials, "nonzero": 0},
            suggestion=_suggestion(survey, jump is not None),
        )
    ]


def _suggestion(survey: Survey, jumps: bool) -> str:
    if not jumps and (is_stopped(survey) or first_cut(survey) is None):
        return STOPPED
    if survey.reading.outputs[0].varies:
        return "use a soft decision (sigmoid, softmax), and report the hard one as a metric"
    return "use the prediction itself: the loss does not depend on it"

"""D103, a derivative jump: the second or third derivative jumps; value and slope are continuous.

The difference keeps at least half of its height while the step shrinks by two decades (see D101).
Not reported at a line at which the value or the slope jumps.

## Why

Harmless for gradient descent, but curvature is not continuous.

## Severity

Note.

## Instead

Nothing, unless a second-order method is used.

## Example (--task regression)

    import jax.numpy as jnp


    def huber(predictions, targets):
        error = jnp.abs(predictions - targets)
        return jnp.where(error < 1, 0.5 * jnp.square(error), error - 0.5)

## Fixed

    import optax


    def huber(predictions, targets):
        return optax.log_cosh(predictions, targets)
"""

from landscape.audit.codes._breaks import by_line, point_text
from landscape.audit.codes._numbers import brief
from landscape.audit.measure.crossings import JUMP, KINK, SECOND, THIRD
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding

ORDINALS = {SECOND: "second", THIRD: "third"}


def find(survey: Survey) -> list[Finding]:
    """Returns one finding per line at which a higher derivative is the lowest that jumps."""
    broken = by_line(survey, [JUMP, KINK])
    return [
        Finding(
            code="D103",
            severity="note",
            message=(
                f"the {ORDINALS[jump.crossing.order]} derivative jumps from {brief(jump.low)} to "
                f"{brief(jump.high)} at {point_text(jump.crossing)}: harmless for training by "
                "gradients, but curvature is not continuous"
            ),
            where=jump.where,
            evidence=jump.evidence | {"derivative": jump.crossing.order},
        )
        for line, jump in by_line(survey, [SECOND, THIRD]).items()
        if line not in broken
    ]

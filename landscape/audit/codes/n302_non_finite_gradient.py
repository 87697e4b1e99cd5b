"""N302, a non-finite gradient: NaN or infinity in the gradient, even if the value is finite.

Such as the square root at 0, also in the branch of a `where` that is not taken.

Measured in float32, for predictions up to 30; also beyond them, up to 1e4, if the result is NaN or
the true value is at most 1e37: overflow of a squared error of 1e30 is expected, not a defect.

## Why

One such example spoils the whole batch.

## Severity

Warning. Error if it affects more than 1 % of the plausible predictions of one target, so also if
all empty masks give NaN.

## Instead

Use a double `where`: guard the argument, then choose the case.

## Example (--task regression)

    import jax.numpy as jnp


    def distance(predictions, targets):
        squared = jnp.square(predictions - targets)
        return jnp.where(squared > 0, jnp.sqrt(squared), 0.0)

## Fixed

    import jax.numpy as jnp


    def distance(predictions, targets):
        squared = jnp.square(predictions - targets)
        positive = jnp.where(squared > 0, squared, 1.0)
        return jnp.where(squared > 0, jnp.sqrt(positive), 0.0)
"""

from landscape.audit.codes._nonfinite import non_finite_gradient
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the smallest such prediction."""
    result = non_finite_gradient(survey)
    return [Finding(code="N302", **result._asdict())] if result is not None else []

"""N301, a non-finite value: NaN or infinity for a prediction that training can meet.

Measured in float32, for predictions up to 30; also beyond them, up to 1e4, if the result is NaN or
the true value is at most 1e37: overflow of a squared error of 1e30 is expected, not a defect.

## Why

One such example spoils the whole batch.

## Severity

Warning. Error if it affects more than 1 % of the plausible predictions of one target, so also if
all empty masks give NaN; not if that target is a vector of equal numbers.

## Instead

Keep arguments away from the edge of the domain; compute from logits.

## Example (--task binary)

    import jax
    import jax.numpy as jnp


    def cross_entropy(logits, labels):
        p = jax.nn.sigmoid(logits)
        return -(labels * jnp.log(p) + (1 - labels) * jnp.log(1 - p))

## Fixed

    import jax


    def cross_entropy(logits, labels):
        log_p, log_q = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
        return -(labels * log_p + (1 - labels) * log_q)
"""

from landscape.audit.codes._nonfinite import non_finite_value
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the smallest such prediction."""
    result = non_finite_value(survey)
    return [Finding(code="N301", **result._asdict())] if result is not None else []

"""D102, a kink: the value is continuous, but its slopes on the two sides of a switch differ.

The difference of the slopes keeps at least half of its height while the step shrinks by two decades
(see D101), or a slope grows without bound.

## Why

Training copes with isolated kinks. Curvature is not defined at them.

## Severity

Note.

## Instead

Nothing, or a rounded form if curvature is used.

## Example (--task regression)

    import jax.numpy as jnp


    def absolute_error(predictions, targets):
        return jnp.abs(predictions - targets)

## Fixed

    import jax.numpy as jnp


    def absolute_error(predictions, targets):
        return jnp.sqrt(jnp.square(predictions - targets) + 1) - 1
"""

import numpy as np

from landscape.audit.codes._breaks import Break, also_at, by_cause, point_text
from landscape.audit.codes._numbers import brief
from landscape.audit.measure.crossings import KINK
from landscape.audit.measure.jax_slopes import differing_slope
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding

SUGGESTIONS = {
    "abs": "for a continuous slope: sqrt(x^2 + c^2) - c, or log(cosh(x))",
    "max": "for a continuous slope: jax.nn.softplus(x - b) + b, or jnp.logaddexp",
    "min": "for a continuous slope: b - jax.nn.softplus(b - x)",
    "clamp": "clip the target or the reported value, not the prediction",
    "reduce_max": "jax.nn.logsumexp(x / T) * T reaches every component, and the maximum as T -> 0",
    "reduce_min": "-jax.nn.logsumexp(-x / T) * T reaches every component",
}


def find(survey: Survey) -> list[Finding]:
    """Returns one finding per operation by which the slope jumps."""
    return [
        Finding(
            code="D102",
            severity="note",
            message=_message(survey, kink),
            where=kink.where,
            evidence=kink.evidence,
            suggestion=SUGGESTIONS.get(kink.operation),
        )
        for kink in by_cause(survey, [KINK])
    ]


def _message(survey: Survey, kink: Break) -> str:
    crossing, point = kink.crossing, point_text(kink.crossing)
    if np.isinf(crossing.size):
        return f"the slope grows without bound toward {point}{also_at(kink)}: steps near it explode"
    autodiff = f"; autodiff gives {brief(crossing.center[1])} there" if crossing.tie else ""
    in_jax = differing_slope(survey, crossing)
    autodiff += "" if in_jax is None else f", where JAX would give {brief(in_jax)}"
    return (
        f"a kink at {point}: the slope is {brief(kink.low)} on one side and {brief(kink.high)} on "
        f"the other{autodiff}{also_at(kink)}. Training copes with isolated kinks"
    )

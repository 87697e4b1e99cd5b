"""N303, a failure in half precision: float32 is finite, but bfloat16 or float16 is not.

Or over 2 % of the gradients underflow to zero. Tested only if neither N301 nor N302 was found, for
predictions up to 30, and if float32 is near the limits: a constant that rounds to 0, 1 or infinity,
a result above 1/16 of the largest float16, or gradients all below 16 times its smallest normal
number.

## Why

Training in half precision meets NaN, infinity or gradients that are lost.

## Severity

Note.

## Instead

Cast predictions to float32 before the loss.

## Example (--task regression)

    import jax.numpy as jnp


    def pixel_error(predictions, targets):
        return jnp.square(255 * predictions - 255 * targets)

## Fixed

    import jax.numpy as jnp


    def pixel_error(predictions, targets):
        return jnp.square(predictions - targets)
"""

import jax
import numpy as np

from landscape.audit.codes._nonfinite import non_finite_gradient, non_finite_value
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.codes._origins import first_broken
from landscape.audit.measure.halves import HalfFailure, half_precision
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding, Where

OVERFLOWING = ("log", "exp", "div", "sqrt", "pow", "integer_pow", "square", "mul")


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the smallest prediction of the first dtype that fails."""
    failure = half_precision(survey).failure
    if failure is None or non_finite_value(survey) or non_finite_gradient(survey):
        return []
    name, target = np.dtype(failure.dtype).name, failure.target.name
    effect = "the gradient underflows to zero" if failure.finite else "the result is not finite"
    return [
        Finding(
            code="N303",
            severity="note",
            message=(
                f"fails only in {name}: {effect} at {brief(failure.point)} ({target or 'input'}), "
                f"where float32 gives {failure.wide_value:.4g} with a gradient of norm "
                f"{failure.wide_norm:.3g}"
            ),
            where=_place(survey, failure) or survey.definition,
            evidence={
                "dtype": name,
                "target": target,
                "at": quote(failure.point),
                "value": quote(failure.value),
                "float32": quote(failure.wide_value),
                "gradient": quote(failure.gradient),
            },
            suggestion="cast predictions to float32 first: predictions.astype(jnp.float32)",
        )
    ]


def _place(survey: Survey, failure: HalfFailure) -> Where | None:
    row, dtype, target = survey.subject.row, failure.dtype, failure.target
    arguments = failure.point.astype(dtype), target.cast(dtype)
    program = jax.make_jaxpr(lambda x, t: row(x, t))(*arguments)
    origin = first_broken(survey, program, failure.point, target, dtype)
    return (origin and origin.where) or survey.place_of_operation(OVERFLOWING)

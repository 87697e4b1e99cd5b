"""D101, a jump: the value on the two sides of a switch differs, however close they are.

Each switch is bisected to neighboring float64 numbers. The value and its first three derivatives
are compared on the two sides while the step shrinks by two decades: a jump keeps its height, a
steep slope does not. A difference that keeps at least half of its height is a jump of that order;
one that keeps less than a fifth is not; anything between is inconclusive. The lowest order counts.

## Why

No gradient sees a jump, so training cannot act on it.

## Severity

Warning.

## Instead

Replace the step by a sigmoid, tanh or softmax; report the hard value as a metric.

## Example (--task regression)

    import jax.numpy as jnp


    def doubled_beyond_1(predictions, targets):
        squared = jnp.square(predictions - targets)
        return jnp.where(squared > 1, 2 * squared, squared)

## Fixed

    import jax.numpy as jnp


    def doubled_beyond_1(predictions, targets):
        squared = jnp.square(predictions - targets)
        return jnp.where(squared > 1, 2 * squared - 1, squared)
"""

import numpy as np

from landscape.audit.codes._advice import GUARD, advice
from landscape.audit.codes._breaks import Break, also_at, by_cause, is_isolated, point_text
from landscape.audit.codes._numbers import brief
from landscape.audit.codes._origins import first_broken
from landscape.audit.measure.crossings import JUMP
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding

ROUNDING = "leave the rounding out of the loss and report it as a metric"
SUGGESTIONS = {
    "floor": ROUNDING,
    "ceil": ROUNDING,
    "round": "leave the rounding out of the loss; if it must stay, x + stop_gradient(round(x) - x) "
    "passes a gradient straight through (Bengio et al. 2013)",
    "sign": "jnp.tanh(x / T) in place of sign(x)",
    "argmax": "jax.nn.softmax(x / T) in place of the one-hot argmax",
    "argmin": "jax.nn.softmax(-x / T) in place of the one-hot argmin",
    "convert_element_type": "stay in floating point: the cast to integers cuts the gradient",
    "rem": "1 - cos(2 pi x / period) is a smooth periodic distance",
}
COMPARISON = "jax.nn.sigmoid((x - threshold) / T) in place of the comparison"


def find(survey: Survey) -> list[Finding]:
    """Returns one finding per operation by which the value jumps."""
    return [
        Finding(
            code="D101",
            severity="warning",
            message=_message(jump),
            where=jump.where,
            evidence=jump.evidence,
            suggestion=_suggestion(survey, jump),
        )
        for jump in by_cause(survey, [JUMP])
    ]


def _is_pole(jump: Break) -> bool:
    return bool(np.isinf(jump.crossing.size))


def _suggestion(survey: Survey, jump: Break) -> str:
    if _is_pole(jump):
        point, target = jump.crossing.point, jump.crossing.target
        origin = first_broken(survey, survey.subject.value, point, target, np.float32)
        return advice(survey, origin.operation, origin.number) if origin else GUARD
    return SUGGESTIONS.get(jump.operation, COMPARISON)


def _message(jump: Break) -> str:
    crossing, point = jump.crossing, point_text(jump.crossing)
    if _is_pole(jump):
        return f"the value goes to infinity at {point}: no step near it is small enough"
    values = f"jumps from {brief(jump.low)} to {brief(jump.high)} at {point}"
    if is_isolated(crossing):
        values = f"is {brief(crossing.center[0])} at {point} but {brief(jump.low)} on both sides"
    return (
        f"the value {values}{also_at(jump)}: no gradient shows the jump, so training cannot act on "
        "it"
    )

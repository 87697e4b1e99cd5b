"""D101, a jump: the value on the two sides of a switch differs, however close they are.

Each switch is bisected to neighboring float64 numbers. The value and its first three derivatives
are compared on the two sides while the step shrinks by two decades: a jump keeps its height, a
steep slope does not. A difference that keeps at least half of its height is a jump of that order;
one that keeps less than a fifth is not; anything between is inconclusive. The lowest order counts.

## Why

No gradient sees a jump, so training cannot act on it.

## Severity

Warning. Note if the value jumps at single points of several components only, such as the direction
of a prediction at the zero vector.

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
from landscape.audit.measure.crossings import JUMP, Crossing
from landscape.audit.measure.survey import Survey, norms
from landscape.audit.measure.switching import crossings
from landscape.audit.measure.walks import along
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
    "div": "keep the denominator from changing its sign or reaching 0: jnp.maximum(x, epsilon)",
    "sqrt": "divide by jnp.sqrt(jnp.sum(x**2) + epsilon): the direction of a vector jumps at 0",
    "atan2": "stay away from (0, 0), where no angle is defined; compare sine and cosine instead",
    "rem": "1 - cos(2 pi x / period) is a smooth periodic distance",
}
NO_LIMIT = "add a constant to the norm, such as 1e-3, if predictions start there"
MOST = 12  # jumps that are looked at from parallel lines,
PARALLELS, BESIDE = 2, 1e-3  # so many, at this distance
WALK = np.linspace(-5, 5, 801) * BESIDE  # steps along them
GONE = 0.3  # of the jump that may be left from one step to the next
COMPARISON = "jax.nn.sigmoid((x - threshold) / T) in place of the comparison"


def find(survey: Survey) -> list[Finding]:
    """Returns one finding per operation by which the value jumps."""
    return [
        Finding(
            code="D101",
            severity="note" if at_one_point else "warning",
            message=_message(jump, at_one_point),
            where=jump.where,
            evidence=jump.evidence,
            suggestion=NO_LIMIT if at_one_point else _suggestion(survey, jump),
        )
        for jump in by_cause(survey, [JUMP])
        for at_one_point in [_is_at_one_point(survey, jump)]
    ]


def _is_pole(jump: Break) -> bool:
    return bool(np.isinf(jump.crossing.size))


def _is_at_one_point(survey: Survey, jump: Break) -> bool:
    """Whether the value jumps at single points only, as a direction does at the zero vector."""
    if survey.subject.size == 1 or _is_pole(jump):
        return False
    jumps = [crossing for crossing in crossings(survey) if crossing.order == JUMP]
    return all(_ends_beside(survey, crossing) for crossing in jumps[:MOST])


def _ends_beside(survey: Survey, crossing: Crossing) -> bool:
    """Whether the jump is gone on parallel lines close by, which a surface of jumps would cross."""
    rng = np.random.default_rng([survey.seed, 101])
    unit, axes = crossing.unit, (1,) * crossing.unit.ndim
    shifts = rng.normal(size=(PARALLELS, *unit.shape))
    shifts -= (shifts * unit).reshape(PARALLELS, -1).sum(1).reshape(-1, *axes) * unit
    shifts *= BESIDE / norms(shifts).reshape(-1, *axes)
    points = np.concatenate([along(crossing.point + shift, unit, WALK) for shift in shifts])
    values = survey.probe.values(points, crossing.target).reshape(PARALLELS, -1)
    return bool(np.all(np.abs(np.diff(values)) < GONE * abs(crossing.size)))


def _suggestion(survey: Survey, jump: Break) -> str:
    if _is_pole(jump):
        point, target = jump.crossing.point, jump.crossing.target
        origin = first_broken(survey, survey.subject.value, point, target, np.float32)
        return advice(survey, origin.operation, origin.number) if origin else GUARD
    return SUGGESTIONS.get(jump.operation, COMPARISON)


def _message(jump: Break, at_one_point: bool) -> str:
    crossing, point = jump.crossing, point_text(jump.crossing)
    if at_one_point:
        return (
            f"the value has no limit at the single point {point}: {brief(jump.low)} or "
            f"{brief(jump.high)}, by the direction of approach"
        )
    if _is_pole(jump):
        return f"the value goes to infinity at {point}: no step near it is small enough"
    values = f"jumps from {brief(jump.low)} to {brief(jump.high)} at {point}"
    if is_isolated(crossing):
        values = f"is {brief(crossing.center[0])} at {point} but {brief(jump.low)} on both sides"
    return (
        f"the value {values}{also_at(jump)}: no gradient shows the jump, so training cannot act on "
        "it"
    )

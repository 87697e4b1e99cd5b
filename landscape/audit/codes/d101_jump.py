"""D101, a jump: the value on the two sides of a switch differs, however close they are.

The difference of the values keeps at least half of its height while the step shrinks by two decades
(`measure.crossings`). No gradient sees a jump, so training cannot act on it. A warning.
"""

import numpy as np

from landscape.audit.codes import _breaks
from landscape.audit.codes._numbers import brief
from landscape.audit.findings import Finding
from landscape.audit.measure.crossings import JUMP, Crossing
from landscape.audit.measure.survey import Survey

ROUNDING = "leave the rounding out of the loss and report it as a metric"
SUGGESTIONS = {
    "floor": ROUNDING,
    "ceil": ROUNDING,
    "round": "leave the rounding out of the loss; if it must stay, x + stop_gradient(round(x) - x) "
    "passes a gradient straight through (Bengio et al. 2013)",
    "sign": "jnp.tanh(x / T) in place of sign(x)",
    "argmax": "jax.nn.softmax(x / T) in place of the one-hot argmax",
    "argmin": "jax.nn.softmax(-x / T) in place of the one-hot argmin",
    "convert_element_type": "stay in floating point: the cast to whole numbers cuts the gradient",
    "rem": "1 - cos(2 pi x / period) is the smooth periodic distance",
}
COMPARISON = "jax.nn.sigmoid((x - threshold) / T) in place of the comparison"


def find(survey: Survey) -> list[Finding]:
    """One finding for each line at which the value jumps."""
    return [_finding(survey, group) for group in _breaks.by_line(survey, [JUMP]).values()]


def _finding(survey: Survey, group: list[Crossing]) -> Finding:
    crossing = _breaks.clearest(group)
    operation = survey.probe.sites[crossing.site].operation
    return Finding(
        code="D101",
        severity="warning",
        message=_message(crossing),
        where=_breaks.place_of(survey, crossing),
        evidence=_breaks.evidence(survey, crossing, group),
        suggestion=SUGGESTIONS.get(operation, COMPARISON),
    )


def _message(crossing: Crossing) -> str:
    point, (low, high) = _breaks.point_text(crossing), _breaks.sides(crossing)
    if np.isinf(crossing.size):
        return f"the value runs to infinity at {point}: no step is small enough near it"
    jump = f"jumps from {brief(low)} to {brief(high)} at {point}"
    if _breaks.is_isolated(crossing):
        jump = f"is {brief(crossing.center[0])} at {point} but {brief(low)} on both sides"
    return f"the value {jump}: no gradient can see that, so training cannot act on it"

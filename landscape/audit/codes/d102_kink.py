"""D102, a kink: the value is continuous, but its slopes on the two sides of a switch differ.

The difference of the slopes keeps at least half of its height while the step shrinks by two decades
(`measure.crossings`), or a slope grows without bound. Training copes with isolated kinks. A note.
"""

import numpy as np

from landscape.audit.codes import _breaks
from landscape.audit.codes._numbers import brief
from landscape.audit.findings import Finding
from landscape.audit.measure.crossings import KINK, Crossing
from landscape.audit.measure.survey import Survey

SUGGESTIONS = {
    "abs": "where a continuous slope is needed: sqrt(x^2 + c^2) - c, or log(cosh(x))",
    "max": "where a continuous slope is needed: jax.nn.softplus(x - b) + b, or jnp.logaddexp",
    "min": "where a continuous slope is needed: b - jax.nn.softplus(b - x)",
    "clamp": "clip the target or the report, not what the gradient passes through",
    "reduce_max": "jax.nn.logsumexp(x / T) * T reaches every component, and the maximum as T -> 0",
    "reduce_min": "-jax.nn.logsumexp(-x / T) * T reaches every component",
}


def find(survey: Survey) -> list[Finding]:
    """One finding for each line at which the slope jumps."""
    return [_finding(survey, group) for group in _breaks.by_line(survey, [KINK]).values()]


def _finding(survey: Survey, group: list[Crossing]) -> Finding:
    crossing = _breaks.clearest(group)
    return Finding(
        code="D102",
        severity="note",
        message=_message(crossing),
        where=_breaks.place_of(survey, crossing),
        evidence=_breaks.evidence(survey, crossing, group),
        suggestion=SUGGESTIONS.get(survey.probe.sites[crossing.site].operation),
    )


def _message(crossing: Crossing) -> str:
    point, (low, high) = _breaks.point_text(crossing), _breaks.sides(crossing)
    if np.isinf(crossing.size):
        return f"the slope grows without bound toward {point}: steps near it explode"
    autodiff = f"; autodiff gives {brief(crossing.center[1])} there" if crossing.tie else ""
    return (
        f"a kink at {point}: the slope is {brief(low)} on one side and {brief(high)} on the "
        f"other{autodiff}. Training copes with isolated kinks"
    )

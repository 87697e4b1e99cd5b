"""G207, a wrong gradient: autodiff disagrees with the difference quotient where nothing switches.

Slopes are compared with central difference quotients at steps 1e-4 and 1e-5, at points between
whose two sides nothing switches and whose quotients have settled. They differ by more than 1e-3 at
0.5 % of these points, and at no fewer than three. A difference that vanishes in a
computation with many digits is rounding. A gradient that is zero everywhere is G201.

## Why

Training minimizes a different function from the reported one.

## Severity

Warning. Error if over half of these slopes have the opposite sign. Note if `lax.stop_gradient`
holds a part constant, such as a weight, and a step against the gradient lowers the loss at 90 % of
the points.

## Instead

Fix the derivative rule; if it is intentional, such as a straight-through estimator, document it.

## Example (--task regression)

    import jax


    @jax.custom_jvp
    def _square(x):
        return x * x


    @_square.defjvp
    def _square_jvp(primals, tangents):
        return _square(*primals), primals[0] * tangents[0]


    def squared_error(predictions, targets):
        return _square(predictions - targets)

## Fixed

    import jax


    @jax.custom_jvp
    def _square(x):
        return x * x


    @_square.defjvp
    def _square_jvp(primals, tangents):
        return _square(*primals), 2 * primals[0] * tangents[0]


    def squared_error(predictions, targets):
        return _square(predictions - targets)
"""

from landscape.audit.codes._cuts import cut_place, first_cut, is_stopped
from landscape.audit.codes._numbers import quote
from landscape.audit.measure.quotients import Disagreement, disagreement
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding, Severity

DESCENDS = 0.9  # share of the points at which a step lowers the loss, for a note
MOSTLY = 0.5  # share of the disagreeing slopes that have the other sign, for an error
CUSTOM = ("custom_vjp_call", "custom_jvp_call", "custom_vjp_call_jaxpr", "stop_gradient")

STOPPED = (
    "if the term behind lax.stop_gradient is a constant of each step, document it, and compare "
    "losses by a metric; else remove lax.stop_gradient"
)
DERIVATIVE = "if intentional (straight-through), document it; else fix the derivative"


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, with one of the points as its evidence."""
    measured = None if survey.gradient_is_zero else disagreement(survey)  # else G201
    if measured is None:
        return []
    example = measured.example
    severity, effect = _severity(survey, measured)
    return [
        Finding(
            code="G207",
            severity=severity,
            message=(
                f"autodiff disagrees with the limit of the difference quotient at "
                f"{measured.points} of {measured.trials} points (slope {example.slope:.4g} "
                f"against {example.quotient:.4g}): {effect}"
            ),
            where=cut_place(survey, CUSTOM) or cut_place(survey) or survey.definition,
            evidence={
                "target": example.target.name,
                "at": quote(example.point),
                "direction": quote(example.direction),
                "autodiff": quote(example.slope),
                "difference_quotient": quote(example.quotient),
                "points": measured.points,
                "trials": measured.trials,
            },
            suggestion=STOPPED if severity == "note" or is_stopped(survey) else DERIVATIVE,
        )
    ]


def _severity(survey: Survey, measured: Disagreement) -> tuple[Severity, str]:
    """Returns the severity, and the effect on training."""
    if measured.opposed > MOSTLY * measured.points:
        return "error", "it points the other way, so training moves away from the minimum"
    cut = first_cut(survey, ("stop_gradient",))
    is_stopped_by_user = cut is not None and cut.direct and survey.subject.kind == "loss"
    if is_stopped_by_user and measured.descends >= DESCENDS:
        return "note", (
            "lax.stop_gradient holds a part of the loss constant, and steps against this gradient "
            f"still lower it for {measured.descends:.0%} of predictions"
        )
    return "warning", "training minimizes a different function from the reported one"

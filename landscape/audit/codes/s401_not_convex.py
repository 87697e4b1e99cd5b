"""S401, not convex: the value at a midpoint is above the mean of the values at both ends.

Tried are pairs on lines, opposite predictions, pairs that differ in one component, and pairs along
the lowest curvature. A midpoint must be above the mean in a computation with 50 digits or more as
well, so that rounding is not the reason. Not tested if the rules prove convexity.

## Why

There can be several minima, and a bad start can be slow. Many good losses are not convex.

## Severity

Note.

## Instead

Nothing, unless a proof or a method needs convexity.

## Example (--task regression)

    import jax.numpy as jnp


    def robust(predictions, targets):
        return jnp.log1p(jnp.square(predictions - targets))

## Fixed

    import jax.numpy as jnp


    def robust(predictions, targets):
        return jnp.sqrt(1 + jnp.square(predictions - targets)) - 1
"""

from landscape.audit.codes._numbers import brief, quote
from landscape.audit.measure.midpoints import proved_convex, refuting_midpoint
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the clearest midpoint."""
    if survey.subject.kind != "loss" or proved_convex(survey):
        return []
    midpoint = refuting_midpoint(survey)
    if midpoint is None:
        return []
    (a, b, middle), (start, end, _) = midpoint.values, midpoint.points
    return [
        Finding(
            code="S401",
            severity="note",
            message=(
                f"not convex in the prediction: {middle:.4g} at the midpoint of {brief(start)} and "
                f"{brief(end)} ({midpoint.target.name}), above the mean {(a + b) / 2:.4g} of their "
                "values: there can be more than one minimum, and a bad start can be slow"
            ),
            where=survey.definition,
            evidence={
                "target": midpoint.target.name,
                "a": quote(start),
                "b": quote(end),
                "midpoint": quote(midpoint.points[2]),
                "values": quote(midpoint.values),
            },
        )
    ]

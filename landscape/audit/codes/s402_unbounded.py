"""S402, unbounded below: the value falls without bound in a direction.

Values at 1e2, 1e4, 1e6 and 1e8 decrease without bound. Tried are the path from right to wrong, all
predictions together, each alone, and the directions to which descent far away leads.

## Why

The optimizer follows it to minus infinity.

## Severity

Error if that leads away from the target. Warning if it rewards a right prediction without limit,
or moves all classes alike, and for the aim `none` if the fall is at most linear, as for a critic.
Warning for the task `boxes` if only boxes without a width or height fall, as for GIoU, which holds
for boxes whose right is above their left: a model must return such boxes.
Note if it happens only for regression targets of 0 and below, as for losses of counts, and for a
function that returns one number.

## Instead

Check the signs; a loss needs a lower bound.

## Example (--task multiclass)

    import jax
    import jax.numpy as jnp


    def cross_entropy(logits, labels):
        return jnp.sum(labels * jax.nn.log_softmax(logits), axis=-1)

## Fixed

    import jax
    import jax.numpy as jnp


    def cross_entropy(logits, labels):
        return -jnp.sum(labels * jax.nn.log_softmax(logits), axis=-1)
"""

import numpy as np

from landscape.audit.codes._minima import result_place
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.measure.aims import aim
from landscape.audit.measure.recession import Fall, unbounded_falls
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding, Severity

BOUNDED = "check the sign of each term: a loss needs a lower bound, such as 0"
ORDERED = "let the model return boxes of positive width and height, such as softplus of two outputs"
ACCELERATED = 1e3  # the values at 1e6 and 1e8 differ by this factor, if by more than in proportion


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, preferably for a direction that leads away from the target."""
    falls = unbounded_falls(survey)
    if not falls:
        return []
    negative = all(fall.not_positive for fall in falls)
    away = any(fall.away for fall in falls)
    fall = next((fall for fall in falls if fall.away), falls[0])
    severity: Severity = "note" if negative else "error" if away else "warning"
    is_free = aim(survey).name == "none" and survey.subject.task != "distribution"
    direction = "away from the target" if away and not negative else "in one direction"
    effect = "the optimizer follows it to minus infinity"
    inverted = survey.subject.task == "boxes" and all(map(_is_inverted, falls))
    if inverted and severity == "error":
        severity, direction = "warning", "for boxes of negative width and height"
    if survey.subject.kind == "function":
        severity, direction = "note", "in one direction"
        effect = "as an objective to minimize, it has no minimum"
    elif severity == "error" and is_free and not _accelerates(fall):
        severity = "warning"
    return [
        Finding(
            code="S402",
            severity=severity,
            message=(
                f"unbounded below: {fall.values[1]:.4g} at {brief(fall.points[1])}, "
                f"{fall.values[2]:.4g} at {brief(fall.points[2])} ({fall.target.name or 'input'}), "
                f"falling without bound {direction}: {effect}"
            ),
            where=result_place(survey),
            evidence={
                "target": fall.target.name,
                "at": [quote(point) for point in fall.points],
                "values": [quote(value) for value in fall.values],
            },
            suggestion=ORDERED if inverted else BOUNDED,
        )
    ]


def _accelerates(fall: Fall) -> bool:
    """Whether the value falls faster than in proportion to the distance."""
    return not fall.values[3] > ACCELERATED * fall.values[2]


def _is_inverted(fall: Fall) -> bool:
    """Whether far boxes have no width or height: as corners and as center and size."""
    start, end = np.split(fall.points[-1], 2, axis=-1)
    return bool(np.any((end < start) & (end < 0)))

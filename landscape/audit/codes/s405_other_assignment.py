"""S405, another assignment: other predictions of a batch cost as little as its targets.

Such as under the square of a mean error, or a softmax over the batch instead of the classes. Found
by descent from random predictions of a loss that mixes the examples of a batch; for two classes
also predictions of one class only, as recall allows, and right ones except for one. For a loss
whose aim is a distribution, the targets in another order do not count; one whose aim is an order is
not judged.

## Why

The loss cannot tell which of the predictions is right.

## Severity

Warning.

## Instead

Compare each prediction with its target before any mean over the batch; normalize over classes.

## Example (--task regression)

    import jax.numpy as jnp


    def squared_mean_error(predictions, targets):
        return jnp.mean(predictions - targets) ** 2

## Fixed

    import jax.numpy as jnp


    def mean_squared_error(predictions, targets):
        return jnp.mean((predictions - targets) ** 2)
"""

from landscape.audit.codes._minima import result_place
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.measure.assignments import other_assignment
from landscape.audit.measure.survey import Survey
from landscape.audit.measure.targets import learns_nothing
from landscape.storage.audit_records import Finding


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding."""
    if survey.subject.kind != "loss" or learns_nothing(survey):
        return []
    other = other_assignment(survey)
    if other is None:
        return []
    return [
        Finding(
            code="S405",
            severity="warning",
            message=(
                f"the predictions {brief(other.predictions)} cost {other.value:.4g}, as little as "
                f"right ones ({other.value_at_targets:.4g}, {other.target.name}): the loss cannot "
                "tell which of them is right"
            ),
            where=survey.place_of_operation(("reduce_sum",)) or result_place(survey),
            evidence={
                "target": other.target.name,
                "targets": quote(other.target.value),
                "predictions": quote(other.predictions),
                "value": quote(other.value),
                "value_at_targets": quote(other.value_at_targets),
            },
            suggestion=(
                "compare each prediction with its target before any mean or sum over the batch, "
                "and normalize over classes (axis=-1)"
            ),
        )
    ]

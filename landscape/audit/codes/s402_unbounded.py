"""S402, unbounded below: the value falls without bound along a path.

Values at 1e2, 1e4, 1e6 and 1e8 along each path decrease without bound.

## Why

The optimizer follows it to minus infinity.

## Severity

Error if that leads away from the target. Warning if it rewards a right prediction without limit.
Note if it happens only for regression targets of 0 and below, as for losses of counts.

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

from typing import NamedTuple

import numpy as np

from landscape.audit.codes._minima import result_place
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.measure.domains import Target
from landscape.audit.measure.suprema import FAR
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding, Severity

Array = np.ndarray
DROP = 1e-6  # the least fall between two of the four values
SUSTAINED = 0.5  # the last fall is at least this share of the previous one


class _Fall(NamedTuple):
    """A side of a path that falls without bound; `sign` is 1 on the wrong side."""

    target: Target
    sign: int
    points: Array
    values: Array


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, preferably for a side that leads away from the target."""
    falls = _falls(survey)
    if not falls:
        return []
    regression = survey.subject.task == "regression"
    negative = regression and all(np.min(fall.target.value) <= 0 for fall in falls)
    away = regression or any(fall.sign > 0 for fall in falls)
    fall = next((fall for fall in falls if regression or fall.sign > 0), falls[0])
    severity: Severity = "note" if negative else "error" if away else "warning"
    direction = "away from the target" if away and not negative else "in one direction"
    return [
        Finding(
            code="S402",
            severity=severity,
            message=(
                f"unbounded below: {fall.values[1]:.4g} at {brief(fall.points[1])}, "
                f"{fall.values[2]:.4g} at {brief(fall.points[2])} ({fall.target.name}), falling "
                f"without bound {direction}: the optimizer follows it to minus infinity"
            ),
            where=result_place(survey),
            evidence={
                "target": fall.target.name,
                "at": [quote(point) for point in fall.points],
                "values": [quote(value) for value in fall.values],
            },
            suggestion="check the sign of each term: a loss needs a lower bound, such as 0",
        )
    ]


def _falls(survey: Survey) -> list[_Fall]:
    domain = survey.subject.domain
    if survey.subject.kind != "loss" or domain.name in ("unit", "simplex"):
        return []
    falls = []
    for path in survey.paths:
        for sign in (1, -1):
            points = path.points_at(sign * FAR)
            if np.any(points < domain.low):
                continue
            values = survey.probe.values(points, path.target)
            drops = -np.diff(values)
            sustained = (drops > DROP).all() and drops[2] > SUSTAINED * drops[1]
            if np.isneginf(values).any() or sustained:
                falls.append(_Fall(path.target, sign, points, values))
    return falls

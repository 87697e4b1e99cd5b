"""S404, not monotone: the loss rises on a straight line from a wrong prediction to the right one.

Lines start far, near, and at random predictions. For classes, and under a link (S403), a line ends
at its minimum: beyond it, the loss may rise. A rise by rounding does not count.

## Why

Training can stop in a wrong minimum; a convex loss has none, but its only minimum lies elsewhere.

## Severity

Warning. Note if the aim is a distribution, so that predictions need not approach their own targets,
and if descent from the start of the rise gets below its end and as low as right predictions.

## Instead

Use a loss that decreases all the way to its target.

## Example (--task regression)

    import jax.numpy as jnp


    def wavy(predictions, targets):
        error = predictions - targets
        return jnp.square(error) + 4 * jnp.square(jnp.sin(3 * error))

## Fixed

    import jax.numpy as jnp


    def wavy(predictions, targets):
        error = predictions - targets
        return 5 * jnp.square(error)
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from landscape.audit.codes import _minima
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.measure.aims import aim
from landscape.audit.measure.descent import descend
from landscape.audit.measure.domains import Target
from landscape.audit.measure.midpoints import proved_convex
from landscape.audit.measure.survey import Path, Survey
from landscape.audit.measure.targets import learns_nothing
from landscape.audit.measure.walks import along
from landscape.storage.audit_records import Finding

Array = np.ndarray
WIDTHS = (12.0, 1e3)  # distances from the target at which approaches along paths start
STARTS = 6  # random predictions per sample at which an approach starts
SHARES = np.linspace(0, 1, 33)
RIGHT_LOGIT = 40.0  # distance at which the goal of a classification loss is on the right side
ENOUGH = 0.05  # of the fall from the start of a rise to the lowest value that may be missing
RISE = 1e-7  # the least rise, relative to the spread of the values of an approach
ROUNDING = 1e-12  # relative to the values
LEVEL_ROUNDING = 1e-9  # relative to the typical spread of the loss
WAVES = ("sin", "cos", "rem", "floor", "round")


class _Approach(NamedTuple):
    """Points on a straight line toward a target, and the values there."""

    target: Target
    points: Array
    value: Array


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the first approach on which the loss rises."""
    is_free = survey.subject.kind == "loss" and aim(survey).name == "distribution"
    if not (is_free or _minima.judges_single_targets(survey)) or learns_nothing(survey):
        return []
    for approach in _approaches(survey):
        rise = _rise(approach.value, LEVEL_ROUNDING * survey.scale.levels[0])
        if rise is not None:
            return [_finding(survey, approach, *rise)]
    return []


def _finding(survey: Survey, approach: _Approach, low: int, high: int) -> Finding:
    target, points, value = approach
    passes = _passes(survey, approach, low)
    effect = "training can stop in a wrong minimum"
    if passes:
        effect = "descent from there goes around the rise, and gets to right predictions"
    if proved_convex(survey):
        effect = "its only minimum lies elsewhere"
    return Finding(
        code="S404",
        severity="note" if passes or aim(survey).name == "distribution" else "warning",
        message=(
            f"not monotone toward the target: from {brief(points[low])} to {brief(points[high])}, "
            f"nearer to {target.name}, the loss rises from {value[low]:.4g} to {value[high]:.4g}: "
            f"{effect}"
        ),
        where=survey.place_of_operation(WAVES) or _minima.result_place(survey),
        evidence={
            "target": target.name,
            "from": quote(points[low]),
            "to": quote(points[high]),
            "values": [quote(value[low]), quote(value[high])],
        },
        suggestion="let the loss fall all along the line to its target",
    )


def _passes(survey: Survey, approach: _Approach, low: int) -> bool:
    """Whether descent from the start of a rise gets as low as the approach, by another way."""
    if survey.subject.size == 1:
        return False
    target, points, value = approach
    lowest = value.min() + ENOUGH * (value[low] - value.min())
    if not lowest < value[low]:
        return False
    ends = descend(survey, target, points[low][None], float(lowest))[1]
    return bool(ends[0] <= lowest)


def _approaches(survey: Survey) -> Iterator[_Approach]:
    """Yields the approaches along paths, then those from random predictions."""
    linked = _minima.regression_minimizers(survey).linked
    middle = 0.5 if survey.subject.domain.bounded else 0.0
    for path in survey.judged_paths:
        for width in WIDTHS:
            near = (np.abs(path.steps) <= width) & np.isfinite(path.value)
            if survey.subject.goal == "numbers":
                for side in (path.steps >= 0, path.steps <= 0):
                    order = _descending(np.abs(path.steps), near & side)
                    yield _along_path(path, order, order if linked else order[:0])
            elif survey.subject.domain.name == "positive":
                order = _descending(path.steps * np.sign(path.target.away.mean()), near)
                yield _along_path(path, order, order)
            else:
                order = _descending(path.steps, near)
                yield _along_path(path, order, order[path.steps[order] <= middle])
    yield from _random_approaches(survey)


def _descending(keys: Array, chosen: Array) -> Array:
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(-keys[indices])]


def _along_path(path: Path, order: Array, ends: Array) -> _Approach:
    """Returns the approach through these indices up to the lowest of `ends`, if there are any."""
    if len(ends):
        end = ends[np.argmin(path.value[ends])]
        order = order[: int(np.flatnonzero(order == end)[0]) + 1]
    return _Approach(path.target, path.points[order], path.value[order])


def _random_approaches(survey: Survey) -> Iterator[_Approach]:
    """Yields lines from random predictions to the target, or to the far end of its right side."""
    subject = survey.subject
    if subject.size == 1 or subject.domain.name == "simplex":
        return
    regression = subject.goal == "numbers"
    judged = {path.target.name for path in survey.judged_paths}
    for sample in survey.plausible:
        if sample.target.name not in judged:
            continue
        goal = _goal(survey, sample.target)
        for start in sample.points[:STARTS]:
            end = goal if regression or goal.max() <= 1 else start + goal
            points = along(start, end - start, SHARES)
            value = survey.probe.values(points, sample.target)
            if np.isfinite(value).all():
                count = len(value) if regression else int(np.argmin(value)) + 1
                yield _Approach(sample.target, points[:count], value[:count])


def _goal(survey: Survey, target: Target) -> Array:
    """Returns the right prediction, or the step of 40 logits to the right side."""
    subject = survey.subject
    if subject.goal == "numbers":
        return np.broadcast_to(target.value, subject.shape)
    away = np.broadcast_to(target.away, subject.shape)
    if subject.domain.bounded:
        return np.where(away < 0, subject.domain.high, subject.domain.low)
    toward = -RIGHT_LOGIT * away
    return np.maximum(toward, 0.0) if subject.goal == "classes" else toward


def _rise(value: Array, rounding: float) -> tuple[int, int] | None:
    """Returns the positions between which a value rises most; None if only by rounding."""
    if len(value) < 3:
        return None
    risen = value - np.minimum.accumulate(value)
    if risen.max() <= RISE * np.ptp(value) + ROUNDING * np.abs(value).max() + rounding:
        return None
    high = int(np.argmax(risen))
    return int(np.argmin(value[: high + 1])), high

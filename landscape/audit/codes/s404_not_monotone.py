"""S404, not monotone: on a straight way from a wrong prediction to the right one the loss rises.

Ways start far, near, and at random predictions. For classes, and under a link (S403), a way ends at
its minimum: beyond it, rising is right. Training can stop short, in a wrong minimum. A warning.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from landscape.audit.codes._minima import (
    judges_single_targets,
    regression_minimizers,
    result_place,
)
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.findings import Finding
from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Path, Survey
from landscape.audit.measure.walks import along

Array = np.ndarray
WIDTHS = (12.0, 1e3)  # of the ways along paths
STARTS = 6  # random predictions per sample from which a way leads to the target
SHARES = np.linspace(0, 1, 33)
RIGHT_LOGIT = 40.0  # how far on its right side the goal of a classification loss is
RISE = 1e-7  # the least rise, relative to the spread of the values on the way
ROUNDING = 1e-12  # relative to the values,
LEVEL_ROUNDING = 1e-9  # and to the typical spread of the loss
WAVES = ("sin", "cos", "rem", "floor", "round")


class _Way(NamedTuple):
    """Points from far to near, and the values there."""

    target: Target
    points: Array
    value: Array


def find(survey: Survey) -> list[Finding]:
    """At most one finding, for the first way on which the loss rises."""
    if not judges_single_targets(survey):
        return []
    for way in _ways(survey):
        rise = _rise(way.value, LEVEL_ROUNDING * survey.scale.levels[0])
        if rise is not None:
            return [_finding(survey, way, *rise)]
    return []


def _finding(survey: Survey, way: _Way, low: int, high: int) -> Finding:
    points, value = way.points, way.value
    return Finding(
        code="S404",
        severity="warning",
        message=(
            f"not monotone toward the target: from {brief(points[low])} to {brief(points[high])}, "
            f"nearer to {way.target.name}, the loss rises from {value[low]:.4g} to "
            f"{value[high]:.4g}: training can stop short, in a wrong minimum"
        ),
        where=survey.place_of_operation(WAVES) or result_place(survey),
        evidence={
            "target": way.target.name,
            "from": quote(points[low]),
            "to": quote(points[high]),
            "values": [quote(value[low]), quote(value[high])],
        },
        suggestion="a loss that falls all the way to its target leaves no wrong minimum",
    )


def _ways(survey: Survey) -> Iterator[_Way]:
    """The ways along paths, then those from random predictions."""
    for path in survey.paths:
        for width in WIDTHS:
            near = (np.abs(path.steps) <= width) & np.isfinite(path.value)
            if survey.subject.task == "regression":
                yield _from_one_side(survey, path, near & (path.steps >= 0))
                yield _from_one_side(survey, path, near & (path.steps <= 0))
            else:
                yield _from_wrong_to_right(survey, path, near)
    yield from _random_ways(survey)


def _from_one_side(survey: Survey, path: Path, side: Array) -> _Way:
    """From one side of a regression path to the target; under a link, to the minimum."""
    order = _descending(np.abs(path.steps), side)
    linked = regression_minimizers(survey).linked
    return _cut_at_minimum(path, order, order if linked else order[:0])


def _from_wrong_to_right(survey: Survey, path: Path, near: Array) -> _Way:
    """From the wrong end of a classification path to the minimum on its right half."""
    middle = 0.5 if survey.subject.domain.name in ("unit", "simplex") else 0.0
    order = _descending(path.steps, near)
    return _cut_at_minimum(path, order, order[path.steps[order] <= middle])


def _descending(keys: Array, chosen: Array) -> Array:
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(-keys[indices])]


def _cut_at_minimum(path: Path, order: Array, last: Array) -> _Way:
    """The way through these indices up to the lowest of `last`, or to its end if there are none."""
    if len(last):
        end = last[np.argmin(path.value[last])]
        order = order[: int(np.flatnonzero(order == end)[0]) + 1]
    return _Way(path.target, path.points[order], path.value[order])


def _random_ways(survey: Survey) -> Iterator[_Way]:
    """Straight from random predictions to the target, or beyond to its right side."""
    subject = survey.subject
    if subject.size == 1 or subject.domain.name == "simplex":
        return
    regression = subject.task == "regression"
    for sample in survey.plausible:
        goal = _goal(survey, sample.target)
        for start in sample.points[:STARTS]:
            end = goal if regression or goal.max() <= 1 else start + goal
            points = along(start, end - start, SHARES)
            value = survey.probe.values(points, sample.target)
            if np.isfinite(value).all():
                count = len(value) if regression else int(np.argmin(value)) + 1
                yield _Way(sample.target, points[:count], value[:count])


def _goal(survey: Survey, target: Target) -> Array:
    """Where predictions should go: the target, or 40 logits to its side."""
    subject = survey.subject
    if subject.task == "regression":
        return np.broadcast_to(target.value, subject.shape)
    away = np.broadcast_to(target.away, subject.shape)
    if subject.domain.name == "unit":
        return (away < 0).astype(float)
    toward = -RIGHT_LOGIT * away
    return np.maximum(toward, 0.0) if subject.task == "multiclass" else toward


def _rise(value: Array, rounding: float) -> tuple[int, int] | None:
    """Two positions between which a value rises most, if it rises by more than rounding."""
    if len(value) < 3:
        return None
    risen = value - np.minimum.accumulate(value)
    if risen.max() <= RISE * np.ptp(value) + ROUNDING * np.abs(value).max() + rounding:
        return None
    high = int(np.argmax(risen))
    return int(np.argmin(value[: high + 1])), high

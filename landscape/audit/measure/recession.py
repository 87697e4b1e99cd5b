"""Directions along which a loss falls without bound."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.exact import exact_values
from landscape.audit.measure.survey import Path, Survey, norms, once
from landscape.audit.measure.walks import along

Array = np.ndarray
FAR = np.array([1e2, 1e4, 1e6, 1e8])
BETWEEN = np.geomspace(1e2, 1e8, 25)  # steps at which a fall must not rise
NEAR = np.array([1e2, 3e2, 9e2])  # steps at which a fall is computed with many digits
REPAIRED = 8  # directions along which float64 overflows that are evaluated with many digits
CHECKED = 4  # of the directions of the fastest falls, with many digits
DROP, ROUNDING = 1e-6, 1e-12  # the least fall between two of the four values, and its relative one
SUSTAINED = 0.5  # the last fall is at least this share of the previous one
STARTS, KEPT, ROUNDS = 64, 8, 8  # of the steepest descent on directions
FAR_AWAY = 1e4  # the step at which its slopes are taken
MOST_UNITS = 32  # unit vectors that are tried, each with both signs
TRIED_TARGETS = 3  # targets for which directions are searched by descent
CURVED_AT, DIFFERENCE = 100.0, 1e-2  # where the Hessian is taken, and the step of its quotients
LINEAR, FLAT = 10.0, 1e-6  # a fall is linear if it grows this fast; flat, relative to the gradient
NEGLIGIBLE = 1e-3  # a component of an eigenvector below this share of the largest is rounding
MOVED = 0.05  # a component moves if its share of the largest move is at least this


class Fall(NamedTuple):
    """A direction along which the loss of a target falls without bound.

    `points` and `values` are at the steps FAR; `slope` is the fall per unit of the distance.
    `away`: far predictions are wrong. `not_positive`: only predictions of targets of 0 and below
    move.
    """

    target: Target
    points: Array
    values: Array
    slope: float
    away: bool
    not_positive: bool


@once
def unbounded_falls(survey: Survey) -> list[Fall]:
    """Returns for each target the direction along which its loss falls fastest without bound.

    Tried are the path of the target, all predictions together, each alone, and the directions to
    which descent on the slope far away leads. A function counts if it returns one number.
    """
    subject = survey.subject
    (output,) = survey.reading.outputs
    is_bounded = subject.domain.bounded or output.range[0] > -np.inf
    is_objective = subject.kind == "loss" or (subject.kind == "function" and subject.is_scalar)
    if not is_objective or is_bounded:
        return []
    falls = [
        _steepest_fall(survey, path, number < TRIED_TARGETS)
        for number, path in enumerate(survey.judged_paths)
    ]
    return [fall for fall in falls if fall is not None]


def _steepest_fall(survey: Survey, path: Path, descend: bool) -> Fall | None:
    target, base = path.target, np.asarray(path.base, float)
    directions = _structured(path.direction)
    if descend and survey.subject.size > 1:
        directions = np.concatenate([directions, _descended(survey, path), _flat(survey, path)])
    steps = FAR.reshape(-1, *(1,) * directions.ndim)
    points = base + steps * directions
    inside = (
        (points >= survey.subject.domain.low).reshape(len(FAR), len(directions), -1).all((0, 2))
    )
    values = survey.probe.values(points.reshape(-1, *base.shape), target).reshape(len(FAR), -1)
    values = _without_overflow(survey, points, values, target)
    drops = -np.diff(values, axis=0)
    sizes = np.maximum(np.abs(values[1:]), np.abs(values[:-1]))
    steady = (drops > DROP + ROUNDING * sizes).all(0)
    steady &= ~_is_rounding(survey, directions, drops)
    # What falls by less over six decades than plausible values differ may have a lower bound.
    steady &= drops.sum(0) > survey.scale.levels[0]
    falling = inside & (np.isneginf(values).any(0) | steady & (drops[2] > SUSTAINED * drops[1]))
    slopes = np.where(falling, -values[-1] / norms(directions), -np.inf)
    fastest = [i for i in np.argsort(-slopes, kind="stable")[:CHECKED] if falling[i]]
    i = next((i for i in fastest if _keeps_falling(survey, base, directions[i], target)), None)
    if i is None:
        return None
    direction = directions[i]
    moved = np.abs(direction) >= MOVED * np.abs(direction).max()
    regression = survey.subject.goal == "numbers"
    return Fall(
        target=target,
        points=points[:, i],
        values=values[:, i],
        slope=float(slopes[i]),
        away=regression or _is_wrong(survey, points[-1, i], target),
        not_positive=regression and bool(np.all(np.asarray(target.value)[moved] <= 0)),
    )


def _without_overflow(survey: Survey, points: Array, values: Array, target: Target) -> Array:
    """Returns values `(steps, directions)` with the exact ones of some that overflow."""
    values = values.copy()
    for i in np.flatnonzero((np.isposinf(values) | np.isnan(values)).any(0))[:REPAIRED]:
        exact = exact_values(survey, points[:, i], target)
        if exact is not None:
            values[:, i] = [float(value) for value in exact]
    return values


def _keeps_falling(survey: Survey, base: Array, direction: Array, target: Target) -> bool:
    """Whether the loss falls between FAR as well, as a periodic one does not, and exactly."""
    values = survey.probe.values(along(base, direction, BETWEEN), target)
    known = values[np.isfinite(values)]
    if np.any(np.diff(known) > ROUNDING * np.abs(known[1:])):
        return False
    return _falls_exactly(survey, base, direction, target)


def _falls_exactly(survey: Survey, base: Array, direction: Array, target: Target) -> bool:
    """Whether the loss falls without rounding; True if that is unknown."""
    for steps in (FAR[:3], NEAR):
        values = exact_values(survey, along(base, direction, steps), target)
        if values is not None:
            first, last = (a - b for a, b in pairwise(values))  # these may exceed any float
            return bool(first > 0 and last / first > SUSTAINED)
    return True


def _is_rounding(survey: Survey, directions: Array, drops: Array) -> Array:
    """Whether falls are linear, but as flat as constants that are rounded to float32."""
    linear = drops[2] > LINEAR * drops[1]
    return linear & (drops[2] < FLAT * survey.steepest * norms(directions) * FAR[-1])


def _is_wrong(survey: Survey, point: Array, target: Target) -> bool:
    """Whether a far prediction is wrong for any example; equal predictions are not."""
    if survey.subject.goal == "free":
        return True
    right = np.broadcast_to(target.away, point.shape) < 0
    if survey.subject.goal == "order":
        return bool(np.sum(point * target.away) > 0)
    if survey.subject.goal == "classes":
        best_right = np.where(right, point, -np.inf).max(-1)
        best_wrong = np.where(right, -np.inf, point).max(-1)
        return bool(np.any(best_wrong > best_right + MOVED * np.abs(point).max()))
    moved = np.abs(point) >= MOVED * np.abs(point).max()
    return bool(np.any(moved & ((point > 0) != right)))


def _structured(direction: Array) -> Array:
    """Returns both ways of a path, of all predictions together, and of each alone."""
    units = np.eye(direction.size)[:MOST_UNITS].reshape(-1, *direction.shape)
    ways = np.concatenate([direction[None], np.ones_like(direction)[None], units])
    if direction.size == 1:
        ways = direction[None]
    return np.concatenate([ways, -ways]).astype(float)


def _flat(survey: Survey, path: Path) -> Array:
    """Returns the eigenvectors of the Hessian far away, with both signs: some have no curvature."""
    shape = np.shape(path.base)
    size = int(np.prod(shape))
    if size > MOST_UNITS:
        return np.zeros((0, *shape))
    rng = np.random.default_rng([survey.seed, 403])
    point = path.base + CURVED_AT * rng.normal(size=shape)
    units = np.eye(size).reshape(-1, *shape)
    both = np.concatenate([point + DIFFERENCE * units, point - DIFFERENCE * units])
    slopes = survey.probe.gradients(both, path.target)[1].reshape(2, size, size)
    hessian = (slopes[0] - slopes[1]) / (2 * DIFFERENCE)
    if not np.isfinite(hessian).all():
        return np.zeros((0, *shape))
    vectors = np.linalg.eigh(hessian + hessian.T)[1].T.reshape(-1, *shape)
    return _snapped(np.concatenate([vectors, -vectors]), NEGLIGIBLE)


def _descended(survey: Survey, path: Path) -> Array:
    """Returns the unit directions of the steepest fall far away, by descent on random ones."""
    rng = np.random.default_rng([survey.seed, 402])
    directions = rng.normal(size=(STARTS, *np.shape(path.base)))
    axes = (1,) * np.ndim(path.base)
    best, lowest = directions, np.full(STARTS, np.inf)
    for number in range(ROUNDS):
        directions = directions / norms(directions).reshape(-1, *axes)
        slopes = survey.probe.gradients(path.base + FAR_AWAY * directions, path.target)[1]
        slopes = np.where(np.isfinite(slopes), slopes, 0.0)
        along = (slopes * directions).reshape(STARTS, -1).sum(1)
        better = (along < lowest).reshape(-1, *axes)
        best, lowest = np.where(better, directions, best), np.minimum(along, lowest)
        size = np.maximum(norms(slopes), 1e-300).reshape(-1, *axes)
        directions = directions - slopes / size / (1 + number / 2)
    return _snapped(best[np.argsort(lowest)[:KEPT]], MOVED)


def _snapped(directions: Array, share: float) -> Array:
    """Returns directions without components that are smaller than a share of their largest."""
    sizes = np.abs(directions)
    largest = sizes.reshape(len(directions), -1).max(1).reshape(-1, *(1,) * (sizes.ndim - 1))
    return np.where(sizes < share * largest, 0.0, directions)

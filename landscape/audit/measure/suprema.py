"""Searches for the largest values of a quantity: near samples, along paths, far away, at edges."""

from collections.abc import Callable

import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Path, Sample, Survey, norms
from landscape.audit.measure.walks import along

Array = np.ndarray
# A quantity at points, along unit directions, for a target.
Quantity = Callable[[Array, Array, Target], Array]
FAR = np.array([1e2, 1e4, 1e6, 1e8])
_SUSTAINED = 0.5  # an unbounded quantity still grows by this share of its previous growth
_ROUNDS, _CLIMBERS, _TRIES = 14, 16, 15  # of the ascent, with _TRIES random steps per climber
_SHRINKING = 0.7  # factor of the step width per round of the ascent
_DESCENTS, _LENGTHS = 24, 2.0 ** np.arange(-14, 8)  # steps of a descent, and lengths tried
_ZOOMS, _ZOOM_STEPS = 3, 64
_NEAR = 100.0  # steps within which a path is searched


def far_points(survey: Survey, path: Path) -> list[Array]:
    """Returns the points of a path at the steps FAR, on both sides if the domain allows it."""
    sides = [path.points_at(sign * FAR) for sign in (1, -1)]
    domain = survey.subject.domain
    return [points for points in sides if np.all((points >= domain.low) & (points <= domain.high))]


def grows(far: Array) -> bool:
    """Whether a quantity at the steps FAR grows without bound."""
    if not np.isfinite(far).all():
        return bool(np.isposinf(far).any())
    growth = np.diff(far)
    rising = (growth > 1e-9 * np.abs(far[:-1])).all() and growth[2] > 1e-12
    return bool(rising and growth[2] > _SUSTAINED * growth[1])


def edge_gradients(survey: Survey) -> Array:
    """Returns norms of gradients at 1e-2, 1e-4, ... 1e-12 from the ends of a bounded domain."""
    subject, rows = survey.subject, []
    for path in survey.paths:
        for end in (0.0, 1.0):
            steps = np.abs(end - 10.0 ** -np.arange(2.0, 13.0, 2.0))
            points = path.points_at(steps)
            if subject.domain.name == "positive":
                points = along(np.zeros(subject.shape), np.ones(subject.shape), steps)
            rows.append(norms(survey.probe.gradients(points, path.target)[1]))
    return np.stack(rows)


def ascend_all(survey: Survey, quantity: Quantity, starts: Callable[[Sample], Array]) -> float:
    """Returns the largest quantity near the plausible samples of the first and the last target.

    `starts` gives the quantity at the points of a sample.
    """
    samples = survey.plausible[0], survey.plausible[-1]
    return max(ascend(survey, sample, starts(sample), quantity) for sample in samples)


def ascend(survey: Survey, sample: Sample, starts: Array, quantity: Quantity) -> float:
    """Returns the largest quantity near a sample, found by random steps that shrink."""
    domain, rng = survey.subject.domain, np.random.default_rng([survey.seed, 7])
    best = np.argsort(-_comparable(starts))[:_CLIMBERS]
    points, directions = sample.points[best], sample.directions[best]
    width, top = (2.0 if domain.name == "real" else 0.1), 0.0
    for _ in range(_ROUNDS):
        tries = np.concatenate([points, np.repeat(points, _TRIES, 0)])
        units = np.concatenate([directions, np.repeat(directions, _TRIES, 0)])
        tries[_CLIMBERS:] += rng.normal(size=tries[_CLIMBERS:].shape) * width
        units[_CLIMBERS:] += rng.normal(size=units[_CLIMBERS:].shape) * min(width, _SHRINKING)
        if domain.name == "simplex":
            tries = np.abs(tries) / np.abs(tries).sum(-1, keepdims=True)
        tries = np.clip(tries, domain.low, domain.high)
        units /= norms(units).reshape(-1, *(1,) * (units.ndim - 1))
        heights = _comparable(quantity(tries, units, sample.target))
        best = np.argsort(-heights)[:_CLIMBERS]
        points, directions = tries[best], units[best]
        top, width = max(top, float(heights[best[0]])), width * _SHRINKING
    return top


def descend(survey: Survey, sample: Sample) -> float:
    """Returns the lowest value that descent along the gradient reaches from the lowest sample.

    Each step takes the best of several lengths; on bounded domains, and for one component, the
    lowest sample itself.
    """
    values = np.where(np.isfinite(sample.derivatives.value), sample.derivatives.value, np.inf)
    i = int(np.argmin(values))
    point, low = sample.points[i], float(values[i])
    if survey.subject.domain.name != "real" or survey.subject.size == 1:
        return low
    for _ in range(_DESCENTS):
        slope = survey.probe.gradients(point[None], sample.target)[1][0]
        tries = along(point, -slope, _LENGTHS)
        heights = survey.probe.values(tries, sample.target)
        heights = np.where(np.isfinite(heights), heights, np.inf)
        best = int(np.argmin(heights))
        if not heights[best] < low:
            break
        point, low = tries[best], float(heights[best])
    return low


def along_path(survey: Survey, path: Path, quantity: Quantity) -> Array:
    """Returns a quantity along a path, with more steps around its largest value.

    Steps are odd numbers: at a tie of the program autodiff's second derivative is arbitrary.
    """
    domain, unit = survey.subject.domain, path.direction / np.linalg.norm(path.direction)
    steps = path.steps[np.abs(path.steps) < _NEAR] * (1 + 1.3e-4) + 1.1e-7
    rows = []
    for _ in range(_ZOOMS):
        points = np.clip(path.points_at(steps), domain.low, domain.high)
        rows.append(_comparable(quantity(points, np.broadcast_to(unit, points.shape), path.target)))
        i = int(np.argmax(rows[-1]))
        low, high = steps[max(i - 1, 0)], steps[min(i + 1, len(steps) - 1)]
        steps = np.linspace(low, high, _ZOOM_STEPS)
    return np.concatenate(rows)


def steepest_quotient(survey: Survey) -> float:
    """Returns the steepest difference quotient of neighbors on the paths, inf if it grows."""
    steepest = 0.0
    for path in survey.paths:
        near = np.abs(path.steps) <= _NEAR
        moves = np.diff(path.steps[near]) * np.linalg.norm(path.direction)
        quotients = np.abs(np.diff(path.value[near]) / moves)
        steepest = max(steepest, float(quotients[np.isfinite(quotients)].max(initial=0.0)))
        for points in far_points(survey, path):
            far = np.diff(survey.probe.values(points, path.target)) / np.diff(FAR)
            if grows(np.abs(np.append(0.0, far))):
                return float("inf")
    return steepest


def _comparable(values: Array) -> Array:
    return np.where(np.isfinite(values), values, -1.0)

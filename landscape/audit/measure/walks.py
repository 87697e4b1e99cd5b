"""Lines through the domain of the predictions, along which an audit looks for switches."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import EXTREME, PLAUSIBLE, Domain, Target
from landscape.audit.measure.subject import Subject

Array = np.ndarray
_COUNT = 81  # of the steps of a line through several predictions
_SPREAD = np.sinh(np.linspace(-5, 5, _COUNT))
_WIDE_STEPS = _SPREAD * (60.0 / _SPREAD[-1])


class Line(NamedTuple):
    """The points `base + step * direction`."""

    target: Target
    base: Array
    direction: Array
    steps: Array

    def points_at(self, steps: Array) -> Array:
        """Returns the points at these steps, `(n, *shape)`."""
        return along(self.base, self.direction, steps)


def along(base: Array, direction: Array, steps: Array) -> Array:
    """Returns the points `base + step * direction`, `(n, *shape)`."""
    return base + steps.reshape(-1, *(1,) * base.ndim) * direction


def lines(subject: Subject, rng: np.random.Generator, count: int = 6) -> Iterator[Line]:
    """Yields lines through up to four targets.

    For one prediction its whole axis; for several, `count` random lines and as many with round
    coordinates, which meet ties exactly.
    """
    targets = subject.targets
    chosen = [targets[0], *targets[1:-1][:2], targets[-1]] if len(targets) > 1 else targets
    for target in chosen:
        if subject.size == 1:
            yield _axis(subject, target)
            continue
        for number in range(count):
            yield _round_line(subject, target, rng, number)
            yield _random_line(subject, target, rng)


def axis_steps(domain: Domain, center: float) -> Array:
    """Returns values of one prediction: dense where it is plausible, in decades far away."""
    decades = np.logspace(-5, np.log10(EXTREME), 64)
    if domain.name == "real":
        centered = np.concatenate([-decades, [0.0], decades]) + center
        return np.unique(np.concatenate([centered, np.linspace(-12, 12, 193)]))
    if domain.name == "positive":
        return np.unique(np.concatenate([[0.0], decades, np.linspace(0, PLAUSIBLE, 161)]))
    small = np.logspace(-9, -2, 30)
    shares = np.unique(np.concatenate([small, 1 - small, np.linspace(0, 1, 161)]))
    return domain.low + (domain.high - domain.low) * shares


def _axis(subject: Subject, target: Target) -> Line:
    shape = subject.shape
    center = float(np.ravel(target.center)[0]) if subject.goal == "numbers" else 0.0
    return Line(target, np.zeros(shape), np.ones(shape), axis_steps(subject.domain, center))


def _round_line(subject: Subject, target: Target, rng: np.random.Generator, number: int) -> Line:
    shape, domain = subject.shape, subject.domain
    if domain.name == "simplex":
        return _from_corner(shape, target, rng)
    direction = rng.integers(-1, 2, shape).astype(float)
    if number % 2 == 0 or not direction.any():
        direction = np.zeros(shape)
        direction.flat[rng.integers(direction.size)] = 1.0
    if domain.name == "real":
        base = rng.integers(-8, 9, shape) / 4.0
        if subject.goal == "numbers":
            base = base + target.center
        return Line(target, base, direction, _WIDE_STEPS)
    low, high = domain.low, min(domain.high, PLAUSIBLE)
    base = np.zeros(shape) + low + (high - low) * rng.integers(1, 8, shape) / 8.0
    return _inside_box(target, base, direction, low, high)


def _random_line(subject: Subject, target: Target, rng: np.random.Generator) -> Line:
    domain = subject.domain
    if domain.name == "real":
        direction = rng.normal(size=subject.shape)
        direction /= np.linalg.norm(direction)
        base = domain.sample(rng, 1, target)[0] / 3
        return Line(target, base, direction, _WIDE_STEPS)
    a, b = domain.sample(rng, 2, target)
    return Line(target, a, b - a, np.linspace(0, 1, _COUNT))


def _from_corner(shape: tuple[int, ...], target: Target, rng: np.random.Generator) -> Line:
    """Returns a line from a corner of the simplex through its center."""
    corner = np.zeros(shape)
    corner[..., rng.integers(shape[-1])] = 1.0
    middle = np.full(shape, 1.0 / shape[-1])
    return Line(target, corner, 2 * (middle - corner) * 0.75, np.linspace(0, 2 / 3, _COUNT))


def _inside_box(target: Target, base: Array, direction: Array, low: float, high: float) -> Line:
    """Returns the part of a line for which all predictions lie between two bounds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(low - base) / direction, (high - base) / direction])
    ends = np.where(direction == 0, np.array([-np.inf, np.inf]).reshape(2, *(1,) * base.ndim), ends)
    first, last = ends.min(0).max(), ends.max(0).min()
    return Line(target, base, direction, np.linspace(first, last, _COUNT))

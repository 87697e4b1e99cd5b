"""Lines through the prediction domain, along which switching operations are looked for."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import EXTREME, PLAUSIBLE, Domain, Target
from landscape.audit.measure.subject import Subject

Array = np.ndarray
_ALONG = 81
_REACH = 60.0


class Line(NamedTuple):
    """The points `base + step * direction`."""

    target: Target
    base: Array
    direction: Array
    steps: Array

    def at(self, steps: Array) -> Array:
        """The points at these steps, `(n, *shape)`."""
        return self.base + steps.reshape(-1, *(1,) * self.base.ndim) * self.direction


def lines(subject: Subject, rng: np.random.Generator, count: int = 6) -> Iterator[Line]:
    """Through every target: the whole axis for one prediction, else lines with round coordinates,
    on which ties are met exactly, and random ones."""
    for target in _some(subject.targets):
        if subject.size == 1:
            yield _axis(subject, target)
            continue
        for number in range(count):
            yield _round(subject, target, rng, number)
            yield _random(subject, target, rng)


def _some(targets: list[Target]) -> list[Target]:
    return [targets[0], *targets[1:-1][:2], targets[-1]] if len(targets) > 1 else targets


def axis_steps(domain: Domain, center: float) -> Array:
    """Where one prediction is looked at: dense where it is plausible, in decades far away."""
    decades = np.logspace(-5, np.log10(EXTREME), 64)
    if domain.name == "real":
        around = np.concatenate([-decades, [0.0], decades]) + center
        return np.unique(np.concatenate([around, np.linspace(-12, 12, 193)]))
    if domain.name == "positive":
        return np.unique(np.concatenate([[0.0], decades, np.linspace(0, PLAUSIBLE, 161)]))
    small = np.logspace(-9, -2, 30)
    return np.unique(np.concatenate([small, 1 - small, np.linspace(0, 1, 161)]))


def _axis(subject: Subject, target: Target) -> Line:
    shape = subject.shape
    center = float(np.ravel(target.value)[0]) if subject.task == "regression" else 0.0
    return Line(target, np.zeros(shape), np.ones(shape), axis_steps(subject.domain, center))


def _round(subject: Subject, target: Target, rng: np.random.Generator, number: int) -> Line:
    shape, domain = subject.shape, subject.domain
    if domain.name == "simplex":
        return _edge(shape, target, rng)
    direction = rng.integers(-1, 2, shape).astype(float)
    if number % 2 == 0 or not direction.any():
        direction = np.zeros(shape)
        direction.flat[rng.integers(direction.size)] = 1.0
    if domain.name == "real":
        base = rng.integers(-8, 9, shape) / 4.0
        if subject.task == "regression":
            base = base + target.value
        return Line(target, base, direction, _spread())
    low, high = domain.low, min(domain.high, PLAUSIBLE)
    base = np.zeros(shape) + low + (high - low) * rng.integers(1, 8, shape) / 8.0
    return _inside(target, base, direction, low, high)


def _random(subject: Subject, target: Target, rng: np.random.Generator) -> Line:
    domain = subject.domain
    if domain.name == "real":
        direction = rng.normal(size=subject.shape)
        direction /= np.linalg.norm(direction)
        base = domain.sample(rng, 1, target)[0] / 3
        return Line(target, base, direction, _spread())
    a, b = domain.sample(rng, 2, target)
    return Line(target, a, b - a, np.linspace(0, 1, _ALONG))


def _edge(shape: tuple[int, ...], target: Target, rng: np.random.Generator) -> Line:
    """From one corner of the simplex to another, through its inside."""
    corner = np.zeros(shape)
    corner[..., rng.integers(shape[-1])] = 1.0
    middle = np.full(shape, 1.0 / shape[-1])
    return Line(target, corner, 2 * (middle - corner) * 0.75, np.linspace(0, 2 / 3, _ALONG))


def _inside(target: Target, base: Array, direction: Array, low: float, high: float) -> Line:
    """The part of a line that lies in a box."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(low - base) / direction, (high - base) / direction])
    ends = np.where(direction == 0, np.array([-np.inf, np.inf]).reshape(2, *(1,) * base.ndim), ends)
    first, last = ends.min(0).max(), ends.max(0).min()
    return Line(target, base, direction, np.linspace(first, last, _ALONG))


def _spread() -> Array:
    wide = np.sinh(np.linspace(-5, 5, _ALONG))
    return wide * (_REACH / wide[-1])

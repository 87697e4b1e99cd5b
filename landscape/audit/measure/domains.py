"""Domains of predictions, and the targets of a loss."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import UserError, nearest

Array = np.ndarray
Draw = Callable[[np.random.Generator, int, "Target"], Array]
DOMAINS = ("real", "unit", "simplex", "positive", "symmetric")
PLAUSIBLE = 10.0  # logits and errors up to here occur in any training,
FAR = 30.0  # and up to here in a bad one
EXTREME = 1e4
_BOUNDS = {"unit": (0.0, 1.0), "simplex": (0.0, 1.0), "symmetric": (-1.0, 1.0)}


class Arguments(NamedTuple):
    """Targets and the further arrays that a loss takes by name, such as weights."""

    values: Array
    fields: dict[str, Array]


class Target(NamedTuple):
    """A target with its name, and the direction `away` from right predictions to wrong ones.

    For numbers both directions are wrong. `fields` are further arrays, by the names of arguments.
    `ignored`: only whether value and gradient are finite is judged, as for a missing target; if it
    is `partial`, the rest of the targets is usual.
    """

    name: str
    value: Array
    away: Array
    fields: Mapping[str, Array] = {}
    ignored: bool = False
    partial: bool = False

    @property
    def center(self) -> Array:
        """The value, with 0 where it is missing."""
        return np.nan_to_num(self.value)

    def cast(self, dtype: Any) -> Any:
        """Returns the value in a floating dtype, with its fields if there are any.

        Integers are unchanged.
        """
        value = _cast(self.value, dtype)
        if not self.fields:
            return value
        return Arguments(value, {name: _cast(v, dtype) for name, v in self.fields.items()})


def _cast(value: Array, dtype: Any) -> Array:
    value = np.asarray(value)
    return value.astype(dtype) if value.dtype.kind == "f" else value


class Domain(NamedTuple):
    """A domain of predictions, with the bounds of each component.

    `sample(rng, count, target)` draws plausible predictions `(count, *shape)`, `wide` those of a
    wider range. `fills` are numbers that all predictions may be equal to, such as the ends.
    """

    name: str
    low: float
    high: float
    sample: Draw
    wide: Draw
    fills: tuple[float, ...] = ()

    @property
    def bounded(self) -> bool:
        """Whether predictions have a lower and an upper bound."""
        return self.name in _BOUNDS

    @property
    def middle(self) -> float:
        """The prediction between the two sides of a classification."""
        return 0.5 if self.name in ("unit", "simplex", "positive") else 0.0


def domain(name: str, shape: tuple[int, ...], centered: bool) -> Domain:
    """Returns the domain of this name; on the reals, predictions may be centered at the target.

    Raises UserError if the name is unknown.
    """
    if name not in DOMAINS:
        raise UserError(f"unknown domain `{name}`", hint=nearest(name, DOMAINS))

    def uniform(low: float, high: float) -> Draw:
        def draw(rng: np.random.Generator, count: int, target: Target) -> Array:
            points = rng.uniform(low, high, (count, *shape))
            return points + target.center if centered and name == "real" else points

        return draw

    def simplex(rng: np.random.Generator, count: int, target: Target) -> Array:
        return rng.dirichlet(np.ones(shape[-1]), (count, *shape[:-1]))

    if name == "real":
        widths = uniform(-PLAUSIBLE, PLAUSIBLE), uniform(-FAR, FAR)
        return Domain(name, -np.inf, np.inf, *widths, (0.0, 1.0, -1.0))
    if name == "positive":
        draw = uniform(0, PLAUSIBLE)
        return Domain(name, 0.0, np.inf, draw, draw, (0.0, 1.0))
    low, high = _BOUNDS[name]
    if name == "simplex":
        return Domain(name, low, high, simplex, simplex, (1 / shape[-1],))
    draw = uniform(low, high)
    return Domain(name, low, high, draw, draw, (low, (low + high) / 2, high))


def boxes(shape: tuple[int, ...]) -> Domain:
    """Returns the domain of boxes by their corners (left, top, right, bottom).

    They are also boxes by center and size: all sizes are positive. No box has equal numbers.
    """

    def around(distance: float) -> Draw:
        def draw(rng: np.random.Generator, count: int, target: Target) -> Array:
            corner = target.value[..., :2] + rng.uniform(
                -distance, distance, (count, *shape[:-1], 2)
            )
            size = rng.uniform(0.1, distance, corner.shape)
            return np.concatenate([corner, np.maximum(corner, 0) + size], -1)

        return draw

    return Domain("real", -np.inf, np.inf, around(PLAUSIBLE), around(FAR))


def is_degenerate(target: Target) -> bool:
    """Whether a batch of several has nothing to compare: equal targets, or all of them ignored."""
    if target.ignored:
        return not target.partial
    value = np.asarray(target.value)
    return value.ndim > 0 and len(value) > 1 and bool((value == value[:1]).all())


def wrong(goal: str, domain: Domain, points: Array, target: Target) -> Array:
    """Returns which predictions, `(count, *shape)`, are mispredictions of the target.

    In classification more than half of the classes are wrong; a number is off by more than 1, or
    1/2 on a bounded domain. Without a right prediction, all of them count.
    """
    axes = tuple(range(1, points.ndim))
    if goal == "classes":
        chosen, right = points.argmax(-1), target.away.argmin(-1)
        return np.mean(chosen != right, axis=tuple(range(1, chosen.ndim))) > 0.5
    if goal == "sides":
        return np.mean((points > domain.middle) != (target.away < 0), axis=axes) > 0.5
    if goal == "order":
        return (points * target.away).sum(axes) > 0
    if goal == "numbers":
        limit = 0.5 if domain.bounded else 1.0
        return np.max(np.abs(points - target.value), axis=axes) > limit
    return np.ones(len(points), bool)

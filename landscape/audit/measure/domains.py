"""Where predictions live, and what targets meet them: the points that an audit looks at."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import UserError, nearest

Array = np.ndarray
DOMAINS = ("real", "unit", "simplex", "positive")
PLAUSIBLE = 10.0  # logits and errors up to here are met in any training
FAR = 30.0  # and up to here in a bad one
EXTREME = 1e4
CLASSES, MASK = 4, (3, 4)


class Target(NamedTuple):
    """One target: the array, its name for a reader, and the most wrong way to miss it.

    `away` points from right to wrong; for regression both ways are wrong.
    """

    name: str
    value: Array
    away: Array

    def cast(self, dtype: Any) -> Array:
        """Returns the value in a floating dtype; integer labels are unchanged."""
        value = np.asarray(self.value)
        return value.astype(dtype) if value.dtype.kind == "f" else value


class Domain(NamedTuple):
    """`sample(rng, count, target)` draws plausible predictions, `(count, *shape)`; `low` and `high`
    bound each component."""

    name: str
    low: float
    high: float
    sample: Callable[[np.random.Generator, int, Target], Array]
    wide: Callable[[np.random.Generator, int, Target], Array]


def domain(name: str, shape: tuple[int, ...], centered: bool) -> Domain:
    """The domain of that name; `centered`: predictions are spread around the target."""
    if name not in DOMAINS:
        raise UserError(f"there is no domain `{name}`", hint=nearest(name, DOMAINS))

    def spread(width: float) -> Callable[[np.random.Generator, int, Target], Array]:
        def sample(rng: np.random.Generator, count: int, target: Target) -> Array:
            around = rng.uniform(-width, width, (count, *shape))
            return around + target.value if centered else around

        return sample

    def unit(rng: np.random.Generator, count: int, target: Target) -> Array:
        return rng.uniform(0, 1, (count, *shape))

    def simplex(rng: np.random.Generator, count: int, target: Target) -> Array:
        return rng.dirichlet(np.ones(shape[-1]), (count, *shape[:-1]))

    def positive(rng: np.random.Generator, count: int, target: Target) -> Array:
        return rng.uniform(0, PLAUSIBLE, (count, *shape))

    bounds = {"real": (-np.inf, np.inf), "positive": (0.0, np.inf)}.get(name, (0.0, 1.0))
    if name == "real":
        return Domain(name, *bounds, spread(PLAUSIBLE), spread(FAR))
    found = {"unit": unit, "simplex": simplex, "positive": positive}[name]
    return Domain(name, *bounds, found, found)


def targets(task: str | None, form: str, shape: tuple[int, ...], name: str) -> list[Target]:
    """Targets as they occur, and as they break things: zero, empty, full.

    `shape` is that of one example, `(rows, …)`.
    """
    rng = np.random.default_rng(7)
    if task is None:
        return [Target("", np.zeros(()), np.ones(shape))]
    if task == "regression":
        return _regression(shape, name)
    if task == "binary":
        return _binary(form, shape, rng)
    if task == "multiclass":
        return _multiclass(form, shape, rng)
    return _masks(shape, rng)


def _regression(shape: tuple[int, ...], name: str) -> list[Target]:
    values = {"real": (1.5, 0.0, -2.0), "positive": (1.5, 4.0, 0.0)}.get(name, (0.25, 1.0, 0.0))
    if name == "simplex":
        corner = np.zeros(shape)
        corner[..., 0] = 1.0
        mixed = np.arange(1.0, shape[-1] + 1) / np.arange(1.0, shape[-1] + 1).sum()
        return [
            Target("corner", corner, 1 - 2 * corner),
            Target("mixed", np.broadcast_to(mixed, shape).copy(), np.ones(shape)),
        ]
    found = [Target(f"target {v:g}", np.full(shape, v), np.ones(shape)) for v in values]
    if shape[0] > 1:
        found = found[:1]  # equal targets, as they break a variance
    if np.prod(shape) > 1:
        varied = np.linspace(-1, 2, int(np.prod(shape))).reshape(shape)
        varied = np.clip(varied, 0.1, 0.9) if name == "unit" else varied
        varied = np.abs(varied) + 0.1 if name == "positive" else varied
        found.insert(0, Target("varied targets", varied, np.ones(shape)))
        found.append(Target("mirrored targets", varied[::-1].copy(), np.ones(shape)))
    return found


def _binary(form: str, shape: tuple[int, ...], rng: np.random.Generator) -> list[Target]:
    low = -1.0 if form == "signed" else 0.0
    sign = {1.0: -1.0, low: 1.0}
    found = [Target(f"target {v:g}", np.full(shape, v), np.full(shape, sign[v])) for v in sign]
    if np.prod(shape) > 1:
        mixed = np.where(np.arange(np.prod(shape)).reshape(shape) % 2 == 0, 1.0, low)
        found.insert(0, Target("mixed targets", mixed, np.where(mixed == 1.0, -1.0, 1.0)))
    return found


def _multiclass(form: str, shape: tuple[int, ...], rng: np.random.Generator) -> list[Target]:
    rows, classes = shape
    found = []
    for first in range(classes):
        labels = (first + np.arange(rows) // 2) % classes  # pairs, as contrastive losses need
        onehot = np.eye(classes)[labels]
        away = np.where(onehot == 1, -1.0, 1.0)
        value = labels.astype(np.int32) if form == "labels" else onehot
        found.append(Target(f"class {first}", value, away))
    return found


def _masks(shape: tuple[int, ...], rng: np.random.Generator) -> list[Target]:
    half = (rng.permutation(int(np.prod(shape))).reshape(shape) % 2).astype(float)
    one = np.zeros(shape)
    one[(0,) * len(shape)] = 1.0
    masks = {"half mask": half, "empty mask": np.zeros(shape), "full mask": np.ones(shape)}
    masks["one pixel"] = one
    return [Target(name, mask, 1 - 2 * mask) for name, mask in masks.items()]


def wrong(task: str | None, form: str, name: str, points: Array, target: Target) -> Array:
    """Which predictions, `(count, *shape)`, are mispredictions of the target.

    Classification: the wrong side or the wrong largest class for most; regression: off by over 1
    (by over 1/2 on probabilities).
    """
    middle = 0.0 if name == "real" else 0.5
    axes = tuple(range(1, points.ndim))
    if task == "multiclass":
        chosen = points.argmax(-1)
        right = target.value if form == "labels" else target.value.argmax(-1)
        return np.mean(chosen != right, axis=tuple(range(1, chosen.ndim))) > 0.5
    if task in ("binary", "segmentation"):
        return np.mean((points > middle) != (target.away < 0), axis=axes) > 0.5
    if task == "regression":
        limit = 1.0 if name in ("real", "positive") else 0.5
        return np.max(np.abs(points - target.value), axis=axes) > limit
    return np.ones(len(points), bool)


def example_shape(task: str, rows: int, classes: int) -> tuple[int, ...]:
    """The shape of the predictions of `rows` examples of a task."""
    return {
        "regression": (rows,),
        "binary": (rows,),
        "multiclass": (rows, classes),
        "segmentation": (rows, *MASK),
    }[task]


def batch(task: str, form: str, domain: str, rows: int, classes: int) -> tuple[Array, Array]:
    """Predictions and targets of a batch of `rows` examples, drawn at random, float32."""
    rng = np.random.default_rng(11)
    shape = example_shape(task, rows, classes)
    predictions = rng.normal(size=shape)
    if domain != "real":
        predictions = rng.uniform(0.05, 0.95, shape)
        if domain == "simplex" and len(shape) > 1:
            predictions = predictions / predictions.sum(-1, keepdims=True)
    if task == "multiclass":
        labels = rng.integers(classes, size=rows)
        values = labels.astype(np.int32) if form == "labels" else np.eye(classes)[labels]
    elif task == "regression":
        values = rng.normal(size=shape) if domain == "real" else rng.uniform(0.05, 0.95, shape)
    else:
        values = rng.integers(2, size=shape).astype(float)
        values = 2 * values - 1 if form == "signed" else values
    given = values if form == "labels" else values.astype(np.float32)
    return predictions.astype(np.float32), given

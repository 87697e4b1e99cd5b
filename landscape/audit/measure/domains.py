"""Domains of predictions, and the targets and batches of each task."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import UserError, nearest

Array = np.ndarray
Draw = Callable[[np.random.Generator, int, "Target"], Array]
DOMAINS = ("real", "unit", "simplex", "positive")
PLAUSIBLE = 10.0  # logits and errors up to here occur in any training,
FAR = 30.0  # and up to here in a bad one
EXTREME = 1e4
CLASSES, MASK = 4, (3, 4)


class Target(NamedTuple):
    """A target with its name, and the direction `away` from right predictions to wrong ones.

    For regression both directions are wrong.
    """

    name: str
    value: Array
    away: Array

    def cast(self, dtype: Any) -> Array:
        """Returns the value in a floating dtype; integer labels are unchanged."""
        value = np.asarray(self.value)
        return value.astype(dtype) if value.dtype.kind == "f" else value


class Domain(NamedTuple):
    """A domain of predictions, with the bounds of each component.

    `sample(rng, count, target)` draws plausible predictions `(count, *shape)`, `wide` those of a
    wider range.
    """

    name: str
    low: float
    high: float
    sample: Draw
    wide: Draw


def domain(name: str, shape: tuple[int, ...], centered: bool) -> Domain:
    """Returns the domain of this name; on the reals, predictions may be centered at the target.

    Raises UserError if the name is unknown.
    """
    if name not in DOMAINS:
        raise UserError(f"unknown domain `{name}`", hint=nearest(name, DOMAINS))

    def uniform(low: float, high: float) -> Draw:
        def draw(rng: np.random.Generator, count: int, target: Target) -> Array:
            points = rng.uniform(low, high, (count, *shape))
            return points + target.value if centered and name == "real" else points

        return draw

    def simplex(rng: np.random.Generator, count: int, target: Target) -> Array:
        return rng.dirichlet(np.ones(shape[-1]), (count, *shape[:-1]))

    if name == "real":
        widths = uniform(-PLAUSIBLE, PLAUSIBLE), uniform(-FAR, FAR)
        return Domain(name, -np.inf, np.inf, *widths)
    if name == "positive":
        return Domain(name, 0.0, np.inf, *[uniform(0, PLAUSIBLE)] * 2)
    return Domain(name, 0.0, 1.0, *[simplex if name == "simplex" else uniform(0, 1)] * 2)


def targets(task: str | None, form: str, shape: tuple[int, ...], name: str) -> list[Target]:
    """Returns typical targets and critical ones, such as zero, empty and full masks.

    `shape` is that of the predictions, `(rows, ...)`, and `name` that of their domain.
    """
    if task is None:
        return [Target("", np.zeros(()), np.ones(shape))]
    if task == "regression":
        return _regression(shape, name)
    if task == "binary":
        return _binary(form, shape)
    return _multiclass(form, shape) if task == "multiclass" else _masks(shape)


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
    targets = [Target(f"target {v:g}", np.full(shape, v), np.ones(shape)) for v in values]
    if shape[0] > 1:
        targets = targets[:1]  # equal targets, as they break a variance
    if np.prod(shape) > 1:
        varied = np.linspace(-1, 2, int(np.prod(shape))).reshape(shape)
        varied = np.clip(varied, 0.1, 0.9) if name == "unit" else varied
        varied = np.abs(varied) + 0.1 if name == "positive" else varied
        targets.insert(0, Target("varied targets", varied, np.ones(shape)))
        targets.append(Target("mirrored targets", varied[::-1].copy(), np.ones(shape)))
    return targets


def _binary(form: str, shape: tuple[int, ...]) -> list[Target]:
    low = -1.0 if form == "signed" else 0.0
    numbers = np.arange(np.prod(shape)).reshape(shape)
    values = {f"target {v:g}": np.full(shape, v) for v in (1.0, low)}
    if np.prod(shape) > 1:
        mixed = {
            "mixed targets": np.where(numbers % 2 == 0, 1.0, low),
            "one positive": np.where(numbers == 1, 1.0, low),
        }
        values = mixed | values
    return [Target(name, v, np.where(v == 1.0, -1.0, 1.0)) for name, v in values.items()]


def has_equal_rows(target: Target) -> bool:
    """Whether all examples of a batch of several have the same target."""
    value = np.asarray(target.value)
    return value.ndim > 0 and len(value) > 1 and bool((value == value[:1]).all())


def _multiclass(form: str, shape: tuple[int, ...]) -> list[Target]:
    rows, classes = shape
    targets = []
    for first in range(classes):
        labels = (first + np.arange(rows) // 2) % classes  # pairs, as contrastive losses need
        targets.append(of_labels(f"class {first}", labels, form, classes))
    if rows > 1:
        targets.append(of_labels("class 0 only", np.zeros(rows, int), form, classes))
    return targets


def of_labels(name: str, labels: Array, form: str, classes: int) -> Target:
    """Returns a target of a class per row, one-hot or as labels."""
    onehot = np.eye(classes)[labels]
    value = labels.astype(np.int32) if form == "labels" else onehot
    return Target(name, value, np.where(onehot == 1, -1.0, 1.0))


def _masks(shape: tuple[int, ...]) -> list[Target]:
    order = np.random.default_rng(7).permutation(int(np.prod(shape))).reshape(shape)
    pixel = np.zeros(shape)
    pixel.flat[0] = 1.0
    masks = {"half mask": (order % 2).astype(float), "empty mask": np.zeros(shape)}
    masks |= {"full mask": np.ones(shape), "one pixel": pixel}
    return [Target(name, mask, 1 - 2 * mask) for name, mask in masks.items()]


def wrong(task: str | None, form: str, name: str, points: Array, target: Target) -> Array:
    """Returns which predictions, `(count, *shape)`, are mispredictions of the target.

    In classification more than half of the classes are wrong; in regression a prediction is off by
    more than 1, or 1/2 on probabilities. `name` is that of the domain.
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
    """Returns the shape of the predictions of `rows` examples of a task."""
    return (rows, *{"multiclass": (classes,), "segmentation": MASK}.get(task, ()))


def batch(task: str, form: str, domain: str, rows: int, classes: int) -> tuple[Array, Array]:
    """Returns random predictions and targets of a batch of `rows` examples, in float32."""
    rng = np.random.default_rng(11)
    shape = example_shape(task, rows, classes)
    labeled = task == "multiclass" and form == "labels"
    predictions = rng.normal(size=shape)
    if domain != "real":
        predictions = rng.uniform(0.05, 0.95, shape)
        if domain == "simplex" and len(shape) > 1:
            predictions = predictions / predictions.sum(-1, keepdims=True)
    if task == "multiclass":
        labels = rng.integers(classes, size=rows)
        values = labels if labeled else np.eye(classes)[labels]
    elif task == "regression":
        values = rng.normal(size=shape) if domain == "real" else rng.uniform(0.05, 0.95, shape)
    else:
        values = rng.integers(2, size=shape)
        values = 2 * values - 1 if form == "signed" else values
    return predictions.astype(np.float32), values.astype(np.int32 if labeled else np.float32)

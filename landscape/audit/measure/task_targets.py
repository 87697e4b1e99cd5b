"""Typical and critical targets of each kind, and random ones.

Functions `..._targets(layout)` return the audited targets, and `random_...(rng, layout)` those of a
random batch.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from landscape.audit.measure.domains import Target

Array = np.ndarray
IDENTITIES = 3
RELEVANCE = (2.0, 0.0, 1.0, 1.0, 0.0, 3.0)
TIMES = (1.5, 0.4, 2.0, 3.0, 0.7, 1.1)
EVENTS = (1.0, 1.0, 0.0, 1.0, 0.0, 1.0)


class Layout(NamedTuple):
    """Shape of predictions, `(rows, ...)`, name of their domain, form and range of targets."""

    shape: tuple[int, ...]
    form: str = "auto"
    domain: str = "real"
    target_range: tuple[float, float] | None = None


def _as_target(
    draw: Callable[[np.random.Generator, Layout], Array],
) -> Callable[[np.random.Generator, Layout], Target]:
    """Decorates a function that returns the values of targets."""

    @wraps(draw)
    def drawn(rng: np.random.Generator, layout: Layout) -> Target:
        values = draw(rng, layout)
        return Target("random targets", values, values)

    return drawn


def number_targets(layout: Layout) -> list[Target]:
    """Returns equal and varied numbers."""
    shape, name = layout.shape, layout.domain
    if layout.target_range is not None:
        low, high = layout.target_range
        return _equal_and_varied(shape, ((low + high) / 2, high, low), (low, high))
    if name == "simplex":
        corner = np.zeros(shape)
        corner[..., 0] = 1.0
        mixed = np.arange(1.0, shape[-1] + 1) / np.arange(1.0, shape[-1] + 1).sum()
        return [
            Target("corner", corner, 1 - 2 * corner),
            Target("mixed", np.broadcast_to(mixed, shape).copy(), np.ones(shape)),
        ]
    values = {"real": (1.5, 0.0, -2.0), "positive": (1.5, 4.0, 0.0), "symmetric": (0.25, 1.0, -1.0)}
    ranges = {"real": (-1.0, 2.0), "positive": (0.1, 2.1), "symmetric": (-0.9, 0.9)}
    return _equal_and_varied(
        shape, values.get(name, (0.25, 1.0, 0.0)), ranges.get(name, (0.1, 0.9))
    )


def _equal_and_varied(
    shape: tuple[int, ...], values: tuple[float, ...], ends: tuple[float, float]
) -> list[Target]:
    """Returns equal targets; several predictions also get varied targets between both ends."""
    targets = [Target(f"target {v:g}", np.full(shape, v), np.ones(shape)) for v in values]
    if shape[0] > 1:
        targets = targets[:1]  # equal targets, as they break a variance
    if np.prod(shape) > 1:
        varied = np.linspace(*ends, int(np.prod(shape))).reshape(shape)
        targets.insert(0, Target("varied targets", varied, np.ones(shape)))
        mirrored = varied[::-1] if shape[0] > 1 else np.flip(varied)
        targets.append(Target("mirrored targets", mirrored.copy(), np.ones(shape)))
    return targets


@_as_target
def random_numbers(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random numbers."""
    if layout.target_range is not None:
        return rng.uniform(*layout.target_range, layout.shape)
    if layout.domain == "real":
        return rng.normal(size=layout.shape)
    return rng.uniform(-0.95 if layout.domain == "symmetric" else 0.05, 0.95, layout.shape)


def side_targets(layout: Layout) -> list[Target]:
    """Returns labels of both sides, alone and mixed."""
    shape, low = layout.shape, -1.0 if layout.form == "signed" else 0.0
    numbers = np.arange(np.prod(shape)).reshape(shape)
    shifts = np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)) if len(shape) > 1 else 0
    values = {f"target {v:g}": np.full(shape, v) for v in (1.0, low)}
    if np.prod(shape) > 1:
        mixed = {
            "mixed targets": np.where((numbers + shifts) % 2 == 0, 1.0, low),
            "one positive": np.where(numbers == 1, 1.0, low),
        }
        values = mixed | values
    return [Target(name, v, np.where(v == 1.0, -1.0, 1.0)) for name, v in values.items()]


@_as_target
def random_sides(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random sides."""
    values = rng.integers(2, size=layout.shape).astype(float)
    return 2 * values - 1 if layout.form == "signed" else values


def mask_targets(layout: Layout) -> list[Target]:
    """Returns half, empty and full masks, and one pixel."""
    shape = layout.shape
    order = np.random.default_rng(7).permutation(int(np.prod(shape))).reshape(shape)
    pixel = np.zeros(shape)
    pixel.flat[0] = 1.0
    masks = {"half mask": (order % 2).astype(float), "empty mask": np.zeros(shape)}
    masks |= {"full mask": np.ones(shape), "one pixel": pixel}
    return [Target(name, mask, 1 - 2 * mask) for name, mask in masks.items()]


def multilabel_targets(layout: Layout) -> list[Target]:
    """Returns labels of an example that has several, or none."""
    names = {"target 1": "all labels", "target 0": "no label", "one positive": "one label"}
    return [t._replace(name=names.get(t.name, "half of the labels")) for t in side_targets(layout)]


def class_targets(layout: Layout) -> list[Target]:
    """Returns every class, one-hot or as labels."""
    rows, *places, classes = layout.shape
    targets = []
    count = int(np.prod([rows, *places]))
    for first in range(classes):
        pairs = np.arange(count) // (2 if rows > 1 else 1)  # as contrastive losses need
        labels = ((first + pairs) % classes).reshape(rows, *places)
        name = f"class {first}" if not places else f"classes from {first}"
        targets.append(of_labels(name, labels, layout.form, classes))
    if count > 1:
        equal = np.zeros((rows, *places), int)
        targets.append(of_labels("class 0 only", equal, layout.form, classes))
    return targets


def all_classes(shape: tuple[int, ...], form: str) -> Target:
    """Returns the target of predictions (shape) in which the classes take turns."""
    *places, classes = shape
    labels = np.arange(np.prod(places)).reshape(places) % classes
    return of_labels("all classes", labels, form, classes)


def of_labels(name: str, labels: Array, form: str, classes: int) -> Target:
    """Returns a target of a class per row, one-hot or as labels."""
    onehot = np.eye(classes)[labels]
    value = labels.astype(np.int32) if form == "labels" else onehot
    return Target(name, value, np.where(onehot == 1, -1.0, 1.0))


@_as_target
def random_classes(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random classes."""
    labels = rng.integers(layout.shape[-1], size=layout.shape[:-1])
    return labels.astype(np.int32) if layout.form == "labels" else np.eye(layout.shape[-1])[labels]


def threshold_targets(layout: Layout) -> list[Target]:
    """Returns labels k, for which the first k outputs are positive."""
    rows, outputs = layout.shape
    targets = []
    for first in range(outputs + 1):
        labels = (first + np.arange(rows)) % (outputs + 1)
        above = labels[:, None] > np.arange(outputs)
        value = labels.astype(np.int32)
        targets.append(Target(f"class {first}", value, np.where(above, -1.0, 1.0)))
    return targets


@_as_target
def random_thresholds(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random thresholds."""
    return rng.integers(layout.shape[-1] + 1, size=layout.shape[0]).astype(np.int32)


def box_targets(layout: Layout) -> list[Target]:
    """Returns boxes (left, top, right, bottom), which are boxes by center and size as well."""
    rows = layout.shape[0]
    corners = {"small box": (1, 2, 2, 3.5), "large box": (-4, -3, 5, 6), "flat box": (0, 1, 8, 2)}
    targets = []
    for name, box in corners.items():
        value = np.array(box) + np.zeros((rows, 1))
        if layout.target_range is not None:
            low, high = layout.target_range
            value = low + (high - low) * (value + 4) / 12
        targets.append(Target(name, value, np.ones(layout.shape)))
    return targets


@_as_target
def random_boxes(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random boxes."""
    kinds = np.concatenate([target.value[:1] for target in box_targets(layout)])
    return kinds[rng.integers(len(kinds), size=layout.shape[0])]


def scalar_targets(layout: Layout) -> list[Target]:
    """Returns one number per example, for a head of several outputs; only the first moves."""
    shape, rows = layout.shape, layout.shape[0]
    low, high = layout.target_range or (-2.0, 1.5)
    away = np.zeros(shape)
    away[..., 0] = 1.0
    values = {f"target {v:g}": np.full(rows, v) for v in (high, (low + high) / 3, low)}
    if rows > 1:
        values = {"varied targets": np.linspace(low, high, rows)} | values
    return [Target(name, value, away) for name, value in values.items()]


@_as_target
def random_scalars(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random scalars."""
    low, high = layout.target_range or (-2.0, 2.0)
    return rng.uniform(low, high, layout.shape[0])


def identity_targets(layout: Layout) -> list[Target]:
    """Returns labels of a batch with pairs, with one class only, and without any pair."""
    rows = np.arange(layout.shape[0])
    labels = {"pairs": rows // 2, "alternating": rows % 2, "class 0 only": 0 * rows}
    labels["no pairs"] = rows
    away = np.ones(layout.shape)
    return [
        Target(name, v.astype(np.int32), away, ignored=name == "no pairs")
        for name, v in labels.items()
    ]


@_as_target
def random_identities(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random identities, few enough that parts of a batch have pairs."""
    return rng.permutation(np.arange(layout.shape[0]) // 2 % IDENTITIES).astype(np.int32)


def _rows_of(name: str, values: Any, layout: Layout, **fields: Any) -> Target:
    rows = layout.shape[0]
    arrays = {key: np.resize(np.asarray(v, float), rows) for key, v in fields.items()}
    value = np.resize(np.asarray(values, float), rows)
    return Target(name, value, np.ones(layout.shape), arrays)


def _ordered(target: Target, sign: float) -> Target:
    """Returns a target of which right predictions rise (`sign` 1) or fall (-1) with the values."""
    centered = target.value - target.value.mean()
    if not centered.any():
        return target
    return target._replace(away=-sign * centered / np.abs(centered).max())


def relevance_targets(layout: Layout) -> list[Target]:
    """Returns relevances of ranked items."""
    targets = [
        _rows_of("relevances", RELEVANCE, layout),
        _rows_of("mirrored relevances", RELEVANCE[::-1], layout),
        _rows_of("one relevant", (0, 1, 0, 0, 0, 1), layout),
        _rows_of("relevance 0 only", (0,), layout),
    ]
    return [_ordered(target, 1.0) for target in targets]


@_as_target
def random_relevances(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random relevances."""
    return rng.integers(4, size=layout.shape[0]).astype(float)


def survival_targets(layout: Layout) -> list[Target]:
    """Returns times with their events."""
    targets = [
        _rows_of("times", TIMES, layout, events=EVENTS),
        _rows_of("mirrored times", TIMES[::-1], layout, events=(1,)),
        _rows_of("time 1 only", (1,), layout, events=(1,)),
        _rows_of("no events", TIMES, layout, events=(0,))._replace(ignored=True),
    ]
    return [_ordered(target, -1.0) for target in targets]


@_as_target
def random_times(rng: np.random.Generator, layout: Layout) -> Array:
    """Returns random times."""
    return rng.uniform(0.1, 4.0, layout.shape[0])

"""The losses of all menus, and how the predictions, targets and fields of a task are drawn."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from landscape.parts.losses import (
    binary,
    boxes,
    distribution,
    embedding,
    multiclass,
    multilabel,
    ordinal,
    ranking,
    regression,
    segmentation,
    sequence,
    survival,
)

MODULES = (
    regression,
    distribution,
    binary,
    multiclass,
    ordinal,
    multilabel,
    segmentation,
    boxes,
    embedding,
    ranking,
    survival,
    sequence,
)
ONE_OBJECT = ("focal", "lovasz_hinge", "sigmoid_cross_entropy")
SEVERAL_CLASSES = ("lovasz_softmax", "softmax_cross_entropy")
# Shapes of predictions; those of a task, unless the loss has its own.
SHAPES = {
    "regression": [(6,), (6, 3)],
    "distribution": [(6, 2)],
    "distribution/pinball": [(6, 3)],
    "distribution/mixture_nll": [(6, 6)],
    "binary": [(6,), (6, 3)],
    "multiclass": [(6, 4)],
    "ordinal": [(6, 4)],
    "multilabel": [(6, 3)],
    "segmentation": [(6, 5, 4), (6, 5, 4, 3)],
    **{f"segmentation/{name}": [(6, 5, 4)] for name in ONE_OBJECT},
    **{f"segmentation/{name}": [(6, 5, 4, 3)] for name in SEVERAL_CLASSES},
    "boxes": [(6, 4)],
    "embedding": [(8, 3)],
    "ranking": [(8,)],
    "survival": [(8,)],
    "sequence": [(4, 5, 3)],
}
LABELS = ("ordinal", "embedding", "sequence")  # targets are integers
NUMBERS = ("regression", "distribution", "boxes", "ranking", "survival")  # targets are quantities
# Options under which the formula is another one than under the defaults.
VARIANTS = {
    "regression/huber": [{"delta": 0.3}],
    "regression/quantile": [{"level": 0.9}],
    "regression/barron": [
        {"alpha": alpha, "scale": 0.7}
        for alpha in (2, 2 - 1e-7, 2.5, 0.5, 1e-12, 0.0, -1e-3, -2.0, -1e5, -np.inf)
    ],
    "binary/focal": [{"gamma": 0.0}, {"gamma": 0.5, "alpha": 0.25}],
    "multiclass/softmax_cross_entropy": [{"label_smoothing": 0.2}],
    "multiclass/focal": [{"gamma": 0.0}, {"gamma": 0.5}],
    "multiclass/logsumexp_margin": [{"temperature": 0.1}],
    "multiclass/generalized_cross_entropy": [{"q": 1.0}, {"q": 1e-6}],
    "segmentation/focal_tversky": [{"gamma": 0.5}, {"gamma": 3.0}],
    "segmentation/focal": [{"gamma": 0.5, "alpha": 0.25}],
    "multilabel/asymmetric": [{"margin": 0.0}, {"gamma_positive": 0.0, "gamma_negative": 0.5}],
    "boxes/ciou": [{"form": "center"}],
    "boxes/giou": [{"form": "center"}],
    "embedding/triplet": [{"mining": "all"}],
    "survival/cox": [{"ties": "breslow"}],
    "sequence/focal": [{"gamma": 0.5}],
}


class Batch(NamedTuple):
    """A batch of examples; `fields` are the further arrays that the loss takes, by name."""

    predictions: np.ndarray
    targets: np.ndarray
    fields: dict[str, np.ndarray]


class Case(NamedTuple):
    """A loss with options. `optional`: it gets the fields that it can do without, too."""

    name: str
    loss: Callable[..., Any]
    shape: tuple[int, ...]
    optional: bool

    @property
    def task(self) -> str:
        return self.name.split("/")[0]

    def draw(self, dtype: type = np.float32, seed: int = 0, size: int | None = None) -> Batch:
        """Returns random examples, `size` of them or as many as the shape has."""
        rng = np.random.default_rng(seed)
        shape = self.shape if size is None else (size, *self.shape[1:])
        predictions = 2 * rng.normal(size=shape)
        targets = _targets(self.task, shape, rng)
        if self.task not in LABELS:
            targets = targets.astype(dtype)
        parameters = inspect.signature(self.loss).parameters
        fields = {
            name: values
            for name, values in _fields(targets).items()
            if name in parameters and (self.optional or parameters[name].default is not None)
        }
        return Batch(predictions.astype(dtype), targets, fields)


def _targets(task: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if task == "regression":
        return 2 * rng.normal(size=shape)
    if task == "distribution":
        return 2 * rng.normal(size=shape[0])
    if task == "multiclass":
        return np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
    if task in LABELS:
        return rng.integers(shape[-1], size=shape[:-1]).astype(np.int32)
    if task == "segmentation" and len(shape) == 4:
        return rng.integers(shape[-1], size=shape[:-1])
    if task == "boxes":
        low = rng.normal(size=(shape[0], 2))
        return np.concatenate([low, low + rng.uniform(0.5, 3, size=low.shape)], axis=1)
    if task == "ranking":
        return rng.integers(4, size=shape)
    if task == "survival":
        return rng.integers(1, 6, size=shape)  # some are tied
    return rng.integers(2, size=shape).astype(float)


def _fields(targets: np.ndarray) -> dict[str, np.ndarray]:
    numbers = np.arange(targets.size).reshape(targets.shape)
    return {
        "groups": (numbers // 4).astype(np.int32),
        "events": (numbers % 4 != 1).astype(np.float32),
        "mask": (numbers % 3 != 0).astype(np.float32),
    }


def right_and_wrong(case: Case, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Returns predictions of which the first could not be better and the second is bad."""
    targets, columns = batch.targets, case.shape[-1]
    if case.name == "ordinal/coral" or case.name == "ordinal/all_threshold_hinge":
        right = np.where(targets[:, None] > np.arange(columns), 100, -100)
        return right, -right
    if case.name == "ordinal/soft_ordinal_labels":
        distances = np.abs(np.arange(columns) - targets[:, None])
        return -2 * distances, 100 * distances
    if case.name == "ranking/listnet":
        return targets, -100 * targets
    match case.task:
        case "regression" | "boxes":
            return targets, targets + 100
        case "distribution":
            return _heads(case.name, targets, columns), _heads(case.name, targets + 100, columns)
        case "embedding":
            apart = np.eye(columns)
            return 100 * apart[targets], 100 * apart[np.arange(len(targets)) % columns]
        case "ranking" if case.name.endswith("pointwise_squared_error"):
            return targets, targets + 100
        case "ranking":
            return 100 * targets, -100 * targets
        case "survival":
            return -100 * targets, 100 * targets
        case "ordinal" | "sequence" | "segmentation" if targets.shape != batch.predictions.shape:
            hot = np.eye(columns)[targets.astype(int)]
            return 200 * hot - 100, 100 - 200 * hot
    return 100 * (2 * targets - 1), -100 * (2 * targets - 1)


def _heads(name: str, targets: np.ndarray, columns: int) -> np.ndarray:
    column = targets[:, None]
    if name.endswith("pinball"):
        return np.repeat(column, columns, axis=1)
    if name.endswith("mixture_nll"):
        means = np.repeat(column, columns // 3, axis=1)
        return np.concatenate([0 * means, means, 0 * means - 100], axis=1)
    return np.concatenate([column, 0 * column - 100], axis=1)


def public_functions(module: Any) -> dict[str, Callable[..., Any]]:
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }


LOSSES = {
    f"{module.__name__.rsplit('.', 1)[1]}/{name}": function
    for module in MODULES
    for name, function in public_functions(module).items()
}


def shapes(name: str) -> list[tuple[int, ...]]:
    return SHAPES.get(name, SHAPES[name.split("/")[0]])


def cases_of(task: str) -> list[Case]:
    """Returns the losses of a task with default options."""
    names = [name for name in LOSSES if name.split("/")[0] == task]
    return [Case(name, LOSSES[name], shapes(name)[-1], True) for name in names]


def _cases() -> Iterator[Any]:
    for name, loss in LOSSES.items():
        pairs: list[tuple[dict[str, Any], tuple[int, ...]]] = [({}, s) for s in shapes(name)]
        pairs += [(options, shapes(name)[-1]) for options in VARIANTS.get(name, [])]
        has_mask, one_shape = "mask" in inspect.signature(loss).parameters, len(shapes(name)) == 1
        for options, shape in pairs:
            # Of two shapes, the second is tried without a mask.
            masked = has_mask and (one_shape or shape == shapes(name)[0])
            case = Case(name, partial(loss, **options), shape, masked)
            yield pytest.param(case, id=f"{name}-{options}-{shape}")
        if has_mask and one_shape:
            case = Case(name, loss, shapes(name)[-1], False)
            yield pytest.param(case, id=f"{name}-without mask")


def _plain_cases() -> Iterator[Any]:
    for name, loss in LOSSES.items():
        yield pytest.param(Case(name, loss, shapes(name)[-1], True), id=name)


every_case = pytest.mark.parametrize("case", list(_cases()))
every_loss = pytest.mark.parametrize("case", list(_plain_cases()))

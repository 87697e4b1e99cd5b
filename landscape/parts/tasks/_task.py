"""The type of a task, and the functions that several tasks share. NumPy only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Shape = tuple[int, ...]
Fields = Mapping[str, np.ndarray]


class Examples(Protocol):
    """A split of a dataset, as far as a task reads it."""

    @property
    def targets(self) -> np.ndarray: ...


class Data(Protocol):
    """A dataset, as far as a task reads it."""

    @property
    def train(self) -> Examples: ...
    @property
    def outputs(self) -> int: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def class_count(self) -> int: ...


def shaped_like_targets(target_shape: Shape, outputs: int) -> Shape:
    """Returns the shape of a target: predictions and targets have the same."""
    return target_shape


def vector(target_shape: Shape, outputs: int) -> Shape:
    """Returns `(outputs,)`, and `()` for one output, as models with one output predict it."""
    return () if outputs == 1 else (outputs,)


def one_output(data: Data) -> int:
    """Returns 1."""
    return 1


def columns(data: Data) -> int:
    """Returns the number of numbers in a target, (n,) or (n, outputs)."""
    targets = data.train.targets
    return targets.shape[1] if targets.ndim == 2 else 1


def any_values(values: np.ndarray, fields: Fields) -> None:
    """Accepts all targets."""


def mean(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    """Returns the mean of the targets, in the shape of one."""
    average: np.ndarray = np.asarray(values.mean(axis=0), np.float32)
    return average


def commoner_of_two(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    """Returns logits of 1 if most targets are 1, else of -1, in the shape of a target."""
    sign = 1.0 if values.mean(dtype=np.float64) > 0.5 else -1.0
    return np.full(values.shape[1:], sign, np.float32)


def commonest(labels: np.ndarray, outputs: int) -> np.ndarray:
    """Returns logits (outputs,): 1 for the most frequent label, else 0."""
    logits = np.zeros(outputs, np.float32)
    logits[np.argmax(np.bincount(labels.reshape(-1).astype(int), minlength=outputs))] = 1.0
    return logits


def no_constant(values: np.ndarray, fields: Fields, outputs: int) -> None:
    """Returns None: no prediction that ignores the inputs is meaningful."""


@dataclass(frozen=True)
class Task:
    """What predictions and targets are, which metrics judge them, and what a baseline is.

    `metrics`: names of the default metrics; losses are compared by the first. `reference`: the
    usual loss of the menu. `labels`: targets are classes as int32, otherwise they are float32.
    `onehot`: a loss receives labels (n,) one-hot unless it rejects them. `stratified`: splits keep
    the share of each class. `standardized`: targets of one output are standardized. `fields`: names
    of the arrays that targets need beside their values. `accepts`: the tasks of datasets that can
    be trained as this one, besides its own. `order_by`: the field whose groups of examples a batch
    keeps together. `point`: the column of a prediction that metrics of quantities judge; None: the
    whole prediction. `baseline`: the name of `constant` in reports. `any_shape`: predictions may
    have any shape. `logits`: predictions are logits, which losses and metrics of the menu turn
    into probabilities. `advice`: how to get predictions of the right shape.

    Functions, with shapes of one example:
    `outputs(data)`: number of predictions, which a model gets as `outputs`.
    `prediction_shape(target_shape, outputs)`: shape of a prediction.
    `check(values, fields)`: raises UserError if targets (n, ...) do not fit.
    `constant(values, fields, outputs)`: the best prediction that ignores the inputs, from training
    targets; None for a task without a baseline.
    """

    name: str
    metrics: tuple[str, ...]
    reference: str = ""
    labels: bool = False
    onehot: bool = False
    stratified: bool = False
    standardized: bool = False
    fields: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    order_by: str | None = None
    point: int | None = None
    baseline: str = "constant"
    any_shape: bool = False
    logits: bool = False
    advice: str | None = None
    outputs: Callable[[Data], int] = one_output
    prediction_shape: Callable[[Shape, int], Shape] = shaped_like_targets
    check: Callable[[np.ndarray, Fields], None] = any_values
    constant: Callable[[np.ndarray, Fields, int], Any] = no_constant

    @property
    def dtype(self) -> type:
        """The type of targets: int32 for labels, otherwise float32."""
        return np.int32 if self.labels else np.float32

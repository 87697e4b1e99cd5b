"""The types of a dataset: its splits, and what they have in common."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from landscape.parts.datasets._column import Column
from landscape.parts.datasets._split import SPLITS
from landscape.parts.tasks import named


class Split(NamedTuple):
    """Examples: inputs float32 (n, *input_shape), or a tree of such, and targets by task.

    regression: float32 (n,) or (n, outputs); binary: float32 0 or 1 (n,); multiclass: int32 labels
    (n,); segmentation: float32 0 or 1 (n, height, width).
    `rows` (n,) are the numbers of the examples in their source, from 0: in the file or in the
    arrays of a library. Without a source, examples are numbered through all splits.
    `fields` are further arrays (n, ...) by name, which losses and metrics receive by that name:
    `weights`, `mask`, `groups` and `events` for the menu, any other for user-defined functions.
    """

    inputs: np.ndarray
    targets: np.ndarray
    rows: np.ndarray | None = None
    fields: Mapping[str, np.ndarray] = MappingProxyType({})

    def take(self, chosen: np.ndarray) -> "Split":
        """Returns the chosen examples, in the order of `chosen`."""
        rows = None if self.rows is None else self.rows[chosen]
        fields = {name: values[chosen] for name, values in self.fields.items()}
        return Split(_chosen(self.inputs, chosen), self.targets[chosen], rows, fields)


def _chosen(inputs: Any, chosen: np.ndarray) -> Any:
    """Returns the chosen rows of an array, or of each array of a tree."""
    if isinstance(inputs, np.ndarray):
        return inputs[chosen]
    import jax  # only points that were trained elsewhere have trees

    return jax.tree.map(lambda array: array[chosen], inputs)


class Dataset(NamedTuple):
    """Three disjoint splits for one task; `outputs` is the number of predictions per example.

    A run chooses nothing by the test split. Without a validation split, a run takes a fifth of the
    training split as one. `columns` are those of the file, ignored ones included. `vocabulary` is
    the number of tokens, None for inputs that are not tokens. `standardized_target`: targets are in
    units of their standard deviation in training.
    """

    train: Split
    test: Split
    task: str
    outputs: int
    classes: tuple[str, ...] = ()
    description: str = ""
    validation: Split | None = None
    columns: tuple[Column, ...] = ()
    vocabulary: int | None = None
    standardized_target: bool = False

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """The number of examples of each class by split; empty mappings without classes.

        For several labels and masks of several classes: of examples that contain the class.
        """
        return {name: self._class_counts(split) for name, split in self.splits.items()}

    def _class_counts(self, split: Split) -> Mapping[str, int]:
        targets = split.targets
        if stratified(self.task, targets):
            sizes = np.bincount(np.asarray(targets, int), minlength=self.class_count)
        elif self.task == "multilabel" and targets.ndim == 2:
            sizes = targets.sum(axis=0)
        elif self.task == "segmentation" and self.classes:
            counted = np.asarray(split.fields.get("mask", np.ones(targets.shape))) > 0
            number = range(len(self.classes))
            sizes = np.array([(counted & (targets == k)).any(axis=(1, 2)).sum() for k in number])
        else:
            return {}
        names = self.classes or tuple(map(str, range(len(sizes))))
        return dict(zip(names, map(int, sizes), strict=True))

    @property
    def splits(self) -> Mapping[str, Split]:
        """The splits by name: `train`, `validation` if there is one, and `test`."""
        pairs = zip(SPLITS, (self.train, self.validation, self.test), strict=True)
        return {name: split for name, split in pairs if split is not None}

    @property
    def class_count(self) -> int:
        """The number of classes: that of their names, else as outputs and labels require."""
        largest = max(int(split.targets.max()) for split in self.splits.values())
        return len(self.classes) or max(2, self.outputs, largest + 1)

    @property
    def labels(self) -> np.ndarray | None:
        """The class (n,) of each training example; None if the task has no classes."""
        targets = self.train.targets
        return targets.astype(int) if stratified(self.task, targets) else None


def stratified(task: str, targets: np.ndarray) -> bool:
    """Returns whether splits keep the share of each class: targets (n,) are classes."""
    return named(task).stratified and targets.ndim == 1

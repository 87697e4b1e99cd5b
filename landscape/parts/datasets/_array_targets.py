"""Targets of a task from an array: labels, soft labels, masks with labels to ignore, numbers."""

from typing import NamedTuple

import numpy as np

from landscape.errors import Place, UserError
from landscape.parts.datasets._named_array import NUMERIC, NamedArray, label_name, numbers
from landscape.parts.datasets._targets import (
    CLASSES,
    TargetOptions,
    Targets,
    class_targets,
    indicator_targets,
    quantity_targets,
)
from landscape.parts.tasks.categorical import SHARES_TOLERANCE


class LabeledTargets(NamedTuple):
    """Targets, and where they count: the mask (n, ...), None if all do."""

    targets: Targets
    mask: np.ndarray | None = None


def array_targets(
    array: NamedArray, options: TargetOptions, count: int | None, ignore: int | None
) -> LabeledTargets:
    """Returns the targets in an array of the right shape.

    `count`: the number of classes that the config declares without naming them; `ignore`: the label
    of positions that do not count. Raises UserError for values that do not fit the task.
    """
    task = options.task
    if count is not None:
        options = options._replace(classes=tuple(map(str, range(count))))
    if ignore is not None and task not in ("segmentation", "sequence"):
        raise UserError(f"`ignore` is for segmentation and sequence, not for {task}")
    if task == "sequence" or (task == "segmentation" and options.classes is not None):
        return _label_map(array, options, ignore)
    if task == "segmentation":
        return _binary_masks(array, ignore)
    if task == "multiclass" and array.values.ndim == 2 and array.values.shape[1] > 1:
        return LabeledTargets(_soft_labels(array, options))
    if task in CLASSES:
        return LabeledTargets(class_targets(array, options))
    if task == "multilabel":
        targets = indicator_targets([array])
        return LabeledTargets(targets._replace(classes=tuple(options.classes or ())))
    if task == "regression":
        return LabeledTargets(quantity_targets([array]))
    return LabeledTargets(Targets(numbers(array)))


def _binary_masks(array: NamedArray, ignore: int | None) -> LabeledTargets:
    values = numbers(array)
    counts = np.ones(values.shape, bool) if ignore is None else values != ignore
    wrong = np.flatnonzero(counts & (values != 0) & (values != 1))
    if wrong.size:
        message = f"is {values.flat[wrong[0]]:g}; expected only 0 and 1 in a mask"
        hint = (
            "divide masks of 0 and 255 by 255, threshold probabilities; for more classes write "
            "`classes: NUMBER`, for a label that does not count `ignore: LABEL`"
        )
        raise array.error(int(wrong[0]), message, hint)
    values = np.where(counts, values, 0.0)
    return LabeledTargets(Targets(values), None if ignore is None else counts)


def _label_map(array: NamedArray, options: TargetOptions, ignore: int | None) -> LabeledTargets:
    """Returns a label per position, from 0 to the number of classes, and where labels count."""
    values = numbers(array)
    counts = np.ones(values.shape, bool) if ignore is None else values != ignore
    whole = (values == np.floor(values)) & (values >= 0)
    wrong = np.flatnonzero(counts & ~whole)
    if wrong.size:
        label = label_name(float(values.flat[wrong[0]]))
        message = f"has the label {label}; expected integers of at least 0"
        raise array.error(int(wrong[0]), message)
    largest = int(values[counts].max()) if counts.any() else 0
    classes = tuple(options.classes or map(str, range(largest + 1)))
    if largest >= len(classes):
        position = int(np.flatnonzero(counts & (values >= len(classes)))[0])
        raise array.error(
            position,
            f"has the label {label_name(float(values.flat[position]))}, but there are "
            f"{len(classes)} classes: expected 0 to {len(classes) - 1}",
            f"declare more `classes`, or write `ignore: {largest}` if it does not count",
        )
    labels = np.where(counts, values, 0).astype(np.int32)
    encoding = f"{len(classes)} classes" + ("" if ignore is None else f", {ignore} does not count")
    return LabeledTargets(Targets(labels, classes, encoding), None if ignore is None else counts)


def _soft_labels(array: NamedArray, options: TargetOptions) -> Targets:
    """Returns the share of each class (n, classes), or labels (n,) if every row is one-hot."""
    if array.values.dtype.kind not in NUMERIC:
        message = f"array `{array.name}` holds text in two axes; expected shares of the classes"
        raise UserError(message, place=Place(array.file))
    values = numbers(array)
    sums = values.sum(axis=1)
    wrong = np.flatnonzero((np.abs(sums - 1) > SHARES_TOLERANCE) | (values < 0).any(axis=1))
    if wrong.size:
        row = int(wrong[0])
        raise array.error(
            row * values.shape[1],
            f"begins the shares of an example, whose sum is {sums[row]:g}; expected shares of at "
            "least 0 whose sum is 1",
            "for labels that do not exclude each other use `task: multilabel`",
        )
    classes = tuple(options.classes or map(str, range(values.shape[1])))
    if len(classes) != values.shape[1]:
        message = f"`classes` names {len(classes)}, but array `{array.name}` has shares of "
        raise UserError(message + str(values.shape[1]), place=Place(array.file))
    if ((values == 0) | (values == 1)).all():
        return Targets(values.argmax(axis=1), classes, "one-hot, read as labels")
    return Targets(values, classes, "share of each class")

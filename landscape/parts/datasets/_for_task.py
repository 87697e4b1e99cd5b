"""A dataset as a task needs it: its targets checked, its number of outputs that of the task."""

from typing import Any

import numpy as np

from landscape.errors import UserError
from landscape.parts.datasets._dataset import Dataset, Split
from landscape.parts.datasets._named_array import NUMERIC
from landscape.parts.tasks import Task


def for_task(data: Dataset, task: Task) -> Dataset:
    """Returns the dataset for a task that accepts its targets, with the outputs of this task.

    Labels become int32. Raises UserError if the targets of a split are not finite numbers, do not
    fit the task, or lack a field that it needs.
    """
    splits = dict[str, Any]()
    for name, split in data.splits.items():
        try:
            splits[name] = _checked(split, task)
            _check_names(splits[name].targets, data.classes)
        except UserError as error:
            message = f"the {name} split does not fit the task {task.name}: {error.message}"
            raise UserError(message, hint=error.hint) from None
    checked = data._replace(**splits)
    if task.labels and task.name != data.task and not data.classes:
        checked = checked._replace(classes=tuple(map(str, range(data.class_count))))
    return checked._replace(task=task.name, outputs=task.outputs(checked))


def _check_names(targets: np.ndarray, classes: tuple[str, ...]) -> None:
    """Raises UserError for an integer label without a name, if classes have names."""
    if classes and targets.dtype.kind in "iu" and targets.max() >= len(classes):
        raise UserError(
            f"a target is {targets.max()}, but the dataset names {len(classes)} classes "
            f"({', '.join(classes[:5])})",
            hint="name every class in `classes`, in the order of the labels from 0",
        )


def _checked(split: Split, task: Task) -> Split:
    values = split.targets
    if values.dtype.kind not in NUMERIC:
        raise UserError(f"targets have the type {values.dtype}; expected numbers")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise UserError(f"{count} targets are not finite", hint="remove or replace them")
    fields = split.fields
    for name in task.fields:
        if name not in fields:
            raise UserError(
                f"the field `{name}` is missing",
                hint=f'pass `fields={{"{name}": ...}}` to each Split, or name it in the config',
            )
    task.check(values, fields)
    if task.order_by is not None:  # batches of the evaluation set keep groups together too
        split = split.take(np.argsort(fields[task.order_by], kind="stable"))
        values = split.targets
    if not task.labels:
        return split
    shares = task.onehot and values.ndim == 2
    return split._replace(targets=values.astype(np.float32 if shares else np.int32))

"""Targets of a task from a user's columns or arrays, and the fields that belong to them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts.datasets._named_array import NamedArray, labels, numbers
from landscape.parts.datasets._split import group_codes
from landscape.parts.tasks import Task

# Tasks whose targets are classes, and those of which an order of the classes is a part.
CLASSES = ("binary", "multiclass", "ordinal", "embedding")


class TargetOptions(NamedTuple):
    """The task of a file, the order of its classes, and whether a quantity is standardized.

    `classes` are all classes in order, `positive` is the class 1 of a binary target.
    """

    task: str
    classes: Sequence[str] | None = None
    positive: str | None = None
    standardize: bool = True


class Targets(NamedTuple):
    """Raw targets (n, ...), the names of the classes, and the encoding in words."""

    values: np.ndarray
    classes: tuple[str, ...] = ()
    encoding: str = ""


def check_task(task: str, tasks: Sequence[str], hint: str | None = None) -> None:
    """Raises UserError if a task is not among those that a kind of file can hold."""
    if task not in tasks:
        message = f"`task` is {task!r}; expected one of {', '.join(tasks)}"
        raise UserError(message, hint=hint or nearest(str(task), tasks))


def table_targets(columns: Sequence[NamedArray], options: TargetOptions) -> Targets:
    """Returns the targets in one or several columns of a table."""
    task, several = options.task, options.task in ("regression", "multilabel")
    if not columns or (len(columns) > 1 and not several):
        expected = "one or more" if several else "one"
        raise UserError(f"`target` names {len(columns)} columns; {task} needs {expected}")
    if task in CLASSES:
        return class_targets(columns[0], options)
    for name in ("classes", "positive"):
        if getattr(options, name) is not None:
            raise UserError(f"`{name}` is for {', '.join(CLASSES)}, not for {task}")
    return indicator_targets(columns) if task == "multilabel" else quantity_targets(columns)


def class_targets(column: NamedArray, options: TargetOptions) -> Targets:
    """Returns labels as indices into the classes.

    Raises UserError if the options name other classes, or do not order texts of an ordinal task.
    """
    task = options.task
    codes, classes = labels(column, task, options.classes)
    if options.positive is not None:
        return _with_positive(column, codes, classes, options)
    if task == "ordinal" and options.classes is None and column.values.dtype == object:
        raise UserError(
            f"{column.kind} `{column.name}` has the classes {', '.join(classes)}, whose order is "
            "not stated",
            place=Place(column.file),
            hint=f"write them from low to high: `classes: [{', '.join(classes)}]`",
        )
    return Targets(codes, classes, _encoding(classes, task))


def quantity_targets(columns: Sequence[NamedArray]) -> Targets:
    """Returns numbers: (n,) for one column, else (n, columns).

    Raises UserError for a target that is the same in every example.
    """
    values = [numbers(column) for column in columns]
    for column, array in zip(columns, values, strict=True):
        if len(array) > 1 and (array == array[:1]).all(axis=0).any():
            message = f"{column.kind} `{column.name}` has the same value in every example"
            hint = "choose a target that varies"
            raise UserError(message, place=Place(column.file), hint=hint)
    stacked = values[0] if len(values) == 1 else np.stack(values, axis=1)
    # One output is (n,) everywhere, as a model with one output predicts it.
    return Targets(stacked[:, 0] if stacked.ndim == 2 and stacked.shape[1] == 1 else stacked)


def indicator_targets(columns: Sequence[NamedArray]) -> Targets:
    """Returns labels of which an example has any number: 0 or 1, (n, labels)."""
    for column in columns:
        values = numbers(column)
        wrong = np.flatnonzero((values != 0) & (values != 1))
        if wrong.size:
            value = values.flat[wrong[0]]
            raise column.error(int(wrong[0]), f"is {value:g}; expected 0 or 1, one per label")
    if len(columns) == 1:
        return Targets(numbers(columns[0]))
    values = np.stack([numbers(column) for column in columns], axis=1)
    return Targets(values, tuple(column.name for column in columns))


def field_arrays(columns: Mapping[str, NamedArray]) -> dict[str, np.ndarray]:
    """Returns further arrays of the examples by the names of the fields; groups as numbers."""
    return {
        name: group_codes(column).astype(np.int32)
        if name == "groups"
        else numbers(column).astype(np.float32)
        for name, column in columns.items()
    }


def require_fields(task: Task, fields: Mapping[str, np.ndarray], place: Place) -> None:
    """Raises UserError if the task needs a field that is missing."""
    for name in task.fields:
        if name not in fields:
            hint = f"write `fields: {{{name}: NAME}}` with the name of a column or an array"
            if name == "groups":
                hint = "write `group: NAME` with the name of a column or an array"
            raise UserError(f"task {task.name} needs the field `{name}`", place=place, hint=hint)


def _with_positive(
    column: NamedArray, codes: np.ndarray, classes: tuple[str, ...], options: TargetOptions
) -> Targets:
    positive, task = options.positive, options.task
    if task != "binary" or options.classes is not None:
        other = f"task {task}" if task != "binary" else "`classes`, which states the order too"
        raise UserError(
            f"found `positive` with {other}; expected it for binary alone",
            hint="for more classes write `classes: [first, second, …]`",
        )
    if positive not in classes:
        raise UserError(
            f"`positive` is {positive!r}, but the classes of {column.kind} `{column.name}` are "
            f"{' and '.join(classes)}",
            place=Place(column.file),
            hint=nearest(str(positive), classes),
        )
    if positive == classes[0]:
        codes, classes = 1 - codes, classes[::-1]
    return Targets(codes, classes, _encoding(classes, task))


def _encoding(classes: Sequence[str], task: str) -> str:
    names = [f"{number} = {name}" for number, name in enumerate(classes)]
    text = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f"{text} (positive)" if task == "binary" else text

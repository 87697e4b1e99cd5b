"""User files: csv, parquet, npz."""

from pathlib import Path
from typing import Annotated

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts._options import Between
from landscape.parts.datasets._named_array import NamedArray, has_numbers, labels, numbers
from landscape.parts.datasets._prepare import Dataset, assemble
from landscape.parts.datasets._read import read_csv, read_npz, read_parquet

TABLE_TASKS = ("regression", "binary", "multiclass")
TASKS = (*TABLE_TASKS, "segmentation")


def csv(
    seed: int,
    *,
    path: Path,
    target: str | list[str],
    task: str,
    features: list[str] | None = None,
    delimiter: str = ",",
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
) -> Dataset:
    """A user's csv file with a header line: target column, numeric feature columns.

    `task` is regression, binary or multiclass; `target` names a column, or for regression a list
    of columns. `features` names the input columns, by default all others that have a number.
    Labels of any kind become indices into the sorted labels: 0 and 1 for binary, 0, 1, 2, … for
    multiclass, where numbers must be integers of at least 0.
    Inputs (columns,), each standardized on the training examples; a constant one becomes 0.
    Regression targets are standardized too unless `standardize_target` is false. The split is
    stratified for binary and multiclass. The file is UTF-8; blank lines are skipped.
    Raises UserError at the line of a missing or infinite value, of text among numbers, and of a
    row of another length. Choose it for small tables.
    """
    _check_task(task, TABLE_TASKS)
    columns = read_csv(path, delimiter)
    return _table(columns, path, task, target, features, seed, test_fraction, standardize_target)


def parquet(
    seed: int,
    *,
    path: Path,
    target: str | list[str],
    task: str,
    features: list[str] | None = None,
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
) -> Dataset:
    """A user's parquet file: target column, numeric feature columns.

    Options, labels, standardization and errors as in `csv`; errors name the row, counted from 0.
    Choose it instead of csv for large tables: it stores types and is faster to read.
    """
    _check_task(task, TABLE_TASKS)
    columns = read_parquet(path)
    return _table(columns, path, task, target, features, seed, test_fraction, standardize_target)


def npz(
    seed: int,
    *,
    path: Path,
    task: str,
    inputs: str = "inputs",
    targets: str = "targets",
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
) -> Dataset:
    """A user's npz file: an array of inputs and an array of targets, for any task.

    `inputs` and `targets` name the arrays, as in numpy.savez(path, inputs=x, targets=y). Inputs
    are tables (n, features), standardized per column, or images (n, channels, height, width), with
    one mean and one standard deviation over all training pixels. Targets are (n,) or (n, outputs)
    for regression (standardized unless `standardize_target` is false), (n,) with two values for
    binary, (n,) with integers of at least 0 or text for multiclass, and masks (n, height, width)
    of 0 and 1 for segmentation. Raises UserError for arrays of Python objects. Choose it for
    images and masks.
    """
    _check_task(task, TASKS)
    source, target = read_npz(path, (inputs, targets))
    _check_shapes(source, target, task)
    values, classes = _targets(target, task)
    return assemble(
        numbers(source),
        values,
        seed,
        test_fraction,
        task=task,
        classes=classes,
        description=f"{path.name}, array `{targets}` from array `{inputs}`",
        standardize_target=standardize_target,
        place=Place(str(path)),
    )


def _table(
    columns: dict[str, NamedArray],
    path: Path,
    task: str,
    target: str | list[str],
    features: list[str] | None,
    seed: int,
    test_fraction: float,
    standardize_target: bool,
) -> Dataset:
    place = Place(str(path))
    target_names = [target] if isinstance(target, str) else list(target)
    if not target_names or (len(target_names) > 1 and task != "regression"):
        expected = "one or more" if task == "regression" else "one"
        message = f"`target` names {len(target_names)} columns; {task} needs {expected}"
        raise UserError(message)
    target_columns = _columns(columns, target_names, place)
    others = [name for name in columns if name not in target_names]
    if features is None:
        features = [name for name in others if has_numbers(columns[name])]
    if not features:
        message = "no feature column: no column has numbers, or `features` is empty"
        raise UserError(message, place=place)
    for name in features:
        if name in target_names:
            raise UserError(f"column `{name}` is both a feature and the target")
    inputs = np.stack([numbers(column) for column in _columns(columns, features, place)], axis=1)
    pairs = [_targets(column, task) for column in target_columns]
    targets, classes = pairs[0]
    if len(pairs) > 1:
        targets = np.stack([values for values, _ in pairs], axis=1)
    left_out = [name for name in others if name not in features]
    note = f" (left out: {', '.join(left_out)})" if left_out else ""
    return assemble(
        inputs,
        targets,
        seed,
        test_fraction,
        task=task,
        classes=classes,
        description=f"{path.name}, {', '.join(target_names)} from {len(features)} columns{note}",
        standardize_target=standardize_target,
        place=place,
    )


def _columns(columns: dict[str, NamedArray], names: list[str], place: Place) -> list[NamedArray]:
    for name in names:
        if name not in columns:
            hint = nearest(name, columns)
            raise UserError(f"the file has no column `{name}`", place=place, hint=hint)
    return [columns[name] for name in names]


def _targets(column: NamedArray, task: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns raw targets as the task needs them, and the names of the classes."""
    if task in ("binary", "multiclass"):
        return labels(column, task)
    values = numbers(column)
    if task == "segmentation":
        wrong = np.flatnonzero((values != 0) & (values != 1))
        if wrong.size:
            message = f"is {values.flat[wrong[0]]:g}; expected only 0 and 1 in a mask"
            hint = "divide masks of 0 and 255 by 255, threshold probabilities"
            raise column.error(int(wrong[0]), message, hint)
    elif len(values) > 1 and (values == values[:1]).all(axis=0).any():
        message = f"{column.kind} `{column.name}` has the same value in every example"
        hint = "choose a target that varies"
        raise UserError(message, place=Place(column.file), hint=hint)
    # One output is (n,) everywhere, as a model with one output predicts it.
    return (values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values), ()


def _check_task(task: str, tasks: tuple[str, ...]) -> None:
    if task not in tasks:
        hint = nearest(str(task), tasks)
        if task == "segmentation":
            hint = "images and masks need an npz file: `dataset: {name: npz, ...}`"
        raise UserError(f"`task` is {task!r}; expected one of {', '.join(tasks)}", hint=hint)


def _check_shapes(inputs: NamedArray, targets: NamedArray, task: str) -> None:
    place = Place(inputs.file)
    shape, target_shape = inputs.values.shape, targets.values.shape
    expected = "images (n, channels, height, width)"
    if task != "segmentation":
        expected = f"a table (n, features) or {expected}"
    if len(shape) not in ((4,) if task == "segmentation" else (2, 4)) or 0 in shape:
        raise UserError(
            f"array `{inputs.name}` has shape {shape}; expected {expected}, no axis of size 0",
            place=place,
            hint="reshape it: (n, 1) for one feature, (n, 1, height, width) for one channel",
        )
    shapes: list[tuple[int, ...]] = [shape[:1]]
    if task == "segmentation":
        shapes = [(shape[0], *shape[2:])]
    elif task == "regression" and len(target_shape) == 2 and target_shape[1] > 0:
        shapes.append((shape[0], target_shape[1]))
    if target_shape not in shapes:
        is_one_hot = task == "multiclass" and len(target_shape) == 2
        raise UserError(
            f"array `{targets.name}` has shape {target_shape}; expected {shapes[-1]} for {task} "
            f"with inputs {shape}",
            place=place,
            hint="convert one-hot targets to labels with argmax(axis=1)" if is_one_hot else None,
        )

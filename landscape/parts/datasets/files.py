"""User files: csv, parquet, npz."""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts._options import Between
from landscape.parts.datasets._named_array import NamedArray, has_numbers, labels, numbers
from landscape.parts.datasets._prepare import Dataset, assemble
from landscape.parts.datasets._read import read_csv, read_npz, read_parquet
from landscape.parts.datasets._split import Shares

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
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
    split: str | None = None,
    group: str | None = None,
) -> Dataset:
    """A user's csv file with a header line: target column, numeric feature columns.

    `task` is regression, binary or multiclass; `target` names a column, or for regression a list
    of columns. `features` names the input columns, by default all others that have a number.
    Labels of any kind become indices into the sorted labels: 0 and 1 for binary, 0, 1, 2, … for
    multiclass, where numbers must be integers of at least 0.
    Inputs (columns,), each standardized on the training examples; a constant one becomes 0.
    Regression targets are standardized too unless `standardize_target` is false. The split is
    stratified for binary and multiclass. `group` names a column, such as the patient: no group is
    in two splits. `split` names a column of the texts train, validation and test; without any
    validation, that is taken from train. The file is UTF-8; blank lines are skipped.
    Raises UserError at the line of a missing or infinite value, of text among numbers, of a row of
    another length, of an unknown split, and of a group in two splits. Choose it for small tables.
    """
    _check_task(task, TABLE_TASKS)
    columns = read_csv(path, delimiter)
    table = _Table(columns, Place(str(path)), path.name, split, group)
    shares = Shares(test_fraction, validation_fraction)
    return _dataset(table, task, target, features, seed, shares, standardize_target)


def parquet(
    seed: int,
    *,
    path: Path,
    target: str | list[str],
    task: str,
    features: list[str] | None = None,
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
    split: str | None = None,
    group: str | None = None,
) -> Dataset:
    """A user's parquet file: target column, numeric feature columns.

    Options, labels, standardization, splits and errors as in `csv`; errors name the row, counted
    from 0.
    Choose it instead of csv for large tables: it stores types and is faster to read.
    """
    _check_task(task, TABLE_TASKS)
    columns = read_parquet(path)
    table = _Table(columns, Place(str(path)), path.name, split, group)
    shares = Shares(test_fraction, validation_fraction)
    return _dataset(table, task, target, features, seed, shares, standardize_target)


def npz(
    seed: int,
    *,
    path: Path,
    task: str,
    inputs: str = "inputs",
    targets: str = "targets",
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
    split: str | None = None,
    group: str | None = None,
) -> Dataset:
    """A user's npz file: an array of inputs and an array of targets, for any task.

    `inputs` and `targets` name the arrays, as in numpy.savez(path, inputs=x, targets=y). Inputs
    are tables (n, features), standardized per column, or images (n, channels, height, width), with
    one mean and one standard deviation over all training pixels. Targets are (n,) or (n, outputs)
    for regression (standardized unless `standardize_target` is false), (n,) with two values for
    binary, (n,) with integers of at least 0 or text for multiclass, and masks (n, height, width)
    of 0 and 1 for segmentation. `split` and `group` name arrays (n,), used as the columns of `csv`.
    Raises UserError for arrays of Python objects. Choose it for images and masks.
    """
    _check_task(task, TASKS)
    used = [name for name in (inputs, targets, split, group) if name is not None]
    arrays = dict(zip(used, read_npz(path, used), strict=True))
    source, target = arrays[inputs], arrays[targets]
    _check_shapes(source, target, task)
    values, classes = _targets(target, task)
    stated, groups = (None if name is None else arrays[name] for name in (split, group))
    for array in (stated, groups):
        _check_per_example(array, len(source.values))
    return assemble(
        numbers(source),
        values,
        seed,
        Shares(test_fraction, validation_fraction),
        groups=groups,
        stated=stated,
        task=task,
        classes=classes,
        description=f"{path.name}, array `{targets}` from array `{inputs}`",
        standardize_target=standardize_target,
        place=Place(str(path)),
    )


class _Table(NamedTuple):
    """The columns of a file, and the names of those that decide the split, None without one."""

    columns: dict[str, NamedArray]
    place: Place
    file: str
    split: str | None
    group: str | None

    def select(self, names: list[str]) -> list[NamedArray]:
        """Returns columns by name; raises UserError for a name that the file does not have."""
        for name in names:
            if name not in self.columns:
                hint = nearest(name, self.columns)
                message = f"the file has no column `{name}`"
                raise UserError(message, place=self.place, hint=hint)
        return [self.columns[name] for name in names]

    def splitting(self, name: str | None) -> NamedArray | None:
        """Returns the column of this name, None without a name."""
        return None if name is None else self.select([name])[0]


def _dataset(
    table: _Table,
    task: str,
    target: str | list[str],
    features: list[str] | None,
    seed: int,
    shares: Shares,
    standardize_target: bool,
) -> Dataset:
    target_names = [target] if isinstance(target, str) else list(target)
    if not target_names or (len(target_names) > 1 and task != "regression"):
        expected = "one or more" if task == "regression" else "one"
        message = f"`target` names {len(target_names)} columns; {task} needs {expected}"
        raise UserError(message)
    target_columns = table.select(target_names)
    stated, groups = table.splitting(table.split), table.splitting(table.group)
    others = [n for n in table.columns if n not in (*target_names, table.split, table.group)]
    feature_names = _feature_names(table, features, others, target_names)
    inputs = np.stack([numbers(column) for column in table.select(feature_names)], axis=1)
    pairs = [_targets(column, task) for column in target_columns]
    targets, classes = pairs[0]
    if len(pairs) > 1:
        targets = np.stack([values for values, _ in pairs], axis=1)
    left_out = [name for name in others if name not in feature_names]
    note = f" (left out: {', '.join(left_out)})" if left_out else ""
    source = f"{', '.join(target_names)} from {len(feature_names)} columns"
    return assemble(
        inputs,
        targets,
        seed,
        shares,
        groups=groups,
        stated=stated,
        task=task,
        classes=classes,
        description=f"{table.file}, {source}{note}",
        standardize_target=standardize_target,
        place=table.place,
    )


def _feature_names(
    table: _Table, features: list[str] | None, others: list[str], target_names: list[str]
) -> list[str]:
    """Returns the names of the input columns: as configured, else all `others` with a number."""
    if features is None:
        features = [name for name in others if has_numbers(table.columns[name])]
    if not features:
        message = "no feature column: no column has numbers, or `features` is empty"
        raise UserError(message, place=table.place)
    for name in features:
        if name in target_names:
            raise UserError(f"column `{name}` is both a feature and the target")
        if name in (table.split, table.group):
            role = "split" if name == table.split else "group"
            raise UserError(f"column `{name}` is both a feature and the {role}")
    return features


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


def _check_per_example(array: NamedArray | None, count: int) -> None:
    if array is not None and array.values.shape != (count,):
        raise UserError(
            f"array `{array.name}` has shape {array.values.shape}; expected ({count},), one value "
            "per example",
            place=Place(array.file),
        )


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

"""Files of the user's own: csv, parquet, npz."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._named_array import NamedArray, has_numbers, labels, numbers
from landscape.parts.datasets._prepare import assemble
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
    test_fraction: float = 0.25,
) -> Dataset:
    """A csv file of your own with a header line: target column, numeric feature columns.

    `task` is regression, binary or multiclass; `target` names a column, or for regression a list
    of columns. `features` names the input columns; without it every other column is one, save
    columns that hold no number at all. Labels of any kind are mapped to their sorted values:
    0 and 1 for binary, 0, 1, 2, … for multiclass, where numbers must be integers from 0 up.
    Inputs (columns,), each standardized on the training examples; a constant one becomes 0.
    Regression targets are standardized too unless `standardize_target` is false. The split is
    stratified for binary and multiclass.
    Missing or infinite values, text among numbers and lines of another length are errors that
    name the line. The file is UTF-8; blank lines are skipped.
    """
    _check_task(task, TABLE_TASKS)
    columns = read_csv(path, delimiter)
    return _table(columns, path, target, features, task, seed, test_fraction, standardize_target)


def parquet(
    seed: int,
    *,
    path: Path,
    target: str | list[str],
    task: str,
    features: list[str] | None = None,
    standardize_target: bool = True,
    test_fraction: float = 0.25,
) -> Dataset:
    """A parquet file of your own: target column, numeric feature columns.

    Options, labels, standardization and errors are those of `csv`; a wrong value is named by its
    row, counted from 0. Choose it over csv for large tables: types are stored, reading is fast.
    """
    _check_task(task, TABLE_TASKS)
    columns = read_parquet(path)
    return _table(columns, path, target, features, task, seed, test_fraction, standardize_target)


def npz(
    seed: int,
    *,
    path: Path,
    task: str,
    inputs: str = "inputs",
    targets: str = "targets",
    standardize_target: bool = True,
    test_fraction: float = 0.25,
) -> Dataset:
    """An npz file of your own: an array of inputs and an array of targets, for any task.

    `inputs` and `targets` name the arrays, as in numpy.savez(path, inputs=x, targets=y). Inputs
    are tables (n, features), standardized column by column, or images (n, channels, height,
    width), with one mean and one standard deviation over all training pixels. Targets are (n,) or
    (n, outputs) for regression (standardized unless `standardize_target` is false), (n,) with two
    values for binary, (n,) with integers from 0 up or text for multiclass, and masks
    (n, height, width) of 0 and 1 for segmentation. Arrays of Python objects are refused.
    """
    _check_task(task, TASKS)
    source, target = read_npz(path, (inputs, targets))
    _check_shapes(source, target, task)
    values, classes = _targets(target, task)
    return assemble(
        numbers(source),
        values,
        seed=seed,
        test_fraction=test_fraction,
        task=task,
        classes=classes,
        description=f"{path.name}, array `{targets}` from array `{inputs}`",
        standardize_target=standardize_target,
        place=Place(str(path)),
    )


def _table(
    columns: dict[str, NamedArray],
    path: Path,
    target: str | Sequence[str],
    features: Sequence[str] | None,
    task: str,
    seed: int,
    test_fraction: float,
    standardize_target: bool,
) -> Dataset:
    place = Place(str(path))
    wanted = [target] if isinstance(target, str) else list(target)
    if not wanted or (len(wanted) > 1 and task != "regression"):
        raise UserError(
            f"`target` names {len(wanted)} columns; "
            f"{task} takes {'one or more' if task == 'regression' else 'one'}"
        )
    chosen = _columns(columns, wanted, place)
    names = _default_features(columns, wanted) if features is None else list(features)
    if not names:
        raise UserError("no feature column: none holds numbers or `features` is empty", place=place)
    for name in names:
        if name in wanted:
            raise UserError(f"column `{name}` is both a feature and the target")
    inputs = np.stack([numbers(column) for column in _columns(columns, names, place)], axis=1)
    values, classes = _stacked_targets(chosen, task)
    left_out = [name for name in columns if name not in names and name not in wanted]
    note = f" (left out: {', '.join(left_out)})" if left_out else ""
    return assemble(
        inputs,
        values,
        seed=seed,
        test_fraction=test_fraction,
        task=task,
        classes=classes,
        description=f"{path.name}, {', '.join(wanted)} from {len(names)} columns{note}",
        standardize_target=standardize_target,
        place=place,
    )


def _default_features(columns: dict[str, NamedArray], wanted: list[str]) -> list[str]:
    return [name for name in columns if name not in wanted and has_numbers(columns[name])]


def _columns(columns: dict[str, NamedArray], names: list[str], place: Place) -> list[NamedArray]:
    for name in names:
        if name not in columns:
            raise UserError(
                f"no column `{name}` in the file", place=place, hint=nearest(name, columns)
            )
    return [columns[name] for name in names]


def _stacked_targets(columns: list[NamedArray], task: str) -> tuple[np.ndarray, tuple[str, ...]]:
    values, classes = zip(*(_targets(column, task) for column in columns), strict=True)
    return (values[0] if len(values) == 1 else np.stack(values, axis=1)), classes[0]


def _targets(column: NamedArray, task: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Raw targets as the task has them, and the names of the classes."""
    if task in ("binary", "multiclass"):
        return labels(column, task)
    values = numbers(column)
    if task == "segmentation":
        wrong = np.flatnonzero((values != 0) & (values != 1))
        if wrong.size:
            raise column.error(
                int(wrong[0]),
                f"holds {values.flat[wrong[0]]:g}; a mask holds 0 and 1 only",
                "masks of 0 and 255 are divided by 255, probabilities are thresholded",
            )
    elif len(values) > 1 and (values == values[:1]).all(axis=0).any():
        raise UserError(
            f"{column.kind} `{column.name}` has the same value in every example; "
            "there is nothing to learn",
            place=Place(column.file),
        )
    # One output is (n,) everywhere, as a model with one output predicts it.
    return (values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values), ()


def _check_task(task: str, tasks: tuple[str, ...]) -> None:
    if task not in tasks:
        hint = nearest(str(task), tasks)
        if task == "segmentation":
            hint = "images and masks come in an npz file: `dataset: {name: npz, ...}`"
        raise UserError(f"`task` is {task!r}; expected one of {', '.join(tasks)}", hint=hint)


def _check_shapes(inputs: NamedArray, targets: NamedArray, task: str) -> None:
    place = Place(inputs.file)
    found, shape = inputs.values.shape, targets.values.shape
    wanted = "images (n, channels, height, width)"
    if task != "segmentation":
        wanted = f"a table (n, features) or {wanted}"
    if len(found) not in ((4,) if task == "segmentation" else (2, 4)) or 0 in found:
        raise UserError(
            f"array `{inputs.name}` has shape {found}; expected {wanted}, no axis of size 0",
            place=place,
            hint="add a missing axis with reshape: (n, 1) for one feature, "
            "(n, 1, height, width) for one channel",
        )
    expected: list[tuple[int, ...]] = [(found[0],)]
    if task == "segmentation":
        expected = [(found[0], *found[2:])]
    elif task == "regression" and len(shape) == 2 and shape[1] > 0:
        expected.append((found[0], shape[1]))
    if shape not in expected:
        raise UserError(
            f"array `{targets.name}` has shape {shape}; {task} with inputs {found} "
            f"expects {expected[-1]}",
            place=place,
            hint="one-hot targets become labels with argmax(axis=1)"
            if task == "multiclass" and len(shape) == 2
            else None,
        )

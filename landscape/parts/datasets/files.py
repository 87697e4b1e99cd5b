"""User files that hold a table: csv, parquet."""

from pathlib import Path
from typing import Annotated, Any

from landscape.parts._options import Between
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._read import read_csv, read_parquet
from landscape.parts.datasets._split import Shares
from landscape.parts.datasets._table import HINTS, TASKS, InputOptions, Roles, Table, table_dataset
from landscape.parts.datasets._targets import TargetOptions, check_task


def csv(
    seed: int,
    *,
    path: Path,
    target: str | list[str],
    task: str,
    features: list[str] | None = None,
    ignore: list[str] | None = None,
    categories: list[str] | None = None,
    missing: dict[str, Any] | None = None,
    missing_values: list[str] | None = None,
    positive: str | None = None,
    classes: list[str] | None = None,
    fields: dict[str, str] | None = None,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8",
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
    split: str | None = None,
    group: str | None = None,
) -> Dataset:
    """A user's csv file with a header line: numbers, truth values, categories.

    `target` names a column, or several for regression and multilabel. All other columns are
    inputs, except those in `ignore` and those with another role; or `features` names the inputs.
    Numbers, true and false are standardized on the training examples; a constant one becomes 0.
    Text is one-hot, a column per category; `categories` names columns of numbers that are encoded
    so too. Dates, numbers with units, identifiers and free text are errors.
    `missing: {strategy: median}` (or mean, most_frequent, constant with `value`) replaces missing
    values, from the training examples; `indicator: true` adds a column of where they were. A
    category is replaced by the most frequent one, or with constant by a category of its own.
    `missing_values` are the texts that count as missing, by default empty, nan, NA, N/A, null.
    Labels of any kind become indices into the sorted classes; `positive` names the class 1 of a
    binary target, `classes` states the order of all. A single regression target is standardized
    unless `standardize_target` is false.
    `fields: {weights: COLUMN}` passes columns to losses and metrics: weights, events, groups, or
    any name. `group` names a column, such as the patient: no group is in two splits. `split` names
    a column of the texts train, validation and test; without any validation, that is taken from
    train. Blank lines are skipped.
    Raises UserError with the line of what is wrong. Choose it for small tables.
    """
    check_task(task, TASKS, HINTS.get(task))
    roles = Roles(target, features, ignore, fields, split, group)
    inputs = InputOptions(categories, missing, missing_values)
    targets = TargetOptions(task, classes, positive, standardize_target)
    shares = Shares(test_fraction, validation_fraction)
    return table_dataset(
        Table(read_csv(path, delimiter, decimal, encoding), path),
        roles,
        inputs,
        targets,
        seed,
        shares,
    )


def parquet(
    seed: int,
    *,
    path: Path,
    target: str | list[str],
    task: str,
    features: list[str] | None = None,
    ignore: list[str] | None = None,
    categories: list[str] | None = None,
    missing: dict[str, Any] | None = None,
    missing_values: list[str] | None = None,
    positive: str | None = None,
    classes: list[str] | None = None,
    fields: dict[str, str] | None = None,
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
    split: str | None = None,
    group: str | None = None,
) -> Dataset:
    """A user's parquet file: numbers, truth values, categories.

    Options, encoding, splits and errors as in `csv`; errors name the row, counted from 0.
    Choose it instead of csv for large tables: it stores types and is faster to read.
    """
    check_task(task, TASKS, HINTS.get(task))
    roles = Roles(target, features, ignore, fields, split, group)
    inputs = InputOptions(categories, missing, missing_values)
    targets = TargetOptions(task, classes, positive, standardize_target)
    shares = Shares(test_fraction, validation_fraction)
    return table_dataset(Table(read_parquet(path), path), roles, inputs, targets, seed, shares)

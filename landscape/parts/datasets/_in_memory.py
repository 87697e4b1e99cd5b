"""Tables and arrays of a Python process as datasets, with the options of `parquet` and `npz`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts._options import Between
from landscape.parts.datasets._arrays import (
    ArrayOptions,
    ArrayRoles,
    array_dataset,
    number_or_names,
)
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._named_array import NUMERIC, NamedArray
from landscape.parts.datasets._read import frame_columns
from landscape.parts.datasets._split import Shares
from landscape.parts.datasets._table import HINTS, TASKS, InputOptions, Roles, Table, table_dataset
from landscape.parts.datasets._targets import TargetOptions, check_task
from landscape.parts.tasks import ALL

if TYPE_CHECKING:
    import pandas

_TABLE, _ARRAYS = Path("DataFrame"), "arrays"


def frame_dataset(
    frame: "pandas.DataFrame",
    seed: int,
    *,
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
    """Returns the dataset of a DataFrame; options and errors as in `parquet`."""
    check_task(task, TASKS, HINTS.get(task))
    return table_dataset(
        Table(frame_columns(frame, _TABLE), _TABLE),
        Roles(target, features, ignore, fields, split, group),
        InputOptions(categories, missing, missing_values),
        TargetOptions(task, classes, positive, standardize_target),
        seed,
        Shares(test_fraction, validation_fraction),
    )


def arrays_dataset(
    arrays: Mapping[str, Any],
    seed: int,
    *,
    task: str,
    inputs: str = "inputs",
    targets: str = "targets",
    layout: Literal["channels first", "channels last"] = "channels first",
    tokens: bool | None = None,
    classes: list[str] | int | None = None,
    positive: str | None = None,
    ignore: int | None = None,
    fields: dict[str, str] | None = None,
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
    split: str | None = None,
    group: str | None = None,
) -> Dataset:
    """Returns the dataset of arrays by name; options and errors as in `npz`."""
    check_task(task, tuple(ALL))
    roles = ArrayRoles(inputs, targets, fields, split, group)
    count, names = number_or_names(classes)
    return array_dataset(
        {name: _named_array(arrays, name) for name in roles.names},
        roles,
        ArrayOptions(layout, tokens, count, ignore),
        TargetOptions(task, names, positive, standardize_target),
        seed,
        Shares(test_fraction, validation_fraction),
    )


def _named_array(arrays: Mapping[str, Any], name: str) -> NamedArray:
    """Returns one of the arrays: numbers, or text as an object array of `str`."""
    if name not in arrays:
        raise UserError(f"there is no array `{name}`", hint=nearest(name, arrays))
    values = np.asarray(arrays[name])
    if values.dtype.kind in "OU" and all(isinstance(value, str) for value in values.flat):
        texts = [value.strip() for value in values.flat]
        values = np.array(texts, dtype=object).reshape(values.shape)
    elif values.dtype.kind not in NUMERIC:
        message = f"array `{name}` is of type {values.dtype}; expected numbers or text"
        raise UserError(message, place=Place(_ARRAYS))
    return NamedArray(name, values, _ARRAYS, kind="array")

"""Folders of the package `datasets` of Hugging Face: hf."""

from pathlib import Path
from typing import Annotated, Any, Literal

from landscape.errors import UserError
from landscape.parts._options import Between, Folder
from landscape.parts.datasets._arrays import (
    ArrayOptions,
    ArrayRoles,
    array_dataset,
    number_or_names,
)
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._hugging_face import (
    SPLIT_COLUMN,
    array_columns,
    read_folder,
    table_columns,
)
from landscape.parts.datasets._split import Shares
from landscape.parts.datasets._table import InputOptions, Roles, Table, table_dataset
from landscape.parts.datasets._targets import CLASSES, TargetOptions, check_task
from landscape.parts.tasks import ALL


def hf(
    seed: int,
    *,
    path: Annotated[Path, Folder()],
    target: str | list[str],
    task: str,
    inputs: str | None = None,
    features: list[str] | None = None,
    ignore: list[str] | None = None,
    categories: list[str] | None = None,
    missing: dict[str, Any] | None = None,
    layout: Literal["channels first", "channels last"] = "channels first",
    tokens: bool | None = None,
    classes: list[str] | int | None = None,
    ignore_label: int | None = None,
    positive: str | None = None,
    fields: dict[str, str] | None = None,
    standardize_target: bool = True,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
    split: str | None = None,
    group: str | None = None,
) -> Dataset:
    """A folder of Hugging Face's `Dataset.save_to_disk`: a table, or a column of arrays.

    Needs the extra `hf`; nothing is downloaded. Without `inputs` the columns are a table, read as
    by `parquet` with the same options. `inputs` names a column of images, series or tokens, read as
    by `npz`; `ignore_label` is the label that does not count. Labels have the names and the order
    that the folder states. The splits train, validation and test of a folder are used as they are;
    without a validation, that is taken from train.
    Choose it for data that are already in this format.
    """
    check_task(task, tuple(ALL))
    if inputs is not None and not isinstance(target, str):
        raise UserError("`target` is a list; expected one column beside `inputs`")
    data = read_folder(path)
    count, names = number_or_names(classes)
    if names is None and isinstance(target, str) and positive is None and task in CLASSES:
        names = data.class_names.get(target)
    target_options = TargetOptions(task, names, positive, standardize_target)
    shares = Shares(test_fraction, validation_fraction)
    if split is None and data.splits is not None:
        split = SPLIT_COLUMN
    if inputs is None:
        roles = Roles(target, features, ignore, fields, split, group)
        options = InputOptions(categories, missing)
        table = Table(table_columns(data), path)
        return table_dataset(table, roles, options, target_options, seed, shares)
    array_roles = ArrayRoles(inputs, str(target), fields, split, group)
    array_options = ArrayOptions(layout, tokens, count, ignore_label)
    arrays = array_columns(data, array_roles.names)
    unused = [name for name in data.rows.column_names if name not in arrays]
    return array_dataset(arrays, array_roles, array_options, target_options, seed, shares, unused)

"""User files that hold arrays: npz."""

from pathlib import Path
from typing import Annotated, Literal

from landscape.parts._options import Between
from landscape.parts.datasets._arrays import (
    ArrayOptions,
    ArrayRoles,
    array_dataset,
    number_or_names,
)
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._read import npz_names, read_npz
from landscape.parts.datasets._split import Shares
from landscape.parts.datasets._targets import TargetOptions, check_task
from landscape.parts.tasks import ALL


def npz(
    seed: int,
    *,
    path: Path,
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
    """A user's npz file: an array of inputs and an array of targets, for any task.

    `inputs` and `targets` name the arrays, as in numpy.savez(path, inputs=x, targets=y). Inputs
    are tables (n, features), standardized per column; series (n, time, channels), per channel;
    images in the `layout`, channels first is (n, channels, height, width), with one mean and one
    standard deviation for all training pixels; or with `tokens: true` integers (n, time) as they
    are, which a sequence task assumes of integers.
    Targets: regression (n,) or (n, outputs); binary (n,) of two values, `positive` names class 1;
    multiclass (n,) of integers or text, or shares of each class (n, classes); multilabel
    (n, labels) of 0 and 1; segmentation masks (n, height, width) of 0 and 1, or with `classes`
    of integers; sequence (n, time) of integers; boxes (n, 4). `classes` is their number, or their
    names in order; `ignore` is a label that does not count, as in the field `mask`.
    `fields: {weights: ARRAY}` passes arrays to losses and metrics. `split` and `group` name arrays
    (n,), used as the columns of `csv`. Arrays that no option names are ignored, and listed so.
    Raises UserError for arrays of Python objects and with the position of a wrong value. Choose it
    for everything that is not a table.
    """
    check_task(task, tuple(ALL))
    roles = ArrayRoles(inputs, targets, fields, split, group)
    count, names = number_or_names(classes)
    options = ArrayOptions(layout, tokens, count, ignore)
    target_options = TargetOptions(task, names, positive, standardize_target)
    arrays = dict(zip(roles.names, read_npz(path, roles.names), strict=True))
    shares = Shares(test_fraction, validation_fraction)
    unused = [name for name in npz_names(path) if name not in arrays]
    return array_dataset(arrays, roles, options, target_options, seed, shares, unused)

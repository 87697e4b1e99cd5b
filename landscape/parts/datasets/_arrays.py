"""Named arrays as a dataset: inputs, targets, fields, split."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landscape.errors import Place
from landscape.parts.datasets._array_shapes import (
    channels_first,
    check_per_example,
    check_targets,
    input_kind,
)
from landscape.parts.datasets._array_targets import array_targets
from landscape.parts.datasets._column import Column
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._named_array import NamedArray, numbers
from landscape.parts.datasets._prepare import assemble
from landscape.parts.datasets._split import Shares
from landscape.parts.datasets._targets import TargetOptions, field_arrays, require_fields
from landscape.parts.tasks import Task, named

_ENCODINGS = {
    "table": "standardized per column",
    "series": "standardized per channel",
    "images": "standardized, one mean and one standard deviation for all pixels",
    "tokens": "as they are",
    "array": "standardized, one mean and one standard deviation for all values",
}


class ArrayRoles(NamedTuple):
    """The arrays that a config names, by what they are for."""

    inputs: str
    targets: str
    fields: Mapping[str, str] | None = None
    split: str | None = None
    group: str | None = None

    @property
    def names(self) -> list[str]:
        """The names of all arrays that are read, each once."""
        names = [self.inputs, self.targets, *(self.fields or {}).values(), self.split, self.group]
        return list(dict.fromkeys(name for name in names if name is not None))


class ArrayOptions(NamedTuple):
    """How a config reads the arrays; `classes` and `ignore` are those of the targets."""

    layout: str = "channels first"
    tokens: bool | None = None
    classes: int | None = None
    ignore: int | None = None


def array_dataset(
    arrays: Mapping[str, NamedArray],
    roles: ArrayRoles,
    options: ArrayOptions,
    target_options: TargetOptions,
    seed: int,
    shares: Shares,
    unused: Iterable[str] = (),
) -> Dataset:
    """Returns the examples of named arrays of one file; `unused`: arrays that no option names."""
    source, target = arrays[roles.inputs], arrays[roles.targets]
    task = named(target_options.task)
    kind = input_kind(source, task.name, options.tokens)
    inputs = numbers(source)
    if kind == "images":
        inputs = channels_first(source, inputs, options.layout)
    check_targets(target, task.name, inputs.shape)
    labeled = array_targets(target, target_options, options.classes, options.ignore)
    stated, groups = (None if n is None else arrays[n] for n in (roles.split, roles.group))
    for array in (stated, groups):
        check_per_example(array, len(inputs))
    fields = _fields(arrays, roles, task)
    if labeled.mask is not None:
        fields.setdefault("mask", labeled.mask.astype(np.float32))
    require_fields(task, fields, Place(source.file))
    task.check(labeled.targets.values, fields)
    return assemble(
        inputs,
        labeled.targets.values,
        seed,
        shares,
        groups=groups,
        stated=stated,
        fields=fields,
        task=task.name,
        classes=labeled.targets.classes,
        description=f"{Path(source.file).name}, array `{target.name}` from array `{source.name}`",
        standardize_target=target_options.standardize,
        vocabulary=int(inputs.max()) + 1 if kind == "tokens" else None,
        columns=_columns(roles, kind, labeled.targets.encoding) + _ignored(unused),
        place=Place(source.file),
    )


def _fields(arrays: Mapping[str, NamedArray], roles: ArrayRoles, task: Task) -> dict:
    names = dict(roles.fields or {})
    if roles.group is not None and "groups" in task.fields:
        names.setdefault("groups", roles.group)
    return field_arrays({field: arrays[name] for field, name in names.items()})


def number_or_names(
    classes: Sequence[str] | int | None,
) -> tuple[int | None, Sequence[str] | None]:
    """Returns the number of classes or their names in order, whichever the option states."""
    return (classes, None) if isinstance(classes, int) else (None, classes)


def _ignored(names: Iterable[str]) -> tuple[Column, ...]:
    return tuple(Column(name, "", "", "ignored") for name in names)


def _columns(roles: ArrayRoles, kind: str, encoding: str) -> tuple[Column, ...]:
    """Returns the arrays that are used."""
    columns = [
        Column(roles.inputs, kind, _ENCODINGS[kind], "input"),
        Column(roles.targets, "", encoding, "target"),
    ]
    columns += [Column(name, "", "", f"field `{f}`") for f, name in (roles.fields or {}).items()]
    for name, role in ((roles.split, "split"), (roles.group, "group")):
        if name is not None:
            columns.append(Column(name, "", "", role))
    return tuple(columns)

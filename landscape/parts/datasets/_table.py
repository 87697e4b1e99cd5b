"""A table of named columns as a dataset: the role of each column, encoding, split."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts.datasets._cell_text import MISSING_VALUES
from landscape.parts.datasets._column import Column
from landscape.parts.datasets._dataset import Dataset, Split
from landscape.parts.datasets._encode import encode, missing_of
from landscape.parts.datasets._kinds import Feature, feature, refuse_missing
from landscape.parts.datasets._named_array import NamedArray
from landscape.parts.datasets._prepare import choose_rows, finish
from landscape.parts.datasets._split import Shares
from landscape.parts.datasets._targets import (
    TargetOptions,
    Targets,
    field_arrays,
    require_fields,
    table_targets,
)
from landscape.parts.tasks import Task, named

TASKS = ("regression", "binary", "multiclass", "ordinal", "multilabel", "ranking", "survival")
# Hints by tasks that a table cannot be for.
_ARRAYS = "images, masks, series and tokens need an npz file: `dataset: {name: npz, ...}`"
_TOP_LEVEL = "write `task: {}` for the dataset and `task: {}` at the top level of the config"
HINTS = {
    "segmentation": _ARRAYS,
    "sequence": _ARRAYS,
    "boxes": _ARRAYS,
    "distribution": _TOP_LEVEL.format("regression", "distribution"),
    "embedding": _TOP_LEVEL.format("multiclass", "embedding"),
}


class Roles(NamedTuple):
    """The columns that a config names, by what they are for."""

    target: str | list[str]
    features: list[str] | None = None
    ignore: list[str] | None = None
    fields: Mapping[str, str] | None = None
    split: str | None = None
    group: str | None = None

    @property
    def targets(self) -> list[str]:
        """The names of the target columns."""
        return [self.target] if isinstance(self.target, str) else list(self.target)

    @property
    def others(self) -> Iterator[tuple[str, str]]:
        """The columns that are not inputs, as pairs of name and role; one may have several."""
        yield from ((name, "target") for name in self.targets)
        yield from ((name, f"field `{field}`") for field, name in (self.fields or {}).items())
        if self.split is not None:
            yield self.split, "split"
        if self.group is not None:
            yield self.group, "group"
        yield from ((name, "ignored") for name in self.ignore or ())


class InputOptions(NamedTuple):
    """How a config encodes the inputs of a table."""

    categories: list[str] | None = None
    missing: Mapping[str, Any] | None = None
    missing_values: list[str] | None = None


class Table(NamedTuple):
    """The columns of a file by name."""

    columns: Mapping[str, NamedArray]
    path: Path

    @property
    def place(self) -> Place:
        return Place(str(self.path))

    def select(self, names: Sequence[str]) -> list[NamedArray]:
        """Returns columns by name; raises UserError for a name that the file does not have."""
        for name in names:
            if name not in self.columns:
                hint = nearest(name, self.columns)
                message = f"the file has no column `{name}`"
                raise UserError(message, place=self.place, hint=hint)
        return [self.columns[name] for name in names]

    def column(self, name: str | None) -> NamedArray | None:
        """Returns the column of this name, None without a name."""
        return None if name is None else self.select([name])[0]


def table_dataset(
    table: Table,
    roles: Roles,
    input_options: InputOptions,
    target_options: TargetOptions,
    seed: int,
    shares: Shares,
) -> Dataset:
    """Returns the examples of a table, encoded with statistics of the training rows alone."""
    role_of = _role_of_columns(table, roles, input_options)
    features = _features(table, roles, role_of, input_options)
    missing = missing_of(input_options.missing)
    if missing is None:
        refuse_missing(features)
    targets = table_targets(table.select(roles.targets), target_options)
    task = named(target_options.task)
    fields = _fields(table, roles, task)
    require_fields(task, fields, table.place)
    task.check(targets.values, fields)
    if target_options.standardize and task.standardized and targets.values.ndim == 1:
        targets = targets._replace(encoding="standardized")
    rows = choose_rows(
        seed,
        shares,
        targets.values,
        task=task.name,
        classes=targets.classes,
        place=table.place,
        groups=table.column(roles.group),
        stated=table.column(roles.split),
    )
    encoded = encode(features, rows.train, missing)
    examples = Split(encoded.inputs, targets.values, np.arange(len(targets.values)), fields)
    return finish(
        *map(examples.take, rows),
        task=task.name,
        classes=targets.classes,
        description=_description(table, roles, role_of, len(features)),
        standardize_target=target_options.standardize,
        standardized_inputs=encoded.standardized,
        columns=_columns(role_of, encoded.columns, targets),
        place=table.place,
    )


def _role_of_columns(table: Table, roles: Roles, options: InputOptions) -> dict[str, str]:
    """Returns the role of every column: an input unless the config says otherwise.

    Raises UserError for a name that the file does not have, and for a column that is both an input
    and something else.
    """
    others: dict[str, str] = {}
    for name, role in roles.others:
        table.select([name])
        if role == "ignored" and others.get(name, role) != role:
            raise UserError(f"column `{name}` is both in `ignore` and the {others[name]}")
        others.setdefault(name, role)
    lists = {"a feature": roles.features or (), "in `categories`": options.categories or ()}
    for kind, names in lists.items():
        table.select(names)
        for name in set(names) & others.keys():
            role = "in `ignore`" if others[name] == "ignored" else f"the {others[name]}"
            raise UserError(f"column `{name}` is both {kind} and {role}")
    used = table.columns if roles.features is None else roles.features
    return {
        name: others.get(name, "input" if name in used else "ignored") for name in table.columns
    }


def _features(
    table: Table, roles: Roles, role_of: Mapping[str, str], options: InputOptions
) -> list[Feature]:
    names = roles.features
    if names is None:
        names = [name for name, role in role_of.items() if role == "input"]
    if not names:
        message = "no column is left as an input"
        raise UserError(message, place=table.place, hint="see `features` and `ignore`")
    texts = MISSING_VALUES if options.missing_values is None else options.missing_values
    missing_values = {text.lower() for text in texts}
    categories = options.categories or ()
    return [feature(table.columns[n], missing_values, n in categories) for n in names]


def _fields(table: Table, roles: Roles, task: Task) -> dict[str, np.ndarray]:
    names = dict(roles.fields or {})
    if roles.group is not None and "groups" in task.fields:
        names.setdefault("groups", roles.group)
    columns = table.select([*names.values()])
    return field_arrays(dict(zip(names, columns, strict=True)))


def _columns(
    role_of: Mapping[str, str], inputs: Sequence[Column], targets: Targets
) -> tuple[Column, ...]:
    """Returns every column of the file, in its order."""
    by_name = {column.name: column for column in inputs}
    target_kind = "label" if targets.classes else "number"
    columns = []
    for name, role in role_of.items():
        if role == "target":
            columns.append(Column(name, target_kind, targets.encoding, role))
        else:
            columns.append(by_name.get(name, Column(name, "", "", role)))
    return tuple(columns)


def _description(table: Table, roles: Roles, role_of: Mapping[str, str], features: int) -> str:
    ignored = [name for name, role in role_of.items() if role == "ignored"]
    note = f" (left out: {', '.join(ignored)})" if ignored else ""
    return f"{table.path.name}, {', '.join(roles.targets)} from {features} columns{note}"

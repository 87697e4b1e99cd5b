"""Loads the YAML of an experiment or a run, and writes it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from landscape.config.conditions import check_conditions
from landscape.config.fields import Experiment, Run
from landscape.config.limits import misfit
from landscape.config.look_settings import look_tree
from landscape.config.overrides import override
from landscape.config.resolve import SWEEPABLE, check_sweep, read_as, resolve
from landscape.config.structure import normalize, parts
from landscape.config.yaml_entries import write
from landscape.config.yaml_source import Node, describe, node_at, parse, placed, plain, put, read
from landscape.errors import CombinedError, Place, UserError


def load(path: Path | str, overrides: Sequence[str] = ()) -> Experiment:
    """Returns the experiment of a YAML file, with overrides applied and defaults filled in.

    `overrides` are `key=value` texts. Parts and their options are checked without importing them.
    Raises UserError that lists every mistake, each with its file, line and column or its override.
    """
    path = Path(path)
    tree = look_tree(normalize(read(path)))
    folder = _folder(tree, path)
    tree = put(tree, ("folder",), Node(str(folder), tree.place))
    name = node_at(tree, ("name",))
    if name is None or name.value is None:
        tree = put(tree, ("name",), Node(path.stem, tree.place))
    tree = override(tree, overrides, folder)
    folder = _folder(tree, path)
    tree = put(tree, ("folder",), Node(str(folder), tree.place))
    experiment = resolve(tree, folder)
    check_sweep(tree, folder)
    check_conditions(experiment, tree)
    return experiment


def from_values(values: Mapping[str, Any], folder: Path) -> Experiment:
    """Returns the experiment of plain values, in the form that a config has.

    Paths are looked up in `folder`. Raises UserError that lists every mistake.
    """
    place = Place("Experiment")
    tree = look_tree(placed(dict(values) | {"folder": str(folder)}, place))
    experiment = resolve(tree, folder)
    check_sweep(tree, folder)
    check_conditions(experiment, normalize(tree))
    return experiment


def _folder(tree: Node, path: Path) -> Path:
    """Returns the absolute folder in which paths and user code are looked up."""
    folder_node = node_at(tree, ("folder",))
    if folder_node is None or folder_node.value is None:
        return path.parent.absolute()
    folder = path.parent.absolute() / str(folder_node.value)
    # `Path.is_dir` raises if a name is too long.
    if not isinstance(folder_node.value, str) or not os.path.isdir(folder):  # noqa: PTH112
        message = f"`folder`: found {describe(folder_node)}, expected an existing folder"
        raise UserError(message, place=folder_node.place)
    return folder


def with_places(error: UserError, path: Path | str, overrides: Sequence[str] = ()) -> UserError:
    """Returns an error with the places at which the config names the parts that are wrong.

    Some mistakes in a part are known only when it is imported and tried, long after the config was
    read. An error that has a place, such as a line of the user's code, keeps it, and so does every
    error if the config cannot be read again: it was edited since then.
    """
    path = Path(path)
    try:
        tree = look_tree(normalize(read(path)))
        tree = normalize(override(tree, overrides, _folder(tree, path)))
    except UserError:
        return error
    places: dict[Any, Place] = {}
    for part in parts(tree):
        name = node_at(part.node, ("name",))
        if name is not None:
            places.setdefault(name.value, name.place)
    placed_errors = [
        UserError(inner.message, place=places.get(inner.part), hint=inner.hint, part=inner.part)
        if inner.place is None and inner.part in places
        else inner
        for inner in getattr(error, "errors", (error,))
    ]
    return CombinedError(placed_errors) if len(placed_errors) > 1 else placed_errors[0]


def dump(value: Experiment | Run) -> str:
    """Returns the YAML of an experiment or a run, defaults included; it loads as an equal value."""
    return write(value.model_dump(mode="json"))


def run_from(text: str, file: str = "config.yaml") -> Run:
    """Returns the run that `dump` wrote. Parts are not looked up, so old results stay readable.

    Raises UserError if a swept key is not a setting of a run: it could be a column of a table.
    """
    run = read_as(Run, text, file)
    for key in run.swept:
        if key.partition(".")[0] not in SWEEPABLE:
            raise UserError(
                f"found the swept key `{key}`, which is not a setting that can be swept",
                place=Place(file),
                hint=f"sweepable keys: {', '.join(SWEEPABLE)}",
            )
    return run


def experiment_from(text: str, file: str = "experiment.yaml") -> Experiment:
    """Returns the experiment that `dump` wrote. Parts are not looked up."""
    return read_as(Experiment, text, file)


def options(arguments: Sequence[str]) -> dict[str, Any]:
    """Returns the options of a part from `name=value` texts; values are YAML."""
    values = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name.isidentifier():
            hint = "write NAME=VALUE, for example delta=0.5"
            raise UserError(f"`{argument}` is not of the form NAME=VALUE", hint=hint)
        values[name] = plain(parse(text, f"option {name}"))
        expected = misfit(values[name])
        if expected is not None:
            raise UserError(f"`{argument}`: expected {expected}")
    return values


def schema() -> dict[str, Any]:
    """Returns the JSON schema of a config, for editors that complete and check YAML."""
    return Experiment.model_json_schema()

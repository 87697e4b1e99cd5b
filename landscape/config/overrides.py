"""Locates dotted keys in a config and applies `key=value` arguments."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from landscape.catalog import find
from landscape.config.fields import Experiment
from landscape.config.limits import LONGEST_NAME, MOST_CHARACTERS
from landscape.config.parts import Part
from landscape.config.structure import (
    annotation_at,
    is_list,
    loss_labels,
    model_in,
    normalize,
)
from landscape.config.yaml_source import KeyPath, Node, node_at, parse, placed, plain, put
from landscape.errors import Place, UserError, nearest, raise_all

# Lists for which one number is a count, not an item.
_COUNTS = (
    ("seeds",),
    ("compare", "rates"),
    ("compare", "tuning_seeds"),
    ("compare", "judging_seeds"),
)
_SHOWN_CHARACTERS = 200  # of the argument of a mistake
_ALL_KEYS = "`landscape schema` describes all keys"


def locate(tree: Node, key: str) -> KeyPath:
    """Returns the path of a dotted key in a normalized tree.

    Raises UserError if there is no such key, with the nearest valid one.
    """
    path: KeyPath = ()
    steps = key.split(".")
    if steps[0] == "losses" and len(steps) > 1:
        path, steps = _locate_loss(tree, key.removeprefix("losses."))
    while steps:
        annotation = annotation_at(path)
        model, prefix = model_in(annotation), key.removesuffix(".".join(steps))
        if model is None or (is_list(annotation) and issubclass(model, Part)):
            hint = f"`{prefix[:-1]}` has no keys; set it as a whole"
            raise UserError(f"there is no key `{key}`", hint=hint)
        if is_list(annotation):
            index, steps = _list_index(node_at(tree, path), steps, prefix)
            path = (*path, index)
            continue
        fields = [name for name in model.model_fields if not _is_options(model, name)]
        if steps[0] in fields:
            path, steps = (*path, steps[0]), steps[1:]
        elif issubclass(model, Part) and len(steps) == 1 and steps[0].isidentifier():
            return (*path, "options", steps[0])
        else:
            hint = nearest_key(tree, path, prefix, steps)
            raise UserError(f"there is no key `{key}`", hint=hint)
    return path


def nearest_key(tree: Node, path: KeyPath, prefix: str, steps: list[str]) -> str:
    """Returns a hint with the valid keys that are similar to `prefix` and the `steps` after it.

    For the name of a nested key, such as `learning_rate` or `lines`, that is the whole key.
    """
    first, *others = steps
    nested = [] if path or others else _nested_keys(tree, first)
    if nested:
        return f"did you mean `{nested[0]}`?"
    model = model_in(annotation_at(path))
    assert model is not None
    fields = [field for field in model.model_fields if not _is_options(model, field)]
    # The further steps may be options, which fit any part and are not similar to any key.
    close = difflib.get_close_matches(first, fields, n=1, cutoff=0.6)
    if close:
        has_keys = model_in(annotation_at((*path, close[0]))) is not None
        return f"did you mean `{prefix}{'.'.join([close[0], *(others if has_keys else [])])}`?"
    nested = [] if path else _nested_keys(tree, steps[-1])
    if nested:
        return f"did you mean `{nested[0]}`?"
    return nearest(first, [prefix + field for field in fields], _ALL_KEYS)


def _nested_keys(tree: Node, name: str) -> list[str]:
    """Returns the keys of two steps that end with a name: a setting, or an option of a part."""
    keys = []
    for field in Experiment.model_fields:
        annotation = annotation_at((field,))
        model = model_in(annotation)
        if model is None or is_list(annotation):
            continue
        if name in model.model_fields or name in _option_names(tree, field, model):
            keys.append(f"{field}.{name}")
    return keys


def _option_names(tree: Node, field: str, model: type[BaseModel]) -> set[str]:
    """Returns the names of the options of a part from the menu."""
    if not issubclass(model, Part):
        return set()
    node = node_at(tree, (field, "name"))
    name = str(model.model_fields["name"].default if node is None else node.value)
    try:
        entries = find(model.family, name, Path())
    except UserError:
        return set()
    return {option for entry in entries for option in entry.options}


def _is_options(model: type[BaseModel], field: str) -> bool:
    return issubclass(model, Part) and field == "options"


def _list_index(node: Node | None, steps: list[str], prefix: str) -> tuple[int, list[str]]:
    """Returns the index that a key selects, 0 by default in a list of one, and the other steps."""
    count = len(node.value) if node is not None and isinstance(node.value, list) else 1
    rest = ".".join(steps)
    if not steps[0].isdecimal():
        if count == 1:
            return 0, steps
        raise UserError(
            f"`{prefix[:-1]}` has {count} items, but `{prefix}{rest}` does not select one",
            hint=f"add an index from 0, for example `{prefix}0.{rest}`",
        )
    if int(steps[0]) >= count:
        last = f"the last is `{prefix}{count - 1}`"
        raise UserError(f"there is no `{prefix}{steps[0]}`", hint=last)
    return int(steps[0]), steps[1:]


def _locate_loss(tree: Node, rest: str) -> tuple[KeyPath, list[str]]:
    """Returns the path of the loss with the longest label that starts `rest`, and other steps."""
    labels = loss_labels(tree)
    for index, label in sorted(enumerate(labels), key=lambda pair: -len(pair[1])):
        if rest == label:
            return ("losses", index), []
        if rest.startswith(f"{label}."):
            return ("losses", index), rest[len(label) + 1 :].split(".")
    label = rest.partition(".")[0]
    raise UserError(f"no loss is labeled `{label}`", hint=nearest(label, labels))


def override(tree: Node, arguments: Iterable[str], folder: Path) -> Node:
    """Returns the tree with `key=value` arguments applied in turn.

    A value is YAML. Comma-separated values become a sweep, or a list if the key takes one. Raises
    UserError that lists every argument that is wrong, and if a key is set twice.
    """
    arguments = tuple(arguments)
    _refuse_long(arguments)
    _refuse_spaces(arguments)
    errors = []
    earlier: dict[str, str] = {}
    for argument in arguments:
        key, _, value = (text.strip() for text in argument.partition("="))
        try:
            if key in earlier:
                hint = f"remove one; to try both values, write `{key}={earlier[key]},{value}`"
                raise UserError(f"`{key}` is set twice", hint=hint)
            earlier[key] = value
            tree = normalize(_override(tree, argument, folder))
        except UserError as error:
            place = _place(argument)
            errors.append(UserError(error.message, place=place, hint=error.hint))
    raise_all(errors)
    return tree


def _refuse_long(arguments: tuple[str, ...]) -> None:
    for argument in arguments:
        key = argument.partition("=")[0]
        for text, most in ((key, LONGEST_NAME), (argument, MOST_CHARACTERS)):
            if len(text) > most:
                raise UserError(
                    f"found `{text[:60]}...` of {len(text)} characters, expected at most {most}",
                    hint="write long values into the config",
                )


def _refuse_spaces(arguments: tuple[str, ...]) -> None:
    """Raises UserError for `steps = 5`, which reaches the program as three arguments."""
    text = " ".join(arguments)
    joined = re.sub(r"\s*=\s*", "=", text)
    incomplete = any(not all(argument.partition("=")) for argument in arguments)
    if incomplete and joined != text:
        message = f"found `{text}`, expected no spaces around `=`"
        raise UserError(message, hint=f"write `{joined}`")


def _place(argument: str) -> Place:
    shown = argument if len(argument) <= _SHOWN_CHARACTERS else f"{argument[:_SHOWN_CHARACTERS]}..."
    return Place(f"argument `{shown}`")


def _override(tree: Node, argument: str, folder: Path) -> Node:
    key, equals, text = argument.partition("=")
    key = key.strip()
    if not equals or not key:
        example = "for example `optimizer.learning_rate=0.01`"
        raise UserError(f"found `{argument}`, expected `key=value`", hint=example)
    if key.startswith("sweep."):
        swept = key.removeprefix("sweep.")
        hint = f"write `{swept}={text}`; several values are a sweep"
        raise UserError(f"found the key `{key}`, expected `{swept}`", hint=hint)
    place = _place(argument)
    path = locate(tree, key)
    values = [placed(plain(node), place) for node in _values(text, path)]
    as_list = Node(values, place, place)
    takes_list = _takes_list(tree, path, folder)
    if len(values) > 1:
        all_lists = all(isinstance(value.value, list) for value in values)
        if takes_list and not all_lists:
            return _set(tree, key, path, as_list)
        return put(tree, ("sweep", key), as_list)
    is_whole = isinstance(values[0].value, list) or values[0].value is None or path in _COUNTS
    return _set(tree, key, path, as_list if takes_list and not is_whole else values[0])


def _values(text: str, path: KeyPath) -> list[Node]:
    """Returns one value, or those between commas that are outside of brackets and quotes."""
    if path == ("title",):
        parse(json.dumps(text), "")  # refuses characters that cannot be stored
        return [Node(text, Place(""))]
    try:
        single = parse(text, "")
        is_quoted = text.lstrip().startswith(("'", '"'))
        if not isinstance(single.value, str) or "," not in single.value or is_quoted:
            return [single]
    except UserError:
        if "," not in text:
            raise
    values = parse(f"[{text}]", "").value
    if not isinstance(values, list):
        raise UserError(f"found `{text}`, expected comma-separated values")
    return values


def _set(tree: Node, key: str, path: KeyPath, value: Node) -> Node:
    """Sets a value and removes a sweep over the same key."""
    tree = put(tree, path, replace(value, key=value.place))
    sweep = node_at(tree, ("sweep",))
    if sweep is None or node_at(sweep, (key,)) is None:
        return tree
    others = {name: child for name, child in sweep.value.items() if name != key}
    return put(tree, ("sweep",), replace(sweep, value=others))


def _takes_list(tree: Node, path: KeyPath, folder: Path) -> bool:
    if path[-2:-1] != ("options",):
        return is_list(annotation_at(path))
    *part_path, _, option = path
    model, name = model_in(annotation_at(tuple(part_path))), node_at(tree, (*part_path, "name"))
    if model is None or not issubclass(model, Part) or name is None:
        return False
    try:
        entries = find(model.family, str(name.value), folder)
    except UserError:
        return False  # reported when the part is checked
    annotations = [e.options[option].annotation for e in entries if option in e.options]
    return any(annotation.startswith(("tuple", "list")) for annotation in annotations)

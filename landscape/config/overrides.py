"""Locates dotted keys in a config and applies `key=value` arguments."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from landscape.catalog import find
from landscape.config.parts import Part
from landscape.config.structure import annotation_at, is_list, loss_labels, model_in, normalize
from landscape.config.yaml_source import KeyPath, Node, node_at, parse, placed, plain, put
from landscape.errors import Place, UserError, nearest, raise_all


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
            hint = nearest(prefix + steps[0], [prefix + name for name in fields])
            raise UserError(f"there is no key `{key}`", hint=hint)
    return path


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
    UserError that lists every argument that is wrong.
    """
    errors = []
    for argument in arguments:
        try:
            tree = normalize(_override(tree, argument, folder))
        except UserError as error:
            place = Place(f"argument `{argument}`")
            errors.append(UserError(error.message, place=place, hint=error.hint))
    raise_all(errors)
    return tree


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
    place = Place(f"argument `{argument}`")
    path = locate(tree, key)
    values = [placed(plain(node), place) for node in _values(text, path)]
    as_list = Node(values, place, place)
    takes_list = _takes_list(tree, path, folder)
    if len(values) > 1:
        all_lists = all(isinstance(value.value, list) for value in values)
        if takes_list and not all_lists:
            return _set(tree, key, path, as_list)
        return put(tree, ("sweep", key), as_list)
    is_whole = isinstance(values[0].value, list) or values[0].value is None or path == ("seeds",)
    return _set(tree, key, path, as_list if takes_list and not is_whole else values[0])


def _values(text: str, path: KeyPath) -> list[Node]:
    """Returns one value, or those between commas that are outside of brackets and quotes."""
    if path == ("title",):
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

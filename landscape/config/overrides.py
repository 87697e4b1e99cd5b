"""Locates dotted keys in a config and applies `key=value` arguments."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from landscape.catalog import find
from landscape.config.fields import Experiment
from landscape.config.parts import LossPart, Part
from landscape.config.structure import (
    annotation_at,
    is_list,
    loss_labels,
    model_in,
    normalize,
    parts,
)
from landscape.config.yaml_source import KeyPath, Node, node_at, parse, placed, plain, put
from landscape.errors import Place, UserError, nearest, raise_all


def locate(tree: Node, key: str) -> KeyPath:
    """Returns the path of a dotted key in a normalized tree.

    Raises UserError if there is no such key, with the nearest valid one.
    """
    first, _, rest = key.partition(".")
    if first == "losses" and rest:
        return _locate_loss(tree, rest)
    return _locate(tree, Experiment, key.split("."), ())


def _locate(
    node: Node | None, model: type[BaseModel], steps: list[str], above: tuple[str, ...]
) -> KeyPath:
    """Follows the steps of a key from `node`, which `model` describes and the key `above` names."""
    step, rest = steps[0], steps[1:]
    is_part = issubclass(model, Part)
    known = [name for name in model.model_fields if not (is_part and name == "options")]
    if step not in known:
        if is_part and not rest and step.isidentifier():
            return "options", step
        key = ".".join((*above, *steps))
        names = [".".join((*above, name)) for name in known]
        raise UserError(f"there is no key `{key}`", hint=nearest(".".join((*above, step)), names))
    if not rest:
        return (step,)
    annotation = model.model_fields[step].annotation
    inner = model_in(annotation)
    child = node.value.get(step) if node is not None and isinstance(node.value, dict) else None
    if inner is not None and is_list(annotation) and not issubclass(inner, Part):
        index, rest = _list_index(child, rest, (*above, step))
        if not rest:
            return step, index
        items = child.value if child is not None and isinstance(child.value, list) else []
        item = items[index] if items else None
        return (step, index, *_locate(item, inner, rest, (*above, step)))
    if inner is None or is_list(annotation):
        whole = ".".join((*above, step))
        raise UserError(
            f"there is no key `{whole}.{'.'.join(rest)}`",
            hint=f"`{whole}` has no keys; set it as a whole",
        )
    return (step, *_locate(child, inner, rest, (*above, step)))


def _list_index(
    node: Node | None, steps: list[str], above: tuple[str, ...]
) -> tuple[int, list[str]]:
    """Returns the index that a key selects in a list, 0 by default for one item; and its rest."""
    count = len(node.value) if node is not None and isinstance(node.value, list) else 1
    whole = ".".join(above)
    if not steps[0].isdecimal():
        if count == 1:
            return 0, steps
        raise UserError(
            f"`{whole}` has {count} items, but `{whole}.{'.'.join(steps)}` does not select one",
            hint=f"add an index from 0, for example `{whole}.0.{'.'.join(steps)}`",
        )
    if int(steps[0]) >= count:
        last = f"the last is `{whole}.{count - 1}`"
        raise UserError(f"there is no `{whole}.{steps[0]}`", hint=last)
    return int(steps[0]), steps[1:]


def _locate_loss(tree: Node, rest: str) -> KeyPath:
    labels = loss_labels(tree)
    for index, label in sorted(enumerate(labels), key=lambda pair: -len(pair[1])):
        if rest == label:
            return "losses", index
        if rest.startswith(f"{label}."):
            steps = rest[len(label) + 1 :].split(".")
            return "losses", index, *_locate(None, LossPart, steps, ("losses", label))
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
    if len(path) >= 2 and path[-2] == "options":
        return _option_takes_list(tree, path, folder)
    return is_list(annotation_at(path))


def _option_takes_list(tree: Node, path: KeyPath, folder: Path) -> bool:
    *part_path, _, option = path
    for part in parts(tree):
        name = node_at(part.node, ("name",))
        if [*part.path] == part_path and name is not None and isinstance(name.value, str):
            try:
                entries = find(part.model.family, name.value, folder)
            except UserError:
                return False  # reported when the part is checked
            annotations = [e.options[option].annotation for e in entries if option in e.options]
            return any(annotation.startswith(("tuple", "list")) for annotation in annotations)
    return False

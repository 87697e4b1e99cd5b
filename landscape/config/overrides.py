"""Dotted keys into a config, and `key=value` arguments that change it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from landscape.catalog import find
from landscape.config.fields import Experiment
from landscape.config.parts import Part
from landscape.config.yaml_source import Node, at, parse, placed, plain, put, shown
from landscape.errors import Place, UserError, nearest, raise_all

Path_ = tuple[Any, ...]


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation holds, alone, in a list or beside null."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)


def is_list(annotation: Any) -> bool:
    """Whether a field takes a list of values."""
    if get_origin(annotation) in (Union, UnionType):
        return any(is_list(argument) for argument in get_args(annotation))
    metadata = getattr(annotation, "__metadata__", None)
    if metadata is not None:
        return is_list(get_args(annotation)[0])
    return get_origin(annotation) is tuple


def normalize(node: Node, model: type[BaseModel] = Experiment) -> Node:
    """The tree with each part written in full: a mapping of name, own fields and options.

    A list of things that are no parts may be written as the one thing it holds. What has the wrong
    shape stays as it is; the models complain about it later.
    """
    if issubclass(model, Part):
        node = _normalize_part(node, model)
    if not isinstance(node.value, dict):
        return node
    children = dict(node.value)
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is None or name not in children:
            continue
        child = children[name]
        if not is_list(field.annotation):
            children[name] = normalize(child, inner)
        elif isinstance(child.value, dict) and not issubclass(inner, Part):
            children[name] = replace(child, value=[normalize(child, inner)])
        elif isinstance(child.value, list):
            items = [normalize(item, inner) for item in child.value]
            children[name] = replace(child, value=items)
    return replace(node, value=children)


def _normalize_part(node: Node, model: type[Part]) -> Node:
    if isinstance(node.value, str):
        return replace(node, value={"name": Node(node.value, node.place)})
    if not isinstance(node.value, dict):
        return node
    own = {key: child for key, child in node.value.items() if key in model.model_fields}
    flat = {key: child for key, child in node.value.items() if key not in model.model_fields}
    if not flat:
        return node
    nested = own.get("options")
    if nested is not None and isinstance(nested.value, dict):
        flat = {**nested.value, **flat}
    return replace(node, value={**own, "options": Node(flat, node.place)})


def parts(
    node: Node, model: type[BaseModel] = Experiment, path: Path_ = ()
) -> Iterator[tuple[Path_, Node, type[Part]]]:
    """Every part of a normalized tree, with its path and its kind."""
    if issubclass(model, Part):
        yield path, node, model
    if not isinstance(node.value, dict):
        return
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        child = node.value.get(name)
        if inner is None or child is None or child.value is None:
            continue
        if not is_list(field.annotation):
            yield from parts(child, inner, (*path, name))
        elif isinstance(child.value, list):
            for number, item in enumerate(child.value):
                yield from parts(item, inner, (*path, name, number))


def labels(tree: Node) -> list[str]:
    """What each loss is called: its label, else the shortest name that no other has.

    In turn: `focal`, `focal[gamma=3.0]` by the options as written, `mine.py:focal[gamma=3.0]`.
    """
    losses = [plain(node) for node in _losses(tree)]
    losses = [loss if isinstance(loss, dict) else {} for loss in losses]
    levels = [[_label(loss, level) for loss in losses] for level in range(3)]
    return [
        next((names[i] for names in levels if names.count(names[i]) == 1), levels[-1][i])
        for i in range(len(losses))
    ]


def _losses(tree: Node) -> list[Node]:
    losses = at(tree, ("losses",))
    return losses.value if losses is not None and isinstance(losses.value, list) else []


def _label(loss: dict[str, Any], level: int) -> str:
    if loss.get("label") is not None:
        return str(loss["label"])
    name = str(loss.get("name", ""))
    label = name if level == 2 else name.rpartition(":")[2]
    options = loss.get("options")
    if level == 0 or not isinstance(options, dict) or not options:
        return label
    written = ",".join(f"{key}={shown(value)}" for key, value in options.items())
    return f"{label}[{written}]"


def locate(tree: Node, key: str) -> Path_:
    """The path of a dotted key in a normalized tree; UserError with the nearest valid key."""
    first, _, rest = key.partition(".")
    if first == "losses" and rest:
        return _locate_loss(tree, rest)
    return _locate(tree, Experiment, key.split("."), ())


def _locate(
    tree: Node | None, model: type[BaseModel], steps: list[str], above: tuple[str, ...]
) -> Path_:
    step, rest = steps[0], steps[1:]
    is_part = issubclass(model, Part)
    known = [name for name in model.model_fields if not (is_part and name == "options")]
    if step not in known:
        if is_part and not rest and step.isidentifier():
            return "options", step
        dotted = [".".join((*above, name)) for name in known]
        key = ".".join((*above, *steps))
        hint = nearest(".".join((*above, step)), dotted)
        raise UserError(f"there is no key `{key}`", hint=hint)
    if not rest:
        return (step,)
    annotation = model.model_fields[step].annotation
    inner = model_in(annotation)
    below = None if tree is None or not isinstance(tree.value, dict) else tree.value.get(step)
    if inner is not None and is_list(annotation) and not issubclass(inner, Part):
        number, rest = _which(below, rest, (*above, step))
        if not rest:
            return step, number
        items = below.value if below is not None and isinstance(below.value, list) else []
        item = items[number] if items else None
        return (step, number, *_locate(item, inner, rest, (*above, step)))
    if inner is None or is_list(annotation):
        whole = ".".join((*above, step))
        raise UserError(
            f"there is no key `{whole}.{'.'.join(rest)}`",
            hint=f"`{whole}` has no keys inside; set it as a whole",
        )
    return (step, *_locate(below, inner, rest, (*above, step)))


def _which(listed: Node | None, steps: list[str], above: tuple[str, ...]) -> tuple[int, list[str]]:
    """Which item of a list a key is about: by its number, or the only one; and the rest of it."""
    count = len(listed.value) if listed is not None and isinstance(listed.value, list) else 1
    whole = ".".join(above)
    if not steps[0].isdecimal():
        if count == 1:
            return 0, steps
        raise UserError(
            f"`{whole}` lists {count}: `{whole}.{'.'.join(steps)}` does not say which",
            hint=f"count from 0, as in `{whole}.0.{'.'.join(steps)}`",
        )
    if int(steps[0]) >= count:
        last = f"the last is `{whole}.{count - 1}`"
        raise UserError(f"there is no `{whole}.{steps[0]}`", hint=last)
    return int(steps[0]), steps[1:]


def _locate_loss(tree: Node, rest: str) -> Path_:
    found = labels(tree)
    for number, label in sorted(enumerate(found), key=lambda pair: -len(pair[1])):
        if rest == label:
            return "losses", number
        if rest.startswith(f"{label}."):
            loss = model_in(Experiment.model_fields["losses"].annotation)
            assert loss is not None
            steps = rest[len(label) + 1 :].split(".")
            return "losses", number, *_locate(None, loss, steps, ("losses", label))
    wrong = rest.partition(".")[0]
    raise UserError(f"no loss is labeled `{wrong}`", hint=nearest(wrong, found))


def override(tree: Node, arguments: Iterable[str], folder: Path) -> Node:
    """The tree with `key=value` arguments applied in turn; UserError lists all that are wrong.

    A value is YAML. Several with commas between them are a grid, and go to the sweep; for a key
    that is a list they are the list.
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
        example = "with several values, as in `optimizer.learning_rate=0.1,0.01`"
        raise UserError("a sweep is made by the key alone", hint=example)
    place = Place(f"argument `{argument}`")
    path = locate(tree, key)
    values = [placed(plain(node), place) for node in _values(text, path)]
    every = Node(values, place, place)
    if len(values) > 1:
        lists = all(isinstance(value.value, list) for value in values)
        if _takes_list(tree, path, folder) and not lists:
            return _set(tree, key, path, every)
        return put(tree, ("sweep", key), every)
    whole = isinstance(values[0].value, list) or values[0].value is None or path == ("seeds",)
    if _takes_list(tree, path, folder) and not whole:
        return _set(tree, key, path, every)
    return _set(tree, key, path, values[0])


def _values(text: str, path: Path_) -> list[Node]:
    """One value, or those between the commas that stand outside of brackets and quotes."""
    if path == ("title",):
        return [Node(text, Place(""))]
    try:
        alone = parse(text, "")
        quoted = text.lstrip().startswith(("'", '"'))
        if not isinstance(alone.value, str) or "," not in alone.value or quoted:
            return [alone]
    except UserError:
        if "," not in text:
            raise
    values = parse(f"[{text}]", "").value
    if not isinstance(values, list):
        raise UserError(f"found `{text}`, expected values with commas between them")
    return values


def _set(tree: Node, key: str, path: Path_, value: Node) -> Node:
    """Sets a value, which also ends a sweep over that key."""
    tree = put(tree, path, replace(value, key=value.place))
    sweep = at(tree, ("sweep",))
    if sweep is None or at(sweep, (key,)) is None:
        return tree
    kept = {name: child for name, child in sweep.value.items() if name != key}
    return put(tree, ("sweep",), replace(sweep, value=kept))


def _takes_list(tree: Node, path: Path_, folder: Path) -> bool:
    if len(path) >= 2 and path[-2] == "options":
        return _option_takes_list(tree, path, folder)
    annotation: Any = Experiment
    for step in path:
        model = model_in(annotation)
        assert model is not None
        annotation = model if isinstance(step, int) else model.model_fields[step].annotation
    return is_list(annotation)


def _option_takes_list(tree: Node, path: Path_, folder: Path) -> bool:
    *where, _, option = path
    for part_path, node, kind in parts(tree):
        name = at(node, ("name",))
        if part_path == tuple(where) and name is not None and isinstance(name.value, str):
            try:
                found = find(kind.family, name.value, folder)
            except UserError:
                return False  # reported where the part is checked
            written = [e.options[option].annotation for e in found if option in e.options]
            return any(annotation.startswith(("tuple", "list")) for annotation in written)
    return False

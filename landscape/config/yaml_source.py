"""Parses YAML 1.2 into a tree whose values know their line and column."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from landscape.config.limits import MOST_BYTES, MOST_CHARACTERS, MOST_DIGITS
from landscape.config.yaml_composer import BoundError, compose
from landscape.errors import (
    Place,
    UserError,
    describe_value,
    nearest_file,
    raise_all,
    refuse_special,
)

TAG = "tag:yaml.org,2002:"
_SHOWN_CHARACTERS = 300  # of the line of a mistake
# The keys of mappings and indices of lists from the root to a node.
KeyPath = tuple[Any, ...]
# By words of the problem.
_YAML_HINTS = {
    "'\\t'": "indent with spaces, not with tabs",
    "mapping values are not allowed": (
        "write a space after the colon of a key, indent all keys of a mapping alike, and quote a "
        "text that contains a colon"
    ),
    "<block end>": "indent all keys of a mapping alike",
    "end of stream": "close the quotes or the bracket",
}


@dataclass(frozen=True)
class Node:
    """A value with its place, and the place of its key if it has one."""

    value: Any  # None, bool, int, float, str, dict[str, Node] or list[Node]
    place: Place
    key: Place | None = None


def read(path: Path) -> Node:
    """Returns the tree of a YAML file.

    Raises UserError if it is not a regular file, cannot be read or is not a mapping.
    """
    place = Place(str(path))
    refuse_special(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig") if len(data) <= MOST_BYTES else ""
    except FileNotFoundError:
        hint = nearest_file(path)
        raise UserError("this file does not exist", place=place, hint=hint) from None
    except IsADirectoryError:
        hint = "name a YAML file in it"
        raise UserError("this is a folder, expected a file", place=place, hint=hint) from None
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8 text ({error.reason})"
        raise UserError(message, place=place, hint="save the file as UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot read this file: {error.strerror}", place=place) from None
    if len(data) > MOST_BYTES:
        message = f"this file is larger than {MOST_BYTES} bytes, the most that a config may have"
        raise UserError(message, place=place, hint="name a YAML file of settings, not of data")
    tree = parse(text, str(path))
    if not isinstance(tree.value, dict):
        content = "nothing" if tree.value is None else describe(tree)
        message = f"found {content}, expected a mapping of keys such as `dataset: digits`"
        raise UserError(message, place=tree.place)
    return tree


def parse(text: str, file: str) -> Node:
    """Returns the tree of one YAML document.

    Raises UserError that lists every duplicate key and every value that is not plain, or at the
    place where the document exceeds the bounds of `yaml_composer.compose`.
    """
    builder = _Builder(file, text.splitlines())
    try:
        root = compose(text)
    except BoundError as error:
        raise UserError(str(error.problem), place=builder.place(error.problem_mark)) from None
    except MarkedYAMLError as error:
        raise _not_yaml(error, builder) from None
    except YAMLError as error:
        position = getattr(error, "position", 0)
        line, start = text.count("\n", 0, position), text.rfind("\n", 0, position) + 1
        place = Place(file, line + 1, position - start + 1)
        raise UserError("found a character that YAML does not allow", place=place) from None
    if root is None:
        return Node(None, Place(file, 1, 1))
    tree = builder.build(root, None)
    raise_all(builder.errors)
    return tree


def _not_yaml(error: MarkedYAMLError, builder: "_Builder") -> UserError:
    context, problem = error.context, str(error.problem)
    start, end = error.context_mark, error.problem_mark
    if context and start is not None and end is not None and start.line != end.line:
        context += f" from line {start.line + 1}"
    hint = next((hint for words, hint in _YAML_HINTS.items() if words in problem), None)
    return UserError(
        f"not valid YAML: {', '.join(part for part in (context, problem) if part)}",
        place=builder.place(end or start),
        hint=hint,
    )


class _Builder:
    """Builds the tree from composed YAML nodes and collects errors."""

    def __init__(self, file: str, lines: list[str]):
        self.file = file
        self.lines = lines
        self.scalars = YAML(typ="safe", pure=True).constructor
        self.errors: list[UserError] = []

    def place(self, mark: Any) -> Place:
        text = self.lines[mark.line][:_SHOWN_CHARACTERS] if mark.line < len(self.lines) else None
        return Place(self.file, mark.line + 1, mark.column + 1, text)

    def build(self, node: Any, key: Place | None) -> Node:
        place = self.place(node.start_mark)
        value: Any = None
        if isinstance(node, ScalarNode):
            value = self._scalar(node, place)
        elif str(node.tag) not in (TAG + "map", TAG + "seq"):
            self._report_tag(node, place)
        elif isinstance(node, MappingNode):
            value = self._mapping(node)
        else:
            value = [self.build(item, None) for item in node.value]
        return Node(value, place, key)

    def _report(self, message: str, place: Place, hint: str | None = None) -> None:
        self.errors.append(UserError(message, place=place, hint=hint))

    def _scalar(self, node: ScalarNode, place: Place) -> Any:
        if len(node.value) > MOST_CHARACTERS:
            length = len(node.value)
            self._report(
                f"found a text of {length} characters, expected at most {MOST_CHARACTERS}", place
            )
            return None
        kind = str(node.tag).removeprefix(TAG)
        match kind:
            case "null":
                return None
            case "int" if len(node.value) > MOST_DIGITS:
                self._report(f"found a number of more than {MOST_DIGITS} digits", place)
                return 0
            case "bool" | "int" | "float":
                return self._number(kind, node, place)
            case "str" | "timestamp" | "value" | "merge":
                self._check_text(node.value, place)
                return node.value
        self._report_tag(node, place)
        return None

    def _number(self, kind: str, node: ScalarNode, place: Place) -> bool | int | float:
        try:
            value: bool | int | float = getattr(self.scalars, f"construct_yaml_{kind}")(node)
        except (ValueError, KeyError, IndexError):  # a tag that was written before other text
            self._report(f"found `{node.value}` with the tag `!!{kind}`", place, "remove the tag")
            return 0
        if not math.isfinite(value):
            self._report(f"found `{node.value}`, expected a finite number", place)
        return value

    def _check_text(self, text: str, place: Place) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._report("found half of a pair of UTF-16, expected characters", place)

    def _report_tag(self, node: Any, place: Place) -> None:
        tag = str(node.tag).replace(TAG, "!!")
        self._report(f"found the tag `{tag}`, expected a plain value", place)

    def _mapping(self, node: MappingNode) -> dict[str, Node]:
        direct: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            place = self.place(key_node.start_mark)
            self._check_text(str(key_node.value), place)
            if not isinstance(key_node, ScalarNode):
                self._report("found a mapping or a list as a key, expected text", place)
            elif str(key_node.tag) == TAG + "merge":
                merged = {**self._merge(value_node, place), **merged}
            elif not key_node.value:
                self._report("found an empty key, expected a name before the colon", place)
            elif key_node.value in direct:
                first = direct[key_node.value].key
                message = f"duplicate key `{key_node.value}`, first on line {first and first.line}"
                hint = "remove one of them; the last one would silently win"
                self._report(message, place, hint)
            else:
                direct[key_node.value] = self.build(value_node, place)
        return {**merged, **direct}

    def _merge(self, node: Any, place: Place) -> dict[str, Node]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Node] = {}
        for source in sources:
            built = self.build(source, place)
            if isinstance(built.value, dict):
                merged = {**built.value, **merged}
            else:
                self._report(f"found {describe(built)}, expected a mapping to merge", place)
        return merged


def describe(node: Node) -> str:
    """Describes the value of a node for a message: `the text 'abc'`, `the list [1, 2]`."""
    return describe_value(plain(node))


def short_text(value: Any) -> str:
    """Returns a value as short text: `0.01`, `true`, `[8,8]`, `mlp`."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def plain(node: Node) -> Any:
    """Returns the values of a tree without their places."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def placed(value: Any, place: Place) -> Node:
    """Returns the tree of plain values that all have the same place."""
    if isinstance(value, dict):
        value = {str(key): replace(placed(item, place), key=place) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        value = [placed(item, place) for item in value]
    return Node(value, place)


def deepest_node(tree: Node, path: Iterable[Any]) -> Node:
    """Returns the node at a path, or the last node before the path leaves the tree."""
    for step in path:
        child = node_at(tree, (step,))
        if child is None:
            break
        tree = child
    return tree


def node_at(tree: Node, path: Iterable[Any]) -> Node | None:
    """Returns the node at a path, None if the path leaves the tree."""
    for step in path:
        try:
            tree = tree.value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def put(tree: Node, path: KeyPath, new: Node) -> Node:
    """Returns the tree with another node at a path.

    Missing mappings are created; a missing list gets the new node as its only item.
    """
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        if not isinstance(tree.value, list):
            return replace(tree, value=[put(Node(None, new.place, new.key), rest, new)])
        items = [put(old, rest, new) if i == step else old for i, old in enumerate(tree.value)]
        return replace(tree, value=items)
    children = tree.value if isinstance(tree.value, dict) else {}
    child = children.get(step, Node(None, new.place, new.key))
    return replace(tree, value={**children, step: put(child, rest, new)})

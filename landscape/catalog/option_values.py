"""What an option of a part accepts, by its annotation as written in the source."""

import ast
import collections.abc
import functools
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import to_json, to_jsonable_python

from landscape.catalog.menu import Option

_WORDS: dict[str, Any] = {
    "Any": Any,
    "Callable": collections.abc.Callable,
    "Literal": typing.Literal,
    "Mapping": collections.abc.Mapping,
    "Optional": typing.Optional,
    "Path": Path,
    "Sequence": collections.abc.Sequence,
}
_ABSTRACT = ("Callable", "Mapping", "Sequence")
_WORDS |= {f"collections.abc.{name}": _WORDS[name] for name in _ABSTRACT}
_WORDS |= {"pathlib.Path": Path}
_WORDS |= {f"typing.{name}": kind for name, kind in _WORDS.items() if "." not in name}
_WORDS |= {kind.__name__: kind for kind in (bool, dict, float, int, list, set, str, tuple)}
_FINITE = ConfigDict(allow_inf_nan=False)
_NAMES = {
    bool: "true or false",
    float: "a number",
    int: "a whole number",
    str: "text",
    Path: "the path of a file",
    types.NoneType: "null",
}


@functools.cache
def _kind(annotation: str) -> tuple[Any, TypeAdapter[Any] | None]:
    """The type that an annotation names; None where it says nothing about a config's values."""
    try:
        kind = _read(ast.parse(annotation, mode="eval").body)
        return kind, TypeAdapter(kind, config=_FINITE)
    except Exception:  # an alias, an array, a type of the user's own: left to the part itself
        return Any, None


def _read(node: ast.expr) -> Any:
    """The type that an annotation spells; KeyError or TypeError where it is none that is known."""
    match node:
        case ast.Constant(str(text)):  # an annotation in quotes
            return _read(ast.parse(text, mode="eval").body)
        case ast.Constant(value):
            return value
        case ast.Subscript(ast.Name("Literal") | ast.Attribute(attr="Literal"), index):
            return typing.Literal[ast.literal_eval(index)]
        case ast.Name(name):
            return _WORDS[name]
        case ast.Attribute():
            return _WORDS[ast.unparse(node)]
        case ast.Tuple(elements) | ast.List(elements):
            return tuple(_read(element) for element in elements)
        case ast.Subscript(value, index):
            return _read(value)[_read(index)]
        case ast.BinOp(left, ast.BitOr(), right):
            return _read(left) | _read(right)
    raise TypeError(ast.unparse(node))


def python(option: Option, value: Any) -> Any:
    """A JSON value as the Python value that the annotation names: a list as a tuple, a path.

    Raises pydantic's ValidationError for a value that the annotation does not allow. A whole
    number is accepted as a float, true and false are no numbers, 2.0 is no whole number.
    """
    adapter = _kind(option.annotation)[1]
    if adapter is None:
        return value
    return adapter.validate_json(to_json(value, inf_nan_mode="constants"), strict=True)


def canonical(option: Option, value: Any) -> Any:
    """The JSON value that stands for the same Python value: 1.0 for a float that is written 1."""
    return to_jsonable_python(python(option, value))


def default(option: Option) -> Any:
    """The default as a JSON value."""
    plain = to_jsonable_python(option.default, fallback=repr)
    try:
        return canonical(option, plain)
    except ValidationError:
        return plain


def is_path(option: Option) -> bool:
    """Whether the option names a file."""
    kind = _kind(option.annotation)[0]
    return kind is Path or Path in typing.get_args(kind)


def choices(option: Option) -> list[str]:
    """The texts to choose from, where the annotation lists them."""
    kind = _kind(option.annotation)[0]
    kinds = [kind, *typing.get_args(kind)]
    literals = [k for k in kinds if typing.get_origin(k) is typing.Literal]
    return [value for k in literals for value in typing.get_args(k) if isinstance(value, str)]


def accepts(option: Option) -> str:
    """What the annotation allows, in words: `a list of whole numbers`, `a number or null`."""
    return _in_words(_kind(option.annotation)[0]) or option.annotation


def _in_words(kind: Any) -> str:
    if kind in _NAMES:
        return _NAMES[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        words = [_in_words(argument) for argument in arguments]
        return " or ".join(word for word in words if word)
    if origin in (tuple, list) and arguments:
        items = _in_words(arguments[0]).removeprefix("a ").removeprefix("the ")
        return f"a list (each: {items})" if items else "a list"
    return ""

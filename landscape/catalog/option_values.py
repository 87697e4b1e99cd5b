"""The values that an option of a part accepts, from its annotation as written in the source.

Functions import pydantic, since menus are listed without it, in half the time.
"""

import ast
import collections.abc
import functools
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.catalog.menu import Option

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_FOLDER = typing.Annotated[Path, "folder"]
_TYPES: dict[str, Any] = {
    "Annotated": typing.Annotated,
    "Any": Any,
    "Callable": collections.abc.Callable,
    "Literal": typing.Literal,
    "Mapping": collections.abc.Mapping,
    "Optional": typing.Optional,
    "Path": Path,
    "Sequence": collections.abc.Sequence,
}
_TYPES |= {kind.__name__: kind for kind in (bool, dict, float, int, list, set, str, tuple)}
_MODULES = ("collections.abc", "pathlib", "typing")
_DESCRIPTIONS = {
    bool: "true or false",
    float: "a number",
    int: "a whole number",
    str: "text",
    Path: "the path of a file",
    types.NoneType: "null",
}


@functools.cache
def _type(annotation: str) -> "tuple[Any, TypeAdapter[Any] | None]":
    """Returns the type of an annotation and its validator, None if it is not a known type."""
    from pydantic import TypeAdapter

    try:
        kind = _read(ast.parse(annotation, mode="eval").body)
        return kind, TypeAdapter(kind, config={"allow_inf_nan": False})
    except Exception:  # an alias, an array, a user's class: the part itself must check it
        return Any, None


def _read(node: ast.expr) -> Any:
    """Returns the type that an annotation describes; raises KeyError or TypeError if unknown."""
    from pydantic import Field

    match node:
        case ast.Constant(str(text)):  # an annotation in quotes
            return _read(ast.parse(text, mode="eval").body)
        case ast.Constant(value):
            return value
        case ast.Subscript(ast.Name("Literal") | ast.Attribute(attr="Literal"), index):
            return typing.Literal[ast.literal_eval(index)]
        case ast.Name(name):
            return _TYPES[name]
        case ast.Attribute(module, name) if ast.unparse(module) in _MODULES:
            return _TYPES[name]
        case ast.Call(ast.Name("Folder")):
            return "folder"
        case ast.Call(ast.Name("Between"), bounds, keywords):
            nodes = [*bounds, *(keyword.value for keyword in keywords)]
            low, high = (ast.literal_eval(node) for node in nodes)
            return Field(gt=low, lt=high, description=f"between {low} and {high}, exclusive")
        case ast.Tuple(elements) | ast.List(elements):
            return tuple(_read(element) for element in elements)
        case ast.Subscript(value, index):
            return _read(value)[_read(index)]
        case ast.BinOp(left, ast.BitOr(), right):
            return _read(left) | _read(right)
    raise TypeError(ast.unparse(node))


def python(option: Option, value: Any) -> Any:
    """Returns a JSON value as the Python value of the annotation: a list as a tuple, a path.

    Raises ValueError if the annotation does not allow the value. A float may be a whole number;
    true and false are not numbers, and 2.0 is not a whole number.
    """
    from pydantic_core import to_json

    adapter = _type(option.annotation)[1]
    if adapter is None:
        return value
    return adapter.validate_json(to_json(value, inf_nan_mode="constants"), strict=True)


def canonical(option: Option, value: Any) -> Any:
    """Returns the normal form of a JSON value: 1.0 for a float that is written as 1."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(python(option, value))


def default(option: Option) -> Any:
    """Returns the default as a JSON value."""
    from pydantic_core import to_jsonable_python

    plain = to_jsonable_python(option.default, fallback=repr)
    try:
        return canonical(option, plain)
    except ValueError:
        return plain


def is_path(option: Option) -> bool:
    """Returns whether the option is the path of a file."""
    kind = _type(option.annotation)[0]
    return kind is Path or Path in typing.get_args(kind)


def is_folder(option: Option) -> bool:
    """Returns whether the option is the path of a folder."""
    return bool(_type(option.annotation)[0] == _FOLDER)


def choices(option: Option) -> list[str]:
    """Returns the valid texts if the annotation lists them, else nothing."""
    kind = _type(option.annotation)[0]
    kinds = [kind, *typing.get_args(kind)]
    literals = [k for k in kinds if typing.get_origin(k) is typing.Literal]
    return [value for k in literals for value in typing.get_args(k) if isinstance(value, str)]


def accepts(option: Option) -> str:
    """Describes the valid values: `a list (each: whole number)`, `a number or null`."""
    return _in_words(_type(option.annotation)[0]) or option.annotation


def _in_words(kind: Any) -> str:
    if kind == _FOLDER:
        return "the path of a folder"
    if kind in _DESCRIPTIONS:
        return _DESCRIPTIONS[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return f"{_in_words(arguments[0])} {kind.__metadata__[0].description}"
    if origin is typing.Literal:
        return "one of " + ", ".join(str(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        words = [_in_words(argument) for argument in arguments]
        return " or ".join(word for word in words if word)
    if origin in (tuple, list) and arguments:
        items = _in_words(arguments[0]).removeprefix("a ").removeprefix("the ")
        return f"a list (each: {items})" if items else "a list"
    return ""

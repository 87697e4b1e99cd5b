"""What all records are made of: frozen, strict, with one encoding of NaN and infinity.

JSON has no number for NaN and infinity, so they are the texts "NaN", "Infinity" and "-Infinity".
Folders written by version 0.1.0 have null or "nan", "inf" and "-inf" instead; `_from_json` is the
only place that knows.
"""

import json
import math
from functools import cache
from typing import Annotated, Any, TypeVar, dataclass_transform, overload

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import to_json

Record = TypeVar("Record")

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LEGACY = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass_transform(frozen_default=True)
def record(cls: type[Record]) -> type[Record]:
    """Turns a class into a frozen, validated dataclass; keys that it does not know are ignored."""
    config = ConfigDict(
        strict=True, extra="ignore", ser_json_inf_nan="strings", populate_by_name=True
    )
    return dataclass(frozen=True, config=config)(cls)  # type: ignore[return-value]


def _number(value: Any) -> Any:
    if value is None:
        return math.nan
    return _from_json(_plain(value))


def _vector(values: Any) -> Any:
    """An array or a list as a tuple."""
    values = _plain(values)
    return tuple(values) if isinstance(values, list) else values


def _from_json(value: Any) -> Any:
    """The value with the texts of non-finite numbers as numbers, at any depth."""
    if isinstance(value, str):
        return (_NON_FINITE | _LEGACY).get(value, value)
    if isinstance(value, dict):
        return {key: _from_json(item) for key, item in value.items()}
    return [_from_json(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """The value with NumPy's arrays and scalars as lists and numbers, at any depth."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


# A float that may be NaN or infinite; a null of an old folder is NaN.
Number = Annotated[float, BeforeValidator(_number)]
# Floats along one axis.
Vector = Annotated[tuple[Number, ...], BeforeValidator(_vector)]
# Floats along two axes, row by row.
Grid = Annotated[tuple[Vector, ...], BeforeValidator(_vector)]
# Anything that JSON holds; arrays become lists when it is written.
Value = Annotated[Any, BeforeValidator(_from_json), PlainSerializer(_plain)]


def to_plain(value: Any) -> Any:
    """Returns the record as the plain values that JSON holds; non-finite numbers become texts."""
    return json.loads(to_json(value, inf_nan_mode="strings"))


def to_text(value: Any) -> str:
    """Returns indented JSON with sorted keys, of a record or a list of records."""
    return json.dumps(to_plain(value), indent=2, sort_keys=True, allow_nan=False) + "\n"


@overload
def from_text(text: str | bytes, kind: type[Record]) -> Record: ...
@overload
def from_text(text: str | bytes, kind: object) -> Any: ...
def from_text(text: str | bytes, kind: Any) -> Any:
    """The record that JSON holds. Raises ValueError if the text does not match the schema."""
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        text = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"`{place}`: {text}" if place else text) from None


@cache
def _adapter(kind: Any) -> TypeAdapter:
    return TypeAdapter(kind)

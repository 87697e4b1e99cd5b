"""Building blocks of all records: frozen, strict, with one encoding of NaN and infinity.

JSON has no number for NaN and infinity, so they are the texts "NaN", "Infinity" and "-Infinity".
Folders written by version 0.1.0 have null or "nan", "inf" and "-inf" instead; only this module
handles these.
"""

import json
import math
from functools import cache
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    model_serializer,
)
from pydantic.dataclasses import dataclass
from pydantic_core import to_json

Record = TypeVar("Record")

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NON_FINITE |= {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # of version 0.1.0
_LONGEST_NAME, _LONGEST_TEXT = 1000, 20_000  # characters
_INTEGERS = 2**63  # every integer is smaller, as in NumPy


@dataclass_transform(frozen_default=True)
def record(cls: type[Record]) -> type[Record]:
    """Turns a class into a frozen, validated dataclass; unknown keys are ignored."""
    config = ConfigDict(
        strict=True, extra="ignore", ser_json_inf_nan="strings", populate_by_name=True
    )
    return dataclass(frozen=True, config=config)(cls)  # type: ignore[return-value]


@record
class OmitsNull:
    """Base class of records that are written without the keys whose value is null."""

    @model_serializer(mode="wrap")
    def _without_null(self, handler: Any) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


def _number(value: Any) -> Any:
    if type(value) is float:  # nearly all numbers of large records
        return value
    return math.nan if value is None else _from_json(_plain(value))


def _vector(values: Any) -> Any:
    values = _rows(values)
    return tuple(map(_number, values)) if isinstance(values, tuple) else values


def _rows(values: Any) -> Any:
    values = values.tolist() if hasattr(values, "tolist") else values
    return tuple(values) if isinstance(values, list) else values


def _from_json(value: Any) -> Any:
    """Replaces the texts of non-finite numbers by numbers and cuts long texts, at any depth."""
    if isinstance(value, str):
        return _NON_FINITE.get(value, shortened(value))
    if isinstance(value, int) and not -_INTEGERS <= value < _INTEGERS:
        raise ValueError("found an integer of more than 64 bits")
    if isinstance(value, dict):
        return {key: _from_json(item) for key, item in value.items()}
    return [_from_json(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Replaces NumPy arrays and scalars by lists and numbers, at any depth."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def shortened(text: str) -> str:
    """Returns a text without its middle if it is too long to be shown."""
    half = _LONGEST_TEXT // 2
    return text if len(text) <= _LONGEST_TEXT else f"{text[: half - 5]} ... {text[-half:]}"


# A text for a reader, which loses its middle if it is long.
Text = Annotated[str, AfterValidator(shortened)]
# A name, which must not lose anything.
Name = Annotated[str, Field(max_length=_LONGEST_NAME)]
Natural = Annotated[int, Field(ge=0, lt=_INTEGERS)]
# A float that may be NaN or infinite; a null of an old folder is NaN.
Number = Annotated[float, BeforeValidator(_number)]
# Floats along one axis; replacing nulls and texts at once takes a third of the time of reading them
# one by one.
Vector = Annotated[tuple[float, ...], BeforeValidator(_vector)]
# Floats along two axes, row by row.
Grid = Annotated[tuple[Vector, ...], BeforeValidator(_rows)]
# Floats along three axes.
Block = Annotated[tuple[Grid, ...], BeforeValidator(_rows)]
# Anything that JSON holds; arrays become lists when it is written.
Value = Annotated[Any, BeforeValidator(_from_json), PlainSerializer(_plain)]


def to_plain(value: Any) -> Any:
    """Returns a record as values of JSON; non-finite numbers become texts."""
    return json.loads(to_json(value, inf_nan_mode="strings"))


def to_text(value: Any) -> str:
    """Returns indented JSON with sorted keys, of a record or a list of records."""
    return json.dumps(to_plain(value), indent=2, sort_keys=True, allow_nan=False) + "\n"


def from_text(text: str | bytes, kind: Any) -> Any:
    """Returns the record in a JSON text. Raises ValueError if it does not match the schema.

    `kind` is the class of the record, or any type that is annotated for pydantic.
    """
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "`" + ".".join(map(str, first["loc"])) + "`"
        if len(first["loc"]) == 1 and isinstance(first["loc"][0], int):  # of a list, as a plan
            place = f"item {first['loc'][0]}, counted from 0"
        text = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place}: {text}" if first["loc"] else text) from None


def check_equal_lengths(*columns: Vector) -> None:
    """Raises ValueError if the columns differ in length."""
    if len({len(column) for column in columns}) > 1:
        raise ValueError("the columns differ in length")


@cache
def _adapter(kind: Any) -> TypeAdapter:
    return TypeAdapter(kind)

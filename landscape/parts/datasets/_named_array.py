"""Columns and arrays of a user's file as numbers or labels, with the place of whatever is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landscape.errors import Place, UserError

NUMERIC = "biuf"  # NumPy's kinds: bool, integer, unsigned, float


@dataclass(frozen=True)
class NamedArray:
    """A named column or array: numbers, or text as an object array of `str`."""

    name: str
    values: np.ndarray
    file: str
    lines: Sequence[int] | None = None
    kind: str = "column"

    def error(self, position: int, message: str, hint: str | None = None) -> UserError:
        """An error about one value, at its line where the file has lines."""
        if self.lines is not None:
            place, where = Place(self.file, self.lines[position]), ""
        else:
            index = np.unravel_index(position, self.values.shape)
            place, where = Place(self.file), f" at [{', '.join(str(i) for i in index)}]"
        return UserError(f"{self.kind} `{self.name}`{where} {message}", place=place, hint=hint)


def has_numbers(column: NamedArray) -> bool:
    """Whether any value is a number: a column of text alone is not a feature by default."""
    if column.values.dtype.kind in NUMERIC:
        return True
    return any(_is_number(value) for value in column.values.flat)


def numbers(column: NamedArray) -> np.ndarray:
    """The values as float64; a value that is no finite number is an error."""
    try:
        result = column.values.astype(np.float64)
    except (ValueError, TypeError):
        position = next(i for i, v in enumerate(column.values.flat) if not _is_number(v))
        raise _not_a_number(column, position) from None
    wrong = np.flatnonzero(~np.isfinite(result))
    if wrong.size:
        raise _not_a_number(column, int(wrong[0]))
    return result


def labels(column: NamedArray, task: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Positions (n,) in the sorted classes, and the names of the classes."""
    values = column.values
    if values.dtype.kind not in NUMERIC:
        for position, value in enumerate(values):
            if value == "" or value.lower() == "nan":
                raise column.error(position, f"holds no label: {value!r}")
    if values.dtype.kind in NUMERIC or all(_is_number(value) for value in values):
        values = numbers(column)
        if task == "multiclass":
            _check_integers(column, values)
    classes, codes = np.unique(values, return_inverse=True)
    _check_classes(column, classes, task)
    return codes, tuple(_name(label) for label in classes)


def _check_integers(column: NamedArray, values: np.ndarray) -> None:
    wrong = np.flatnonzero((values < 0) | (values != np.floor(values)))
    if wrong.size:
        raise column.error(
            int(wrong[0]),
            f"holds the label {_name(values[wrong[0]])}; expected integers from 0 up, or text",
            "for a target that is a quantity say `task: regression`",
        )


def _check_classes(column: NamedArray, classes: np.ndarray, task: str) -> None:
    found = ", ".join(_name(label) for label in classes[:5]) + (", …" if len(classes) > 5 else "")
    place = Place(column.file)
    if task == "binary" and len(classes) != 2:
        other = "multiclass" if len(classes) > 2 else None
        raise UserError(
            f"a binary target has two values; {column.kind} `{column.name}` has {len(classes)}: "
            f"{found}",
            place=place,
            hint=f"did you mean `task: {other}`?" if other else None,
        )
    if len(classes) < 2:
        raise UserError(
            f"{column.kind} `{column.name}` has one class only ({found}); expected two or more",
            place=place,
        )


def _not_a_number(column: NamedArray, position: int) -> UserError:
    value = column.values.flat[position]
    if isinstance(value, str):
        found = "is empty" if value == "" else f"holds {value!r}"
        hint = "correct or remove it, or leave the column out with `features`"
    else:
        found, hint = f"holds {value}", "remove this example or fill in the value"
    return column.error(position, f"{found}; expected a finite number", hint)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _name(label: object) -> str:
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(float(label))
    return str(label)

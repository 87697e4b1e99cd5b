"""Columns and arrays of a user's file as numbers or labels; errors name the wrong value's place."""

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
        """Returns an error about one value, at its line if the file has lines."""
        if self.lines is not None:
            place, where = Place(self.file, self.lines[position]), ""
        else:
            index = np.unravel_index(position, self.values.shape)
            place, where = Place(self.file), f" at [{', '.join(str(i) for i in index)}]"
        return UserError(f"{self.kind} `{self.name}`{where} {message}", place=place, hint=hint)


def has_numbers(column: NamedArray) -> bool:
    """Returns whether any value is a number; other columns are not features by default."""
    if column.values.dtype.kind in NUMERIC:
        return True
    return any(_is_number(value) for value in column.values.flat)


def numbers(column: NamedArray) -> np.ndarray:
    """Returns the values as float64. Raises UserError if one is not a finite number."""
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
    """Returns the labels (n,) as indices into the sorted classes, and the names of the classes."""
    values = column.values
    if values.dtype.kind not in NUMERIC:
        for position, value in enumerate(values):
            if value == "" or value.lower() == "nan":
                raise column.error(position, f"is {value!r}; expected a label")
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
        label = _name(values[wrong[0]])
        message = f"has the label {label}; expected integers of at least 0, or text"
        hint = "if the target is a quantity, use `task: regression`"
        raise column.error(int(wrong[0]), message, hint)


def _check_classes(column: NamedArray, classes: np.ndarray, task: str) -> None:
    count, names = len(classes), ", ".join(_name(label) for label in classes[:5])
    names += ", …" if count > 5 else ""
    number = "one class" if count == 1 else f"{count} classes"
    expected = "two classes for a binary target" if task == "binary" else "two or more"
    if count < 2 or (task == "binary" and count > 2):
        raise UserError(
            f"{column.kind} `{column.name}` has {number} ({names}); expected {expected}",
            place=Place(column.file),
            hint="did you mean `task: multiclass`?" if count > 2 else None,
        )


def _not_a_number(column: NamedArray, position: int) -> UserError:
    value = column.values.flat[position]
    state, hint = f"is {value}", "remove this example or fill in the value"
    if isinstance(value, str):
        state = "is empty" if value == "" else f"is {value!r}"
        hint = "correct or remove it, or leave the column out with `features`"
    return column.error(position, f"{state}; expected a finite number", hint)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _name(label: object) -> str:
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(float(label))
    return str(label)

"""Columns and arrays of a user's file as numbers or labels; errors name the wrong value's place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts.datasets._cell_text import MISSING_VALUES, advice, number

NUMERIC = "biuf"  # NumPy's kinds: bool, integer, unsigned, float


@dataclass(frozen=True)
class NamedArray:
    """A named column or array: numbers, or text as an object array of `str`.

    `lines`: that of each value in a text file; `decimal`: the mark before decimals in texts.
    """

    name: str
    values: np.ndarray
    file: str
    lines: Sequence[int] | None = None
    kind: str = "column"
    decimal: str = "."

    def where(self, position: int) -> str:
        """Returns the line of a value, or its position if the file has no lines."""
        if self.lines is not None:
            return f"line {self.lines[position]}"
        index = np.unravel_index(position, self.values.shape)
        return f"[{', '.join(str(i) for i in index)}]"

    def error(self, position: int, message: str, hint: str | None = None) -> UserError:
        """Returns an error about one value, at its line if the file has lines."""
        if self.lines is not None:
            place, where = Place(self.file, self.lines[position]), ""
        else:
            place, where = Place(self.file), f" at {self.where(position)}"
        return UserError(f"{self.kind} `{self.name}`{where} {message}", place=place, hint=hint)


def finite_numbers(column: NamedArray) -> np.ndarray | None:
    """Returns texts as float64 if each is a finite number; None otherwise."""
    if column.values.dtype.kind in NUMERIC or column.decimal != ".":
        return None
    try:
        values = column.values.astype(np.float64)  # three times as fast as one by one
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def numbers(column: NamedArray, missing: np.ndarray | None = None) -> np.ndarray:
    """Returns the values as float64, NaN where they are `missing`.

    Raises UserError if another one is not a finite number.
    """
    values = column.values
    if values.dtype.kind in NUMERIC:
        result = values.astype(np.float64)
    else:
        parsed = [number(text, column.decimal) for text in values.flat]
        result = np.array(parsed, np.float64).reshape(values.shape)  # None becomes NaN
    is_wrong = ~np.isfinite(result)
    if missing is not None:
        result[missing] = np.nan
        is_wrong &= ~missing
    wrong = np.flatnonzero(is_wrong)
    if wrong.size:
        raise not_a_number(column, int(wrong[0]))
    return result


def labels(
    column: NamedArray, task: str, order: Sequence[str] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the labels as indices into the classes, and the names of the classes.

    The classes are those of `order`, by default the sorted values.
    """
    values = column.values
    if values.dtype.kind not in NUMERIC:
        for position, value in enumerate(values.flat):
            if value == "" or value.lower() == "nan":
                raise column.error(position, f"is {value!r}; expected a label")
    if values.dtype.kind in NUMERIC or all(
        number(value, column.decimal) is not None for value in values.flat
    ):
        values = numbers(column)
        if task != "binary":
            _check_integers(column, values)
    classes, codes = np.unique(values, return_inverse=True)
    codes = codes.reshape(values.shape)
    names = tuple(label_name(label) for label in classes)
    if order is None:
        _check_classes(column, names, task)
        return codes, names
    unknown = np.flatnonzero([name not in order for name in names])
    if unknown.size:
        position = int(np.flatnonzero(codes == unknown[0])[0])
        name = names[unknown[0]]
        message = f"has the label `{name}`, which `classes` does not list"
        raise column.error(position, message, nearest(name, order))
    return np.array([order.index(name) for name in names])[codes], tuple(order)


def _check_integers(column: NamedArray, values: np.ndarray) -> None:
    wrong = np.flatnonzero((values < 0) | (values != np.floor(values)))
    if wrong.size:
        label = label_name(float(values.flat[wrong[0]]))
        message = f"has the label {label}; expected integers of at least 0, or text"
        hint = "if the target is a quantity, use `task: regression`"
        raise column.error(int(wrong[0]), message, hint)


def _check_classes(column: NamedArray, classes: Sequence[str], task: str) -> None:
    count, names = len(classes), ", ".join(classes[:5])
    names += ", …" if count > 5 else ""
    number = "one class" if count == 1 else f"{count} classes"
    expected = "two classes for a binary target" if task == "binary" else "two or more"
    if count < 2 or (task == "binary" and count > 2):
        raise UserError(
            f"{column.kind} `{column.name}` has {number} ({names}); expected {expected}",
            place=Place(column.file),
            hint="did you mean `task: multiclass`?" if count > 2 else None,
        )


def not_a_number(column: NamedArray, position: int) -> UserError:
    """Returns the error about a value that is not a finite number."""
    value = column.values.flat[position]
    state, hint = f"is {value}", "remove this example or fill in the value"
    if isinstance(value, str):
        state = "is empty" if value == "" else f"is {value!r}"
        if value.lower() not in MISSING_VALUES:
            hint = advice(value, column.decimal) or (
                "correct it, or remove this example; a target of texts needs the task `binary`, "
                "`multiclass` or `ordinal`"
            )
    return column.error(position, f"{state}; expected a finite number", hint)


def label_name(label: object) -> str:
    """Returns the name of a class or category: `3` for 3.0."""
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(float(label))
    return str(label)

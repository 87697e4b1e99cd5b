"""Decides what a column of inputs holds: numbers, truth values or categories."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from landscape.errors import Place, UserError, counted
from landscape.parts.datasets._cell_text import TRUTH, advice, is_date, number, resembles_number
from landscape.parts.datasets._named_array import (
    NUMERIC,
    NamedArray,
    finite_numbers,
    label_name,
    numbers,
)

# More categories are an identifier or free text, unless the config says that they are categories.
_MOST_CATEGORIES = 50
_MOST_NAMES = 5  # columns or values that a message names


class Feature(NamedTuple):
    """A column of inputs: its kind, its values, and which of them (n,) are missing.

    `values` are categories as an object array (n,) of `str`, None where they are missing; otherwise
    float64 (n,), NaN where they are missing.
    """

    column: NamedArray
    kind: str
    values: np.ndarray
    missing: np.ndarray


def feature(column: NamedArray, missing_values: Collection[str], categorical: bool) -> Feature:
    """Returns a column of inputs with its kind; `categorical` if the config says so.

    `missing_values` are the texts of missing cells, in lower case. Raises UserError for dates, for
    numbers with units, for text among numbers, and for texts that are not categories.
    """
    codes = [value for value in map(number, missing_values) if value is not None]
    parsed = None if categorical or codes else finite_numbers(column)
    if parsed is not None:
        return Feature(column, "number", parsed, np.zeros(len(parsed), bool))
    missing = _missing(column, missing_values, codes)
    kind = "category" if categorical else _kind(column, missing)
    if kind == "category":
        values = np.array([label_name(value) for value in column.values.tolist()], object)
        values[missing] = None
    elif kind == "boolean" and column.values.dtype.kind not in NUMERIC:
        values = np.array([TRUTH.get(text.lower(), np.nan) for text in column.values])
    else:
        values = numbers(column, missing)
    return Feature(column, kind, values, missing)


def refuse_missing(features: Sequence[Feature]) -> None:
    """Raises UserError that names every column with missing values, with their number."""
    incomplete = [f for f in features if f.missing.any()]
    if not incomplete:
        return
    texts = []
    for f in incomplete:
        first = int(np.flatnonzero(f.missing)[0])
        value = f.column.values[first]
        shown = "empty" if value == "" else f"{value!r}" if isinstance(value, str) else "nan"
        where = f"first at {f.column.where(first)}: {shown}"
        texts.append(f"`{f.column.name}` ({int(f.missing.sum())}, {where})")
    number_of_columns = counted(len(incomplete), "column")
    verb = "has" if len(incomplete) == 1 else "have"
    raise UserError(
        f"{number_of_columns} {verb} missing values: {', '.join(texts)}",
        place=Place(incomplete[0].column.file),
        hint="fill them in with `missing: {strategy: median}` (or mean, most_frequent, constant), "
        "or leave columns out with `ignore`",
    )


def _missing(
    column: NamedArray, missing_values: Collection[str], codes: Sequence[float]
) -> np.ndarray:
    """Returns which values are missing; `codes` are the numbers among `missing_values`."""
    values = column.values
    if values.dtype.kind not in NUMERIC:
        return np.array([text.lower() in missing_values for text in values])
    missing: np.ndarray = np.isin(values, codes)
    return missing | np.isnan(values) if values.dtype.kind == "f" else missing


def _kind(column: NamedArray, missing: np.ndarray) -> str:
    present = np.flatnonzero(~missing)
    if not present.size:
        message = f"{column.kind} `{column.name}` has no value in any row"
        raise UserError(message, place=Place(column.file), hint=_without(column.name))
    if column.values.dtype.kind in NUMERIC:
        return "boolean" if column.values.dtype.kind == "b" else "number"
    texts = column.values[present]
    is_number = np.array([number(text, column.decimal) is not None for text in texts])
    if is_number.all():
        return "number"
    if {text.lower() for text in texts} <= TRUTH.keys():
        return "boolean"
    if all(map(is_date, texts)):
        raise column.error(
            int(present[0]),
            f"is {texts[0]!r}; dates are not inputs",
            "replace them by numbers, such as the days since a start or the month, or "
            + _without(column.name),
        )
    if is_number.any() or all(map(resembles_number, texts)):
        raise _mixture(column, present, is_number)
    _check_categories(column, texts)
    return "category"


def _mixture(column: NamedArray, present: np.ndarray, is_number: np.ndarray) -> UserError:
    """Returns the error for a column in which some values are numbers and others are not."""
    position = int(present[np.flatnonzero(~is_number)[0]])
    text = column.values[position]
    count = int(is_number.sum())
    others = f", as in {counted(count, 'other row')}" if count else ""
    hint = advice(text, column.decimal) or f"correct it, or add {text!r} to `missing_values`"
    return column.error(
        position,
        f"is {text!r}; expected a finite number{others}",
        f"{hint}; if these are categories, write `categories: [{column.name}]`",
    )


def _check_categories(column: NamedArray, texts: np.ndarray) -> None:
    counts = Counter(texts)
    if len(counts) <= _MOST_CATEGORIES and (len(counts) < len(texts) or len(texts) < 10):
        return
    examples = ", ".join(repr(text) for text in list(counts)[:_MOST_NAMES])
    raise UserError(
        f"{column.kind} `{column.name}` has {len(counts)} different texts in {len(texts)} rows "
        f"({examples}, …), as identifiers or free text have",
        place=Place(column.file),
        hint=f"{_without(column.name)}, or `categories: [{column.name}]` to encode each as a "
        "column",
    )


def _without(name: str) -> str:
    return f"leave it out with `ignore: [{name}]`"

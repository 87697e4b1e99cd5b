"""Proposes the options of a dataset from a look at a user's table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import UserError, nearest
from landscape.parts.datasets._cell_text import MISSING_VALUES, number
from landscape.parts.datasets._kinds import feature
from landscape.parts.datasets._named_array import NUMERIC, NamedArray, label_name
from landscape.parts.datasets._read import read_csv, read_parquet

_DELIMITERS = (",", ";", "\t", "|")
_MOST_CLASSES = 50
_MOST_INTEGER_CLASSES = 10
_DIFFERENT_NUMBERS = 20  # this many different whole numbers in a row may number the rows


class Proposal(NamedTuple):
    """Options of a dataset for a table, and why columns are left out or are categories.

    `reader` is the name of the dataset. `counts` are the examples of each class, empty for
    quantities.
    """

    reader: str
    options: Mapping[str, Any]
    reasons: Mapping[str, str]
    counts: Mapping[str, int]
    rows: int


def propose(path: Path, target: str) -> Proposal:
    """Returns options with which a csv or parquet file can be read for a target column.

    Raises UserError if the file cannot be read, if it has no such column, or if the target is
    neither a class nor a quantity.
    """
    reader, columns, options = _read(path)
    if target not in columns:
        message = f"{path.name} has no column `{target}`"
        raise UserError(message, hint=nearest(target, columns))
    task, counts = _task(columns[target])
    options = {**options, "target": target, "task": task}
    if task == "binary":
        options["positive"] = min(sorted(counts), key=lambda name: counts[name])
    ignored: dict[str, str] = {}
    categories: dict[str, str] = {}
    has_missing = False
    for name, column in columns.items():
        if name == target:
            continue
        try:
            has_missing |= bool(feature(column, MISSING_VALUES, False).missing.any())
        except UserError as error:
            reasons = categories if _is_mixture(column) else ignored
            reasons[name] = error.message
        else:
            if _numbers_rows(column):
                ignored[name] = f"column `{name}` numbers the rows"
    options |= {"ignore": [*ignored]} if ignored else {}
    options |= {"categories": [*categories]} if categories else {}
    has_missing |= any(_has_missing(columns[name]) for name in categories)
    options |= {"missing": {"strategy": "median", "indicator": True}} if has_missing else {}
    rows = len(columns[target].values)
    return Proposal(reader, options, ignored | categories, counts, rows)


def _read(path: Path) -> tuple[str, Mapping[str, NamedArray], dict[str, Any]]:
    """Returns the name of the dataset, the columns, and the options with which they were read."""
    if path.suffix == ".parquet":
        return "parquet", read_parquet(path), {}
    options: dict[str, Any] = {}
    errors = []
    for encoding in ("utf-8", "cp1252"):
        for delimiter in _DELIMITERS:
            try:
                columns = read_csv(path, delimiter, encoding=encoding)
            except UserError as error:
                errors.append(error)
                continue
            options |= {} if delimiter == "," else {"delimiter": delimiter}
            options |= {} if encoding == "utf-8" else {"encoding": encoding}
            if delimiter != "," and any(map(_has_decimal_commas, columns.values())):
                options["decimal"] = ","
                columns = read_csv(path, delimiter, ",", encoding)
            return "csv", columns, options
    raise errors[0]


def _has_decimal_commas(column: NamedArray) -> bool:
    texts = _present(column)
    is_number = [number(text, ",") is not None for text in texts]
    return bool(texts) and all(is_number) and any("," in text for text in texts)


def _task(column: NamedArray) -> tuple[str, dict[str, int]]:
    """Returns the task of a target, and the number of examples of each class."""
    values = column.values
    if _has_missing(column):
        raise UserError(
            f"the target `{column.name}` is missing in some rows; expected a value in each",
            hint="remove these rows",
        )
    if values.dtype.kind not in NUMERIC:
        texts = [number(text, column.decimal) for text in values]
        if any(value is None for value in texts):
            counts = Counter(values.tolist())
            return _class_task(column, counts), dict(counts)
        values = np.array(texts)
    counts = Counter(label_name(value) for value in values.tolist())
    if len(counts) == 2:
        return "binary", dict(counts)
    whole = bool((values == np.floor(values)).all() and (values >= 0).all())
    few = len(counts) <= _MOST_INTEGER_CLASSES and len(values) >= 10 * len(counts)
    return ("multiclass", dict(counts)) if whole and few else ("regression", {})


def _class_task(column: NamedArray, counts: Mapping[str, int]) -> str:
    if len(counts) > _MOST_CLASSES:
        examples = ", ".join(repr(text) for text in list(counts)[:5])
        raise UserError(
            f"column `{column.name}` has {len(counts)} different texts ({examples}, …); expected "
            "classes or numbers",
            hint="choose another target, or correct the numbers",
        )
    return "binary" if len(counts) == 2 else "multiclass"


def _is_mixture(column: NamedArray) -> bool:
    """Returns whether text stands among a few different numbers, as in 0, 1, 2, 3+."""
    texts = _present(column)
    some = any(number(text, column.decimal) is not None for text in texts)
    return some and len(set(texts)) <= _MOST_CLASSES // 2


def _numbers_rows(column: NamedArray) -> bool:
    """Returns whether the values are successive whole numbers, or whole numbers named as an id."""
    if column.values.dtype.kind not in NUMERIC:
        values = np.array([number(text, column.decimal) for text in column.values], np.float64)
    else:
        values = column.values.astype(np.float64)
    if len(values) < _DIFFERENT_NUMBERS or not (values == np.floor(values)).all():
        return False
    ordered = np.sort(values)
    name = column.name.lower()
    is_named = name in ("id", "index", "row") or name.endswith(("_id", " id"))
    return bool((np.diff(ordered) == 1).all() or (is_named and (np.diff(ordered) > 0).all()))


def _has_missing(column: NamedArray) -> bool:
    if column.values.dtype.kind == "f":
        return bool(np.isnan(column.values).any())
    if column.values.dtype.kind in NUMERIC:
        return False
    return len(_present(column)) < len(column.values)


def _present(column: NamedArray) -> Sequence[str]:
    if column.values.dtype.kind in NUMERIC:
        return []
    return [text for text in column.values if text.lower() not in MISSING_VALUES]

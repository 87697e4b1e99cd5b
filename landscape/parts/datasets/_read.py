"""Reads a user's csv, parquet and npz files; raises UserError if one cannot be read."""

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import Place, UserError, nearest, refuse_special
from landscape.parts.datasets._named_array import NUMERIC, NamedArray

if TYPE_CHECKING:
    import pandas

NPZ_ERRORS = (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


def read_csv(
    path: Path, delimiter: str, decimal: str = ".", encoding: str = "utf-8"
) -> dict[str, NamedArray]:
    """Returns the columns of a csv file with a header line, every cell as stripped text."""
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UserError(f"`delimiter` is {delimiter!r}; expected one character, such as , or ;")
    if decimal not in (".", ",") or decimal == delimiter:
        hint = 'numbers with decimal commas need `delimiter: ";"`' if decimal == "," else None
        message = f"`decimal` is {decimal!r}; expected . or , and another mark than `delimiter`"
        raise UserError(message, hint=hint)
    with _reading(path, "a csv file", (OSError,)):
        text = _decoded(path, encoding)
    records = _records(text, path, delimiter)
    if not records:
        raise UserError("the file is empty", place=Place(str(path)))
    (first, header), *rows = records
    _check_names(header, Place(str(path), first))
    _check_delimiter(header, delimiter, Place(str(path), first, text=delimiter.join(header)))
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"found {len(row)} values, expected {len(header)} values as in the header",
                place=Place(str(path), line, text=delimiter.join(row)),
                hint=f"each line needs a value per column, in quotes if it contains {delimiter!r}",
            )
    if not rows:
        raise UserError("the file has a header, but no examples", place=Place(str(path)))
    lines = [line for line, _ in rows]
    cells = zip(*(row for _, row in rows), strict=True)
    return {
        name: NamedArray(name, np.array(values, dtype=object), str(path), lines, decimal=decimal)
        for name, values in zip(header, cells, strict=True)
    }


def _decoded(path: Path, encoding: str) -> str:
    """Returns the text of a file without its byte order mark."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except LookupError:
        hint = "such as utf-8, cp1252 or latin-1"
        raise UserError(f"`encoding` is {encoding!r}, which is unknown", hint=hint) from None
    except UnicodeDecodeError as error:
        hint = "save the file as UTF-8, or state how it was saved, such as `encoding: cp1252`"
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            hint = "it begins as UTF-16 does: write `encoding: utf-16`, or save it as UTF-8"
        raise UserError(
            f"the byte 0x{content[error.start]:02x} is not text in {encoding.upper()}",
            place=Place(str(path), content[: error.start].count(b"\n") + 1),
            hint=hint,
        ) from None


def _check_delimiter(header: list[str], delimiter: str, place: Place) -> None:
    """Raises UserError if the header is a single column that other marks divide."""
    others = [mark for mark in (",", ";", "\t", "|") if mark != delimiter and mark in header[0]]
    if len(header) == 1 and others:
        raise UserError(
            f"the header is one column with the delimiter {delimiter!r}",
            place=place,
            hint=f"did you mean `delimiter: {json.dumps(others[0])}`?",
        )


def read_parquet(path: Path) -> dict[str, NamedArray]:
    """Returns the columns of a parquet file: numbers, or text with missing values empty."""
    import pandas
    import pyarrow

    with _reading(path, "a parquet file", (OSError, pyarrow.ArrowException)):
        frame = pandas.read_parquet(path)
    return frame_columns(frame, path)


def frame_columns(frame: "pandas.DataFrame", path: Path) -> dict[str, NamedArray]:
    """Returns the columns of a DataFrame: bool, float64, or text with missing values empty."""
    import pandas

    names = [str(name) for name in frame.columns]
    _check_names(names, Place(str(path)))
    if not len(frame):
        raise UserError("the table has no rows", place=Place(str(path)))
    columns = {}
    for position, name in enumerate(names):
        series = frame.iloc[:, position]
        if series.dtype == bool:
            values = series.to_numpy()
        elif pandas.api.types.is_numeric_dtype(series) and series.dtype.kind != "c":
            values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            texts = series.astype(object).where(series.notna(), "")
            values = np.array([str(value).strip() for value in texts], dtype=object)
        columns[name] = NamedArray(name, values, str(path))
    return columns


def read_npz(path: Path, names: Sequence[str]) -> list[NamedArray]:
    """Returns named arrays of an npz file: numbers, or text as an object array of `str`."""
    with _reading(path, "an npz file", NPZ_ERRORS), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise UserError(
                "found an npy file with one array, expected an npz file with named arrays",
                place=Place(str(path)),
                hint="save it with numpy.savez(path, inputs=..., targets=...)",
            )
        return [_array(archive, name, path) for name in names]


def npz_names(path: Path) -> list[str]:
    """Returns the names of all arrays of an npz file, which are not read."""
    with _reading(path, "an npz file", NPZ_ERRORS), np.load(path, allow_pickle=False) as archive:
        return list(archive.files)


def _array(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> NamedArray:
    if name not in archive.files:
        hint = nearest(name, archive.files)
        raise UserError(f"the file has no array `{name}`", place=Place(str(path)), hint=hint)
    expected = f"a readable array `{name}` of numbers or text (object arrays are never unpickled)"
    with _reading(path, expected, NPZ_ERRORS):
        values = archive[name]
    if values.dtype.kind == "U":
        values = np.array([str(v).strip() for v in values.flat], dtype=object).reshape(values.shape)
    elif values.dtype.kind not in NUMERIC:
        message = f"array `{name}` is of type {values.dtype}; expected numbers or text"
        raise UserError(message, place=Place(str(path)))
    return NamedArray(name, values, str(path), kind="array")


def _records(text: str, path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """Returns the records that are not blank, as (number of the first line, stripped cells)."""
    records, line = [], 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if row:
                records.append((line, [cell.strip() for cell in row]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"not valid csv: {error}", place=Place(str(path), line)) from None
    return records


def _check_names(names: list[str], place: Place) -> None:
    for position, name in enumerate(names):
        if name == "":
            raise UserError(
                f"column {position + 1} has no name in the header",
                place=place,
                hint="name it, or remove an index column (pandas: to_csv(path, index=False))",
            )
        if name in names[:position]:
            raise UserError(f"two columns are named `{name}`", place=place)


@contextmanager
def _reading(path: Path, expected: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Raises UserError if the file does not exist or reading it raises one of `errors`."""
    place = Place(str(path))
    refuse_special(path)
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        hint = "a path is relative to the folder of the config"
        raise UserError(f"the file {state}; expected {expected}", place=place, hint=hint)
    try:
        yield
    except errors as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"cannot be read: {reason}; expected {expected}"
        raise UserError(message, place=place) from None

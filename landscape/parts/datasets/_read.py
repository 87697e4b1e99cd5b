"""Reads a user's csv, parquet and npz files; raises UserError if one cannot be read."""

import csv
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landscape.errors import Place, UserError, nearest, refuse_special
from landscape.parts.datasets._named_array import NUMERIC, NamedArray

NPZ_ERRORS = (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


def read_csv(path: Path, delimiter: str) -> dict[str, NamedArray]:
    """Returns the columns of a csv file with a header line, every cell as stripped text."""
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UserError(f"`delimiter` is {delimiter!r}; expected one character, such as , or ;")
    with _reading(path, "a csv file in UTF-8", (OSError, UnicodeDecodeError)):
        records = _records(path, delimiter)
    if not records:
        raise UserError("the file is empty", place=Place(str(path)))
    (first, header), *rows = records
    _check_names(header, Place(str(path), first))
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
        name: NamedArray(name, np.array(values, dtype=object), str(path), lines)
        for name, values in zip(header, cells, strict=True)
    }


def read_parquet(path: Path) -> dict[str, NamedArray]:
    """Returns the columns of a parquet file: float64, or text with missing values empty."""
    import pandas
    import pyarrow

    with _reading(path, "a parquet file", (OSError, pyarrow.ArrowException)):
        frame = pandas.read_parquet(path)
    names = [str(name) for name in frame.columns]
    _check_names(names, Place(str(path)))
    if not len(frame):
        raise UserError("the table has no rows", place=Place(str(path)))
    columns = {}
    for position, name in enumerate(names):
        series = frame.iloc[:, position]
        if pandas.api.types.is_numeric_dtype(series) and series.dtype.kind != "c":
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


def _records(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """Returns the records that are not blank, as (number of the first line, stripped cells)."""
    records = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        line = 1
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

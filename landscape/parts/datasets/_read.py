"""Reading a user's csv, parquet and npz files, every failure as one sentence."""

import csv
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts.datasets._named_array import NamedArray

Failures = tuple[type[Exception], ...]
UNREADABLE_NPZ: Failures = (
    OSError,
    EOFError,
    NotImplementedError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_csv(path: Path, delimiter: str) -> dict[str, NamedArray]:
    """Columns of a csv file with a header line, every cell as stripped text."""
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UserError(f"`delimiter` is {delimiter!r}; expected one character such as , or ;")
    with _reading(path, "a csv file in UTF-8", (OSError, UnicodeDecodeError)):
        records = _records(path, delimiter)
    if not records:
        raise UserError("the file is empty", place=Place(str(path)))
    (first, header), *rows = records
    _check_names(header, Place(str(path), first))
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"expected {len(header)} values, as many as the header names; found {len(row)}",
                place=Place(str(path), line, text=delimiter.join(row)),
                hint="give each line as many values as the header, quoted where they hold "
                f"{delimiter!r}",
            )
    if not rows:
        raise UserError("a header, but no examples below it", place=Place(str(path)))
    lines = [line for line, _ in rows]
    cells = zip(*(row for _, row in rows), strict=True)
    return {
        name: NamedArray(name, np.array(values, dtype=object), str(path), lines)
        for name, values in zip(header, cells, strict=True)
    }


def read_parquet(path: Path) -> dict[str, NamedArray]:
    """Columns of a parquet file: numbers as float64, anything else as text, missing as empty."""
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


def read_npz(path: Path, names: tuple[str, str]) -> tuple[NamedArray, NamedArray]:
    """Two named arrays of an npz file: numbers, or text as an object array of `str`."""
    with _reading(path, "an npz file", UNREADABLE_NPZ), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise UserError(
                "an npy file with a single array; expected an npz file with named arrays",
                place=Place(str(path)),
                hint="write it with numpy.savez(path, inputs=..., targets=...)",
            )
        return _array(archive, names[0], path), _array(archive, names[1], path)


def _array(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> NamedArray:
    if name not in archive.files:
        raise UserError(
            f"no array `{name}` in the file",
            place=Place(str(path)),
            hint=nearest(name, archive.files),
        )
    wanted = f"a readable array `{name}` of numbers or text (object arrays are never unpickled)"
    with _reading(path, wanted, UNREADABLE_NPZ):
        values = archive[name]
    if values.dtype.kind == "U":
        values = np.array([str(v).strip() for v in values.flat], dtype=object).reshape(values.shape)
    elif values.dtype.kind not in "biuf":
        raise UserError(
            f"array `{name}` is of type {values.dtype}; expected numbers or text",
            place=Place(str(path)),
        )
    return NamedArray(name, values, str(path), kind="array")


def _records(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, as (number of the first line, stripped cells)."""
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
            raise UserError(f"not readable as csv: {error}", place=Place(str(path), line)) from None
    return records


def _check_names(names: list[str], place: Place) -> None:
    for position, name in enumerate(names):
        if name == "":
            raise UserError(
                f"column {position + 1} has no name in the header",
                place=place,
                hint="name it, or remove it if it only numbers the lines "
                "(pandas: to_csv(path, index=False))",
            )
        if name in names[:position]:
            raise UserError(f"two columns are named `{name}`", place=place)


@contextmanager
def _reading(path: Path, what: str, failures: Failures) -> Iterator[None]:
    """Turn what goes wrong while a file is read into the user's sentence."""
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(
            f"the file {found}; expected {what}",
            place=Place(str(path)),
            hint="a relative path counts from the folder of the config",
        )
    try:
        yield
    except failures as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"not readable: expected {what} ({reason})", place=Place(str(path))
        ) from None

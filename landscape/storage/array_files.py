"""The arrays of a run: Parquet, NPZ and safetensors files. Nothing is pickled.

Sizes and types are read from the headers of a file before any array is.
"""

import functools
import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from landscape.storage import safe_reading
from landscape.storage.safe_reading import MOST_ARRAY_BYTES, UnreadableFile

if TYPE_CHECKING:
    import pandas as pd

Arrays = Mapping[str, np.ndarray]

# What reading a file of a run raises if it is missing or damaged.
READ_ERRORS = (OSError, ValueError, zipfile.BadZipFile, zlib.error, SafetensorError)
# Bounds for files whose config is unknown.
_MOST_ROWS = 10_000_000
_MOST_ARRAYS = 10_000
_LONGEST_NAME = 500  # characters
_WIDEST = 8  # bytes of a number
# The compressions of this program's files; others expand a file by more than a factor of 100.
_COMPRESSIONS = ("SNAPPY", "UNCOMPRESSED")
# Bytes of the length of a header, by version of the format NPY.
_LENGTH_BYTES = {b"\x01\x00": 2, b"\x02\x00": 4}
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def trace_bytes(columns: Arrays) -> bytes:
    """Returns the content of `trace.parquet`, one row per recorded step."""
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), buffer)
    return buffer.getvalue()


def read_trace(folder: Path, most_rows: int = _MOST_ROWS) -> "pd.DataFrame":
    """Returns the trace. Raises OSError or ValueError if it is missing or damaged.

    Raises UnreadableFile if no run writes it: more rows than `most_rows`, or columns without
    numbers.
    """
    import pyarrow.parquet

    path = folder / "trace.parquet"
    with safe_reading.opened(path) as file, pyarrow.parquet.ParquetFile(file) as parquet:
        _check_trace(parquet, most_rows)
        # Threads would take longer to start than a trace takes to read.
        table = parquet.read(use_threads=False)
    for name, column in zip(table.column_names, table.columns, strict=True):
        # A missing number is NaN, as pandas writes it; there is no missing integer.
        if column.null_count and not pyarrow.types.is_floating(column.type):
            raise UnreadableFile(f"the column `{name}` has missing values")
    return table.to_pandas(use_threads=False)


def _check_trace(parquet: Any, most_rows: int) -> None:
    """Raises UnreadableFile if the header of a trace describes what no run writes."""
    import pyarrow

    metadata, schema, types = parquet.metadata, parquet.schema_arrow, pyarrow.types
    numeric = (types.is_integer, types.is_floating, types.is_boolean)
    if metadata.num_rows > most_rows:
        rows = f"{metadata.num_rows:,} rows"
        raise UnreadableFile(f"it has {rows}; its run has at most {most_rows:,}")
    if len(schema) > _MOST_ARRAYS:
        raise UnreadableFile(f"it has {len(schema):,} columns, at most {_MOST_ARRAYS:,} are read")
    if metadata.num_rows * len(schema) * _WIDEST > MOST_ARRAY_BYTES:
        shape = f"{metadata.num_rows:,} rows of {len(schema):,} columns"
        raise UnreadableFile(f"it has {shape}; at most {MOST_ARRAY_BYTES:,} bytes are read")
    if len(set(schema.names)) < len(schema):
        raise UnreadableFile("two of its columns have the same name")
    for column in schema:
        _check_name(column.name)
        if not any(is_kind(column.type) for is_kind in numeric):
            raise UnreadableFile(
                f"the column `{column.name}` has the type {str(column.type)[:60]}; expected numbers"
            )
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.compression not in _COMPRESSIONS:
                raise UnreadableFile(f"it is compressed by {column.compression}")


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise UnreadableFile(f"the name {name[:40]!r} is too long or not printable")


def slices_bytes(arrays: Arrays) -> bytes:
    """Returns the content of `slices.npz`; NaN and infinity stay unchanged."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    return buffer.getvalue()


def read_slices(
    folder: Path, most_bytes: int = MOST_ARRAY_BYTES, name: str = "slices.npz"
) -> dict[str, np.ndarray]:
    """Returns all arrays of `slices.npz`, or a file like it; none if the file is missing.

    Raises OSError, ValueError or BadZipFile if it is damaged; UnreadableFile if no run writes it:
    arrays of other types than numbers, or of more than `most_bytes` in all.
    """
    path = folder / name
    if not safe_reading.exists(path):
        return {}
    with safe_reading.opened(path) as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        size = sum(member.file_size for member in members)
        if len(members) > _MOST_ARRAYS:
            raise UnreadableFile(
                f"it has {len(members):,} arrays, at most {_MOST_ARRAYS:,} are read"
            )
        if size > most_bytes:
            raise UnreadableFile(
                f"it expands to {size:,} bytes; its run has at most {most_bytes:,}"
            )
        if len({member.filename for member in members}) < len(members):
            raise UnreadableFile("two of its arrays have the same name")
        return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Returns one array of an archive; its header is checked first."""
    name = member.filename.removesuffix(".npy")
    _check_name(name)
    if member.compress_type not in _ZIP_METHODS or member.flag_bits & 1:
        raise UnreadableFile(f"`{name}` is encrypted or compressed by another method than deflate")
    content = archive.read(member)
    prefix = np.lib.format.MAGIC_LEN + _LENGTH_BYTES.get(content[6:8], 0)
    length = int.from_bytes(content[np.lib.format.MAGIC_LEN : prefix], "little")
    start = prefix + length
    shape, by_columns, dtype = _npy_header(content[:start], name)
    if dtype.kind not in "biuf" or dtype.itemsize > _WIDEST:
        raise UnreadableFile(f"`{name}` has the type {str(dtype)[:60]}; expected numbers")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or start + size != len(content):
        raise UnreadableFile(f"`{name}` has the shape {str(shape)[:60]}, unlike its size")
    numbers = bytearray(memoryview(content)[start:])
    return np.ndarray(shape, dtype, numbers, order="F" if by_columns else "C")


@functools.lru_cache(maxsize=256)
def _npy_header(header: bytes, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Returns shape, order and type of the array with this header; few headers are different."""
    content = io.BytesIO(header)
    version = np.lib.format.read_magic(content)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(content)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(content)
    raise ValueError(f"`{name}` has an unknown version of the format NPY: {version}")


def splits_bytes(rows: Arrays) -> bytes:
    """Returns the content of `splits.npz`: the row numbers of each split, in its order."""
    return slices_bytes({name: np.asarray(numbers, np.int32) for name, numbers in rows.items()})


def is_archive(path: Path) -> bool:
    """Returns whether a file exists and is a zip archive, as NPZ files are."""
    try:
        with safe_reading.opened(path) as file:
            return zipfile.is_zipfile(file)
    except (OSError, UnreadableFile):
        return False


def tensors_bytes(tensors: Arrays) -> bytes:
    """Returns a safetensors file: `params.safetensors`, by names as `trained/layers/0/weight`."""
    return save({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()})


def read_params(folder: Path, most_bytes: int | None = None) -> dict[str, np.ndarray]:
    """Returns the tensors of `params.safetensors` by name.

    Raises OSError, ValueError or SafetensorError if it is missing, damaged or larger than
    `most_bytes`.
    """
    return load(safe_reading.read_bytes(folder / "params.safetensors", most_bytes))


def checkpoints_bytes(steps: np.ndarray, tensors: Arrays) -> bytes:
    """Returns `checkpoints.safetensors`; the first axis of each parameter is that of `steps`."""
    named = {"step": steps} | {f"params/{name}": array for name, array in tensors.items()}
    return tensors_bytes(named)


def read_checkpoints(
    folder: Path, most_bytes: int | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the steps of the checkpoints, and their parameters by name; see `read_params`."""
    tensors = load(safe_reading.read_bytes(folder / "checkpoints.safetensors", most_bytes))
    steps = tensors.pop("step")
    return steps, {name.removeprefix("params/"): array for name, array in tensors.items()}

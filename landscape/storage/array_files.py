"""The arrays of a run: Parquet, NPZ and safetensors files. Nothing is pickled."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load, save

from landscape.storage import disk

if TYPE_CHECKING:
    import pandas as pd

Arrays = Mapping[str, np.ndarray]


def write_trace(folder: Path, columns: Arrays, *, lasting: bool = True) -> None:
    """Writes `trace.parquet`, one row per recorded step."""
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), buffer)
    disk.write_bytes(folder / "trace.parquet", buffer.getvalue(), lasting=lasting)


def read_trace(folder: Path) -> "pd.DataFrame":
    """Returns the trace. Raises OSError or ValueError if it is missing or damaged."""
    import pandas as pd

    return pd.read_parquet(folder / "trace.parquet")


def write_slices(folder: Path, arrays: Arrays) -> None:
    """Writes `slices.npz`; NaN and infinity stay unchanged."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    disk.write_bytes(folder / "slices.npz", buffer.getvalue())


def read_slices(folder: Path) -> dict[str, np.ndarray]:
    """Returns all arrays of `slices.npz`; none if the file is missing."""
    path = folder / "slices.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def write_params(folder: Path, tensors: Arrays) -> None:
    """Writes `params.safetensors`, by names such as `trained/layers/0/weight`."""
    _write_tensors(folder / "params.safetensors", tensors)


def read_params(folder: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of `params.safetensors` by name."""
    return load((folder / "params.safetensors").read_bytes())


def write_checkpoints(folder: Path, steps: np.ndarray, tensors: Arrays) -> None:
    """Writes `checkpoints.safetensors`; the first axis of each parameter is that of `steps`."""
    named = {"step": steps} | {f"params/{name}": array for name, array in tensors.items()}
    _write_tensors(folder / "checkpoints.safetensors", named)


def read_checkpoints(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the steps of the checkpoints, and their parameters by name."""
    tensors = load((folder / "checkpoints.safetensors").read_bytes())
    steps = tensors.pop("step")
    return steps, {name.removeprefix("params/"): array for name, array in tensors.items()}


def _write_tensors(path: Path, tensors: Arrays) -> None:
    disk.write_bytes(path, save({n: np.ascontiguousarray(a) for n, a in tensors.items()}))

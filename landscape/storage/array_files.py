"""The arrays of a run: Parquet, NPZ and safetensors files. Nothing is pickled."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load, save

if TYPE_CHECKING:
    import pandas as pd

Arrays = Mapping[str, np.ndarray]


def trace_bytes(columns: Arrays) -> bytes:
    """Returns the content of `trace.parquet`, one row per recorded step."""
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), buffer)
    return buffer.getvalue()


def read_trace(folder: Path) -> "pd.DataFrame":
    """Returns the trace. Raises OSError or ValueError if it is missing or damaged."""
    import pyarrow.parquet

    # Threads would take longer to start than a trace takes to read.
    with pyarrow.parquet.ParquetFile(folder / "trace.parquet") as file:
        return file.read(use_threads=False).to_pandas(use_threads=False)


def slices_bytes(arrays: Arrays) -> bytes:
    """Returns the content of `slices.npz`; NaN and infinity stay unchanged."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    return buffer.getvalue()


def read_slices(folder: Path) -> dict[str, np.ndarray]:
    """Returns all arrays of `slices.npz`; none if the file is missing."""
    path = folder / "slices.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def tensors_bytes(tensors: Arrays) -> bytes:
    """Returns a safetensors file: `params.safetensors`, by names as `trained/layers/0/weight`."""
    return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def read_params(folder: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of `params.safetensors` by name."""
    return load((folder / "params.safetensors").read_bytes())


def checkpoints_bytes(steps: np.ndarray, tensors: Arrays) -> bytes:
    """Returns `checkpoints.safetensors`; the first axis of each parameter is that of `steps`."""
    named = {"step": steps} | {f"params/{name}": array for name, array in tensors.items()}
    return tensors_bytes(named)


def read_checkpoints(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the steps of the checkpoints, and their parameters by name."""
    tensors = load((folder / "checkpoints.safetensors").read_bytes())
    steps = tensors.pop("step")
    return steps, {name.removeprefix("params/"): array for name, array in tensors.items()}

"""The layout of `runs/`: what lies where, how it is written and read. Arrays are NumPy.

    <experiment>/experiment.yaml      as resolved
    <experiment>/plan.json            the ids of its runs, in order
    <experiment>/across.json          what was measured between runs
    <experiment>/runs/<run-id>/       one run: config, trace, slices, curvature, parameters,
                                      checkpoints, audit, summary, status
    <experiment>/report/              what `landscape report` makes of the above

A file is written under a temporary name in its own folder, flushed to disk and renamed, so it is
the old one or the new one, never a part. `status.json` is written last: where it says `done` or
`diverged`, everything else is there; where it says `trained`, what training left is. Nothing is
pickled.
"""

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FINISHED = ("done", "diverged")
# Between training and the end of measuring: what was trained is there and is kept.
TRAINED = "trained"
MEASURED = ("slices.npz", "curvature.json", "audit.json", "error.txt")


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces `path` by `content`, all of it or nothing; makes the folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """UTF-8 text."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Indented JSON with sorted keys; NaN and infinity become null, since JSON has neither."""
    text = json.dumps(_finite_or_none(value), indent=2, sort_keys=True, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def run_folder(experiment: Path, run_id: str) -> Path:
    """Where a run of the experiment lies."""
    return experiment / "runs" / run_id


def write_plan(experiment: Path, run_ids: Iterable[str]) -> None:
    """Which runs belong to the experiment as it is configured now, in the order of the config."""
    write_json(experiment / "plan.json", list(run_ids))


def read_plan(experiment: Path) -> list[str]:
    """The ids that `write_plan` wrote; the folders that are there where it never did."""
    plan = experiment / "plan.json"
    if plan.exists():
        return read_json(plan)
    folder = experiment / "runs"
    return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def read_status(folder: Path) -> str | None:
    """`done`, `diverged`, `failed`, `trained` for a run that is yet to be measured, or None."""
    try:
        return read_json(folder / "status.json")["status"]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def write_status(folder: Path, status: str) -> None:
    """Ends a run: called after everything else of it is written."""
    write_json(folder / "status.json", {"status": status})


def write_failure(folder: Path, config_yaml: str, trace: str) -> None:
    """Records a run that raised: what was asked, the traceback, and the status `failed`.

    A training that was stored before stays: it can be measured again.
    """
    if read_status(folder) != TRAINED:
        clear_run(folder)
    write_text(folder / "config.yaml", config_yaml)
    write_text(folder / "error.txt", trace)
    write_status(folder, "failed")


def read_failure(folder: Path) -> str:
    """The last line of what a failed run raised."""
    try:
        lines = (folder / "error.txt").read_text(encoding="utf-8").strip().splitlines()
    except OSError:
        return "unknown error"
    return lines[-1] if lines else "unknown error"


def clear_run(folder: Path) -> None:
    """Takes away what an earlier attempt left, its status first."""
    (folder / "status.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def clear_measured(folder: Path) -> None:
    """Takes away what an earlier measurement of the same training left."""
    for name in MEASURED:
        (folder / name).unlink(missing_ok=True)


def readable(folder: Path, names: Iterable[str]) -> bool:
    """Whether these files of a run are there and are what their names say."""
    try:
        for name in names:
            if name.endswith(".json"):
                read_json(folder / name)
            elif name.endswith(".npz") and not zipfile.is_zipfile(folder / name):
                return False
    except (OSError, ValueError):
        return False
    return True


def write_trace(folder: Path, columns: Mapping[str, np.ndarray]) -> None:
    """`trace.parquet`: one row a recorded step."""
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), buffer)
    write_bytes(folder / "trace.parquet", buffer.getvalue())


def read_trace(folder: Path) -> "pd.DataFrame":
    """The trace of a run. Raises OSError or ValueError where the file is missing or damaged."""
    import pandas as pd

    return pd.read_parquet(folder / "trace.parquet")


def write_slices(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """`slices.npz`; NaN and infinity are kept as they are."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    write_bytes(folder / "slices.npz", buffer.getvalue())


def read_slices(folder: Path) -> dict[str, np.ndarray]:
    """All arrays of `slices.npz`; empty where the run has none."""
    path = folder / "slices.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def write_params(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """`params.safetensors`, by names such as `trained/layers/0/weight`."""
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_bytes(folder / "params.safetensors", save(contiguous))


def read_params(folder: Path) -> dict[str, np.ndarray]:
    """What `write_params` wrote."""
    from safetensors.numpy import load

    return load((folder / "params.safetensors").read_bytes())


def write_checkpoints(folder: Path, steps: np.ndarray, tensors: Mapping[str, np.ndarray]) -> None:
    """`checkpoints.safetensors`: `step` and each parameter with a leading axis of checkpoints."""
    from safetensors.numpy import save

    named = {"step": steps} | {f"params/{name}": array for name, array in tensors.items()}
    contiguous = {name: np.ascontiguousarray(array) for name, array in named.items()}
    write_bytes(folder / "checkpoints.safetensors", save(contiguous))


def read_checkpoints(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The steps and parameters that `write_checkpoints` wrote."""
    from safetensors.numpy import load

    found = load((folder / "checkpoints.safetensors").read_bytes())
    tensors = {n.removeprefix("params/"): a for n, a in found.items() if n != "step"}
    return found["step"], tensors


def _finite_or_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite_or_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_or_none(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value

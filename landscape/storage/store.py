"""The layout of `runs/`: which file lies where, and how it is written and read.

    <experiment>/experiment.yaml      the resolved config
    <experiment>/plan.json            the ids of its runs, in order
    <experiment>/across.json          measurements between runs
    <experiment>/held.json            the process that works on the folder, while it does
    <experiment>/runs/<run-id>/       one run: config, trace, slices, curvature, parameters,
                                      checkpoints, audit, summary, log, status; its progress while
                                      it is under way
    <experiment>/report/              the output of `landscape report`

`status.json` is written last: if it says `done` or `diverged`, all other files are complete; if it
says `trained`, the files of training are. It holds the size and the digest of every other file, so
that later damage is noticed. `landscape.storage.records` defines every JSON file. Arrays are NumPy;
nothing is pickled.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, overload

from landscape.errors import UserError, printable
from landscape.storage import disk, schema
from landscape.storage.audit_records import AuditRecord
from landscape.storage.records import (
    CurvatureRecord,
    FileDigest,
    Plan,
    ProgressRecord,
    StatusRecord,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Record = TypeVar("Record")

FINISHED = ("done", "diverged")
# Between training and the end of measuring: what was trained is there and is kept.
TRAINED = "trained"
MEASURED = ("slices.npz", "curvature.json", "audit.json", "error.txt")
# What was trained. A run of which one of these is damaged is trained again.
TRAINING = ("trace.parquet", "params.safetensors", "checkpoints.safetensors")
_MEASUREMENTS: dict[str, Any] = {"curvature.json": CurvatureRecord, "audit.json": AuditRecord}
# Without these a run is not finished.
_NEEDED = ("config.yaml", "trace.parquet", "params.safetensors", "summary.json")
LOG, PROGRESS, STATUS = "log.txt", "progress.json", "status.json"
_UNSTABLE = (LOG, PROGRESS, STATUS)


def write_record(path: Path, record: Any, *, lasting: bool = True) -> None:
    """Writes a JSON file. Raises StorageError if it cannot be written."""
    disk.write_bytes(path, schema.to_text(record).encode(), lasting=lasting)


@overload
def read_record(path: Path, kind: type[Record]) -> Record: ...
@overload
def read_record(path: Path, kind: object) -> Any: ...
def read_record(path: Path, kind: Any) -> Any:
    """Reads a JSON file. Raises OSError or ValueError if it is missing, damaged or foreign."""
    return schema.from_text(path.read_bytes(), kind)


def clear_unfinished(experiment: Path) -> None:
    """Takes away what writers left that were killed in the middle."""
    for folder in (".", "runs/*", "report/**"):
        for path in experiment.glob(f"{folder}/.*{disk.UNFINISHED}"):
            if not path.parent.is_symlink():
                path.unlink(missing_ok=True)


def run_folder(experiment: Path, run_id: str) -> Path:
    """Where a run of the experiment lies."""
    return experiment / "runs" / run_id


def write_plan(experiment: Path, run_ids: Iterable[str]) -> None:
    """Which runs belong to the experiment as it is configured now, in the order of the config."""
    write_record(experiment / "plan.json", tuple(run_ids))


def run_names(experiment: Path) -> list[str]:
    """The ids of all runs whose folders are there, planned or not; links are none."""
    folder = experiment / "runs"
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.name for path in found if path.is_dir() and not path.is_symlink())


def move_run(experiment: Path, old: str, new: str) -> None:
    """Gives a run's folder another id. StorageError where that cannot be."""
    with disk.storing(run_folder(experiment, new)):
        run_folder(experiment, old).rename(run_folder(experiment, new))


def read_plan(experiment: Path) -> list[str]:
    """Returns the planned run ids; without a plan, the ids of all run folders.

    Raises ValueError if one is not a valid run id: a foreign plan must not lead out of its folder.
    """
    plan = experiment / "plan.json"
    return list(read_record(plan, Plan)) if plan.exists() else run_names(experiment)


def read_status(folder: Path) -> str | None:
    """Returns `done`, `diverged`, `failed`, or `trained` if not yet measured; None if unknown."""
    record = _status(folder)
    return None if record is None else record.status


def read_reason(folder: Path) -> str | None:
    """Returns why a run failed, such as `time limit`; None if its own code raised."""
    record = _status(folder)
    return None if record is None else record.reason


def _status(folder: Path) -> StatusRecord | None:
    try:
        return read_record(folder / STATUS, StatusRecord)
    except (OSError, ValueError):
        return None


def write_status(folder: Path, status: str, reason: str | None = None) -> None:
    """Ends a run or its training; called after all its other files are written."""
    files = {
        path.name: _digest_of(path)
        for path in _lasting(folder)
        # Measurement files are rewritten after measuring, so their digests are not recorded yet.
        if status != TRAINED or path.name in TRAINING
    }
    write_record(folder / STATUS, StatusRecord(status, files, reason))


def rewrite_config(folder: Path, config_yaml: str) -> None:
    """Rewrites the config of a finished run without changing its identity."""
    status, reason = read_status(folder), read_reason(folder)
    disk.write_text(folder / "config.yaml", config_yaml)
    if status is not None:
        write_status(folder, status, reason)


def _lasting(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path.name not in _UNSTABLE:
            yield path


def _digest_of(path: Path) -> FileDigest:
    content = path.read_bytes()
    return FileDigest(len(content), hashlib.sha256(content).hexdigest())


def digest(folder: Path) -> str:
    """Returns a digest of all files of a finished run, without reading them."""
    record = _status(folder)
    content = json.dumps({} if record is None else schema.to_plain(record), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def damaged(folder: Path) -> list[str]:
    """Returns the files of a run that are missing or differ from their recorded digest."""
    record = _status(folder)
    if record is not None and record.files is None and record.status in FINISHED:
        # Written before digests existed.
        return [name for name in _NEEDED if not (folder / name).is_file()]
    return _not_as_recorded(folder, record)


def changed(folder: Path) -> list[str]:
    """Returns the files of a run that exist but differ from their recorded digest."""
    names = _not_as_recorded(folder, _status(folder))
    return [name for name in names if (folder / Path(name).name).is_file()]


def _not_as_recorded(folder: Path, record: StatusRecord | None) -> list[str]:
    digests = (record.files if record is not None else None) or {}
    return [
        name for name, digest in digests.items() if not _matches(folder / Path(name).name, digest)
    ]


def _matches(path: Path, digest: FileDigest) -> bool:
    try:
        return _digest_of(path) == digest
    except OSError:
        return False


def write_failure(
    folder: Path, config_yaml: str, explanation: str, reason: str | None = None
) -> None:
    """Records a run that failed: what was asked, the traceback or explanation, and the status.

    What was recorded of its training stays, and one that was finished can be measured again.
    """
    clear_measured(folder)
    disk.write_text(folder / "config.yaml", config_yaml)
    disk.write_text(folder / "error.txt", explanation)
    write_status(folder, "failed", reason)


def read_failure(folder: Path) -> str:
    """The last line of what a failed run raised."""
    try:
        text = (folder / "error.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown error"
    lines = printable(text).strip().splitlines()
    return lines[-1] if lines else "unknown error"


def why_failed(folder: Path) -> str:
    """Why a run failed: the reason that its status gives, else what it raised."""
    return read_reason(folder) or read_failure(folder)


def write_progress(folder: Path, progress: ProgressRecord) -> None:
    """Writes how far a run has come. Not flushed: it is outdated within a second."""
    write_record(folder / PROGRESS, progress, lasting=False)


def read_progress(folder: Path) -> ProgressRecord | None:
    """Returns how far a run has come; None if it is not under way."""
    try:
        return read_record(folder / PROGRESS, ProgressRecord)
    except (OSError, ValueError):
        return None


def append_log(folder: Path, line: str) -> None:
    """A line at the end of a run's log. StorageError where it cannot be written."""
    with opened_log(folder) as file, disk.storing(folder / LOG):
        file.write(f"{line}\n".encode())


@contextlib.contextmanager
def opened_log(folder: Path) -> Iterator[BinaryIO]:
    """A run's log, to write at its end. StorageError where that cannot be, as for a link."""
    disk.refuse_copies()
    path = folder / LOG
    with disk.storing(path):
        folder.mkdir(parents=True, exist_ok=True)
        links = getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | links, 0o644)
    with os.fdopen(handle, "wb", buffering=0) as file:
        yield file


def read_log(folder: Path) -> list[str]:
    """The lines of a run's log; empty where it has none."""
    try:
        return (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def clear_progress(folder: Path) -> None:
    """Where a run is no longer under way."""
    with disk.storing(folder / PROGRESS):
        (folder / PROGRESS).unlink(missing_ok=True)


def clear_run(folder: Path) -> None:
    """Takes away what an earlier attempt left, its status first; its log stays."""
    disk.refuse_copies()
    (folder / STATUS).unlink(missing_ok=True)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name in (LOG, PROGRESS):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def clear_measured(folder: Path) -> None:
    """Takes away what an earlier measurement of the same training left."""
    disk.refuse_copies()
    for name in MEASURED:
        (folder / name).unlink(missing_ok=True)


# Who works on an experiment's folder.
HELD = "held.json"
# What an experiment's folder holds; nothing else in it is ever deleted.
_OWN = ("runs", "report", "experiment.yaml", "plan.json", "across.json")


def refuse_foreign(experiment: Path) -> None:
    """UserError for a folder that holds something, but no experiment."""
    names = {path.name for path in experiment.glob("[!.]*")} - {HELD}
    if names and not (experiment / "experiment.yaml").is_file():
        raise UserError(
            f"{experiment} holds something else than an experiment; nothing is deleted",
            hint="choose another --out, or another `name` in the config",
        )


def refuse_links(paths: Iterable[Path]) -> None:
    """UserError where one of them is a symbolic link: what is written must stay where it is."""
    for path in paths:
        if path.is_symlink():
            raise UserError(
                f"{path} leads to {path.resolve()}",
                hint="remove the link: results are written inside the experiment's own folder",
            )


def clear_experiment(experiment: Path) -> None:
    """Takes away everything that this program has written there. StorageError where it cannot."""
    with disk.storing(experiment):
        for name in _OWN:
            path = experiment / name
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)


def written_places(experiment: Path, run_ids: Iterable[str]) -> Iterator[Path]:
    """The folders and files of an experiment that a command writes to, as far as they are there."""
    yield from (experiment / name for name in _OWN)
    for run_id in run_ids:
        folder = run_folder(experiment, run_id)
        yield folder
        if folder.is_dir() and not folder.is_symlink():
            yield from folder.iterdir()


def size(experiment: Path) -> tuple[int, int]:
    """How many runs an experiment's folder holds, and how many bytes."""
    found = [experiment / name for name in _OWN]
    files = [f for path in found for f in ([path] if path.is_file() else path.rglob("*"))]
    runs = experiment / "runs"
    count = sum(path.is_dir() for path in runs.iterdir()) if runs.is_dir() else 0
    with contextlib.suppress(FileNotFoundError):
        return count, sum(path.lstat().st_size for path in files if path.is_file())
    return count, 0


def readable(folder: Path, names: Iterable[str]) -> bool:
    """Returns whether these files of a run exist and can be opened as what their names say."""
    try:
        for name in names:
            if name.endswith(".json"):
                read_record(folder / name, _MEASUREMENTS[name])
            elif name.endswith(".npz") and not zipfile.is_zipfile(folder / name):
                return False
    except (OSError, ValueError):
        return False
    return True


def write_trace(folder: Path, columns: "Mapping[str, np.ndarray]", *, lasting: bool = True) -> None:
    """`trace.parquet`: one row a recorded step."""
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), buffer)
    disk.write_bytes(folder / "trace.parquet", buffer.getvalue(), lasting=lasting)


def read_trace(folder: Path) -> "pd.DataFrame":
    """The trace of a run. Raises OSError or ValueError where the file is missing or damaged."""
    import pandas as pd

    return pd.read_parquet(folder / "trace.parquet")


def write_slices(folder: Path, arrays: "Mapping[str, np.ndarray]") -> None:
    """`slices.npz`; NaN and infinity are kept as they are."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    disk.write_bytes(folder / "slices.npz", buffer.getvalue())


def read_slices(folder: Path) -> "dict[str, np.ndarray]":
    """All arrays of `slices.npz`; empty where the run has none."""
    import numpy as np

    path = folder / "slices.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def write_params(folder: Path, tensors: "Mapping[str, np.ndarray]") -> None:
    """`params.safetensors`, by names such as `trained/layers/0/weight`."""
    import numpy as np
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    disk.write_bytes(folder / "params.safetensors", save(contiguous))


def read_params(folder: Path) -> "dict[str, np.ndarray]":
    """What `write_params` wrote."""
    from safetensors.numpy import load

    return load((folder / "params.safetensors").read_bytes())


def write_checkpoints(
    folder: Path, steps: "np.ndarray", tensors: "Mapping[str, np.ndarray]"
) -> None:
    """`checkpoints.safetensors`: `step` and each parameter with a leading axis of checkpoints."""
    import numpy as np
    from safetensors.numpy import save

    named = {"step": steps} | {f"params/{name}": array for name, array in tensors.items()}
    contiguous = {name: np.ascontiguousarray(array) for name, array in named.items()}
    disk.write_bytes(folder / "checkpoints.safetensors", save(contiguous))


def read_checkpoints(folder: Path) -> "tuple[np.ndarray, dict[str, np.ndarray]]":
    """The steps and parameters that `write_checkpoints` wrote."""
    from safetensors.numpy import load

    found = load((folder / "checkpoints.safetensors").read_bytes())
    tensors = {n.removeprefix("params/"): a for n, a in found.items() if n != "step"}
    return found["step"], tensors

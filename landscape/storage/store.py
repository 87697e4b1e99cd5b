"""The layout of `runs/`: what lies where, how it is written and read. Arrays are NumPy.

    <experiment>/experiment.yaml      as resolved
    <experiment>/plan.json            the ids of its runs, in order
    <experiment>/across.json          what was measured between runs
    <experiment>/held.json            who is at work here, while somebody is
    <experiment>/runs/<run-id>/       one run: config, trace, slices, curvature, parameters,
                                      checkpoints, audit, summary, log, status; while it is under
                                      way also how far it has come
    <experiment>/report/              what `landscape report` makes of the above

`status.json` is written last: where it says `done` or `diverged`, everything else is there; where
it says `trained`, what training left is. It holds the size and the digest of every other file, so
that what was damaged afterwards is noticed. Nothing is pickled.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from landscape.errors import UserError, printable
from landscape.storage import disk

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FINISHED = ("done", "diverged")
# Between training and the end of measuring: what was trained is there and is kept.
TRAINED = "trained"
MEASURED = ("slices.npz", "curvature.json", "audit.json", "error.txt")
# What was trained. A run of which one of these is damaged is trained again.
TRAINING = ("trace.parquet", "params.safetensors", "checkpoints.safetensors")
# Without these a run is not finished.
_NEEDED = ("config.yaml", "trace.parquet", "params.safetensors", "summary.json")
LOG, PROGRESS, STATUS = "log.txt", "progress.json", "status.json"
_UNSTABLE = (LOG, PROGRESS, STATUS)


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
    disk.write_json(experiment / "plan.json", list(run_ids))


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
    """The ids that `write_plan` wrote; the folders that are there where it never did.

    ValueError where they are no names of folders: a plan from somebody else must not lead out of
    its own folder.
    """
    plan = experiment / "plan.json"
    if not plan.exists():
        return run_names(experiment)
    found = disk.read_json(plan)
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError("it is no list of names")
    for name in found:
        if not re.fullmatch(r"[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*", name):
            raise ValueError(f"`{name}` is no name of a run")
    return found


def read_status(folder: Path) -> str | None:
    """`done`, `diverged`, `failed`, `trained` for a run that is yet to be measured, or None."""
    status = _status(folder).get("status")
    return status if isinstance(status, str) else None


def read_reason(folder: Path) -> str | None:
    """Why a run failed, in a few words such as `time limit`; None where its own code raised."""
    reason = _status(folder).get("reason")
    return reason if isinstance(reason, str) else None


def _status(folder: Path) -> dict[str, Any]:
    try:
        found = disk.read_json(folder / STATUS)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_status(folder: Path, status: str, reason: str | None = None) -> None:
    """Ends a run, or its training: called after everything else of it is written."""
    files = {
        path.name: _described(path)
        for path in _lasting(folder)
        # What is no training is written anew when it is measured.
        if status != TRAINED or path.name in TRAINING
    }
    said = {"status": status, "files": files}
    disk.write_json(folder / STATUS, said | ({} if reason is None else {"reason": reason}))


def rewrite_config(folder: Path, config_yaml: str) -> None:
    """Another `config.yaml` for a finished run, which is none other for it."""
    status, reason = read_status(folder), read_reason(folder)
    disk.write_text(folder / "config.yaml", config_yaml)
    if status is not None:
        write_status(folder, status, reason)


def _lasting(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path.name not in _UNSTABLE:
            yield path


def _described(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def digest(folder: Path) -> str:
    """Of everything that a finished run left, without reading it."""
    content = json.dumps(_status(folder), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:12]


def damaged(folder: Path) -> list[str]:
    """The files of a run that are missing, or not as they were when its status was written."""
    said = _status(folder)
    if said.get("files") is None and said.get("status") in FINISHED:  # of before digests were kept
        return [name for name in _NEEDED if not (folder / name).is_file()]
    return _not_as_written(folder, said)


def changed(folder: Path) -> list[str]:
    """The files of a run that are there, but not as they were when its status was written."""
    found = _not_as_written(folder, _status(folder))
    return [name for name in found if (folder / Path(name).name).is_file()]


def _not_as_written(folder: Path, said: Mapping[str, Any]) -> list[str]:
    files = said.get("files")
    return [
        name
        for name, described in (files.items() if isinstance(files, dict) else ())
        if not _as_described(folder / Path(name).name, described)
    ]


def _as_described(path: Path, described: Any) -> bool:
    try:
        return _described(path) == described
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


def write_progress(folder: Path, progress: Mapping[str, Any]) -> None:
    """How far a run has come, for whoever watches. Not flushed: it is old in a second."""
    disk.write_json(folder / PROGRESS, progress, lasting=False)


def read_progress(folder: Path) -> dict[str, Any]:
    """What `write_progress` wrote last; empty where the run is not under way."""
    try:
        found = disk.read_json(folder / PROGRESS)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


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
    """Whether these files of a run are there and are what their names say."""
    try:
        for name in names:
            if name.endswith(".json"):
                disk.read_json(folder / name)
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

"""The layout of `runs/`, and the files of a run that are neither arrays nor measurements.

    <experiment>/experiment.yaml      the resolved config
    <experiment>/plan.json            the ids of its runs, in order
    <experiment>/across.json          measurements between runs
    <experiment>/compare.json         the tuning of each loss, and which runs judge it
    <experiment>/maps.json            where training succeeds, by learning rate and initialization
    <experiment>/contents.json        digests of the files above and of the status of every run
    <experiment>/held.json            the process that works on the folder, while it does
    <experiment>/runs/<run-id>/       one run: config, row numbers of its splits, trace, slices,
                                      curvature, parameters, checkpoints, audit, summary, log,
                                      status; its progress while it is under way
    <experiment>/report/              the output of `landscape report`

`status.json` is written last: if it says `done`, `diverged` or, of a point that was trained
elsewhere, `looked`, all other files are complete; if it says `trained`, the files of training are.
It holds the size and the digest of every other file, so that later damage is noticed.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from landscape.errors import printable
from landscape.storage import array_files, disk, safe_reading, schema
from landscape.storage.audit_records import AuditRecord
from landscape.storage.curvature_records import CurvatureRecord
from landscape.storage.records import FileDigest, ProgressRecord, StatusRecord
from landscape.storage.safe_reading import UnreadableFile

Record = TypeVar("Record")

FINISHED = ("done", "diverged", "looked")
# Training is saved, but the measurements are not complete.
TRAINED = "trained"
MEASURED = ("slices.npz", "curvature.json", "audit.json", "error.txt")
# A run is trained again if one of these is damaged.
TRAINING = ("trace.parquet", "params.safetensors", "checkpoints.safetensors")
_MEASUREMENTS: dict[str, Any] = {"curvature.json": CurvatureRecord, "audit.json": AuditRecord}
_REQUIRED = ("config.yaml", "trace.parquet", "params.safetensors", "summary.json")
LOG, PROGRESS, STATUS = "log.txt", "progress.json", "status.json"
_LONGEST_ERROR = 500_000  # characters of `error.txt`


def write_record(path: Path, record: Any, *, lasting: bool = True) -> None:
    """Writes a JSON file. Raises StorageError if it cannot be written."""
    disk.write_bytes(path, record_bytes(record), lasting=lasting)


def record_bytes(record: Any) -> bytes:
    """Returns the content of a JSON file."""
    return schema.to_text(record).encode()


def read_record(path: Path, kind: type[Record]) -> Record:
    """Reads a JSON file. Raises OSError or ValueError if it is missing, damaged or foreign."""
    return schema.from_text(safe_reading.read_bytes(path), kind)


def read_valid_record(path: Path, kind: type[Record]) -> Record | None:
    """Reads a JSON file; returns None if it is missing, damaged or foreign."""
    try:
        return read_record(path, kind)
    except (OSError, ValueError):
        return None


def run_folder(experiment: Path, run_id: str) -> Path:
    """Returns the folder of a run."""
    return experiment / "runs" / run_id


def status_content(folder: Path) -> bytes | None:
    """Returns the content of `status.json`; None if it is missing or cannot be read."""
    try:
        return safe_reading.read_bytes(folder / STATUS)
    except (OSError, UnreadableFile):
        return None


def parse_status(content: bytes | None) -> StatusRecord | None:
    """Returns the status of a run, its reason, and its files; None if it is unknown."""
    try:
        return None if content is None else schema.from_text(content, StatusRecord)
    except ValueError:
        return None


def read_status_record(folder: Path) -> StatusRecord | None:
    """Returns the status of a run, its reason, and its files; None if it is unknown."""
    return parse_status(status_content(folder))


def read_status(folder: Path) -> str | None:
    """Returns `done`, `diverged`, `looked`, `failed`, or `trained` until measured; else None."""
    record = read_status_record(folder)
    return None if record is None else record.status


def read_reason(folder: Path) -> str | None:
    """Returns why a run failed, such as `time limit`; None if its own code raised."""
    record = read_status_record(folder)
    return None if record is None else record.reason


def write_run_files(
    folder: Path, files: Mapping[str, bytes], status: str, reason: str | None = None
) -> None:
    """Writes files of a run by name, and last the status with the digest of every file."""
    names = {name for name in _sizes(folder) if not name.startswith(".")} | files.keys()
    # Measurement files are rewritten after measuring, so their digests are not recorded yet.
    names = names & {*TRAINING} if status == TRAINED else names - {LOG, PROGRESS, STATUS}
    digests = {
        name: _digest(files[name]) if name in files else file_digest(folder / name)
        for name in sorted(names)
    }
    for name in (*files, STATUS):
        if (folder / name).is_dir():
            _delete(folder / name)
    contents = {folder / name: content for name, content in files.items()}
    recorded = {name: file for name, file in digests.items() if file is not None}
    status_record = record_bytes(StatusRecord(status, recorded, reason))
    disk.write_files(contents | {folder / STATUS: status_record})


def rewrite_config(folder: Path, config_yaml: str) -> None:
    """Rewrites the config of a finished run without changing its identity."""
    record = read_status_record(folder)
    if record is not None:
        files = {"config.yaml": config_yaml.encode()}
        write_run_files(folder, files, record.status, record.reason)


def _digest(content: bytes) -> FileDigest:
    return FileDigest(len(content), hashlib.sha256(content).hexdigest())


def file_digest(path: Path) -> FileDigest | None:
    """Returns the digest of a file; None if it is missing or cannot be read."""
    try:
        return FileDigest(*safe_reading.size_and_sha256(path))
    except (OSError, UnreadableFile):
        return None


def digest(folder: Path) -> str:
    """Returns a digest of all files of a finished run, without reading them."""
    record = read_status_record(folder)
    content = json.dumps({} if record is None else schema.to_plain(record), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def damaged(folder: Path) -> list[str]:
    """Returns the files of a run that are missing or differ from their recorded digest."""
    record = read_status_record(folder)
    if record is not None and record.files is None and record.status in FINISHED:
        return resized(folder, record)
    return _not_as_recorded(folder, record, _sizes(folder))


def resized(folder: Path, record: StatusRecord) -> list[str]:
    """Returns the files of a finished run that are missing or differ from their recorded size."""
    if record.files is None:  # written before digests existed
        sizes = _sizes(folder)
        return [name for name in _REQUIRED if name not in sizes]
    sizes = _sizes(folder, record.files)
    return [name for name, file in record.files.items() if sizes.get(name) != file.bytes]


def changed(folder: Path) -> list[str]:
    """Returns the files of a run that exist but differ from their recorded digest."""
    sizes = _sizes(folder)
    names = _not_as_recorded(folder, read_status_record(folder), sizes)
    return [name for name in names if name in sizes]


def is_changed(folder: Path, name: str) -> bool:
    """Returns whether one file of a run exists but differs from its recorded digest."""
    record = read_status_record(folder)
    listed = (record.files if record is not None else None) or {}
    path = folder / name
    return name in listed and safe_reading.exists(path) and file_digest(path) != listed[name]


def _not_as_recorded(
    folder: Path, record: StatusRecord | None, sizes: Mapping[str, int]
) -> list[str]:
    digests = (record.files if record is not None else None) or {}
    return [
        name
        for name, digest in digests.items()
        if sizes.get(name) != digest.bytes or file_digest(folder / name) != digest
    ]


def _sizes(folder: Path, names: Container[str] | None = None) -> dict[str, int]:
    """Returns the size of the files of these names in a folder, by default of all.

    The size of a link, a folder or a device is -1.
    """
    sizes = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if names is not None and entry.name not in names:
                    continue
                regular = entry.is_file(follow_symlinks=False)
                sizes[entry.name] = entry.stat(follow_symlinks=False).st_size if regular else -1
    except OSError:
        return {}
    return sizes


def write_failure(
    folder: Path, config_yaml: str, explanation: str, reason: str | None = None
) -> None:
    """Records a failed run: its config, the traceback or explanation, and the status.

    The files of training stay, so that a completely trained run can be measured again.
    """
    clear_measured(folder)
    error = explanation[-_LONGEST_ERROR:].encode()
    files = {"config.yaml": config_yaml.encode(), "error.txt": error}
    write_run_files(folder, files, "failed", reason)


def read_failure(folder: Path) -> str:
    """Returns the last line of the error of a failed run, without the indented hint after it."""
    try:
        text = safe_reading.read_text(folder / "error.txt", errors="replace")
    except (OSError, UnreadableFile):
        return "unknown error"
    lines = printable(text).strip().splitlines()
    unindented = [line for line in lines if line[:1].strip()]
    return (unindented or ["unknown error"])[-1]


def why_failed(folder: Path) -> str:
    """Returns why a run failed: the reason in its status, else the last line of its error."""
    return read_reason(folder) or read_failure(folder)


def write_progress(folder: Path, progress: ProgressRecord) -> None:
    """Writes the progress of a run. Not flushed: it is outdated within a second."""
    write_record(folder / PROGRESS, progress, lasting=False)


def read_progress(folder: Path) -> ProgressRecord | None:
    """Returns the progress of a run; None if it is not under way."""
    return read_valid_record(folder / PROGRESS, ProgressRecord)


def clear_progress(folder: Path) -> None:
    """Deletes the progress of a run that has ended."""
    with disk.storing(folder / PROGRESS):
        (folder / PROGRESS).unlink(missing_ok=True)


def append_log(folder: Path, line: str) -> None:
    """Appends a line to a run's log. Raises StorageError if it cannot be written."""
    with opened_log(folder) as file, disk.storing(folder / LOG):
        file.write(f"{line}\n".encode())


@contextlib.contextmanager
def opened_log(folder: Path) -> Iterator[BinaryIO]:
    """Opens a run's log for appending. Raises StorageError if that fails, as for a link."""
    disk.refuse_copies()
    path = folder / LOG
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with disk.storing(path):
        try:
            handle = os.open(path, flags, 0o644)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, flags, 0o644)
    with os.fdopen(handle, "wb", buffering=0) as file:
        yield file


def read_log(folder: Path) -> list[str]:
    """Returns the lines of a run's log; an empty list without a log."""
    try:
        return safe_reading.read_text(folder / LOG, errors="replace").splitlines()
    except (OSError, UnreadableFile):
        return []


def clear_status(folder: Path) -> None:
    """Deletes the status of a run, so that it is performed again."""
    disk.refuse_copies()
    with disk.storing(folder / STATUS):
        _delete(folder / STATUS)


def clear_run(folder: Path) -> None:
    """Deletes the files of an earlier attempt, its status first; its log stays."""
    disk.refuse_copies()
    _delete(folder / STATUS)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in (LOG, PROGRESS):
            _delete(path)


def clear_measured(folder: Path) -> None:
    """Deletes the files of an earlier measurement of the same training."""
    disk.refuse_copies()
    for name in MEASURED:
        _delete(folder / name)


def _delete(path: Path) -> None:
    """Deletes a file, a link, or a folder with everything in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def readable(folder: Path, names: Iterable[str]) -> bool:
    """Returns whether these measurement files exist and have the format of their name."""
    try:
        for name in names:
            if name.endswith(".json"):
                read_record(folder / name, _MEASUREMENTS[name])
            elif name.endswith(".npz") and not array_files.is_archive(folder / name):
                return False
    except (OSError, ValueError):
        return False
    return True

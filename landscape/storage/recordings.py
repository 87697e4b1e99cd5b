"""The folder of a recorded training loop: one per label, so that several processes can record.

`runs/NAME/runs/<label>/` holds `trace.parquet`, `recording.json`, `meta.json` and `status.json`,
as a run does. There is no plan: all folders belong to the recording.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from landscape.errors import UserError
from landscape.storage import disk, experiment_folder, safe_reading, store
from landscape.storage.records import FileDigest, StatusRecord

RECORDING = "recording.json"
# The status of a loop that is under way, or was killed, and that of one that has ended.
OPEN, CLOSED = "recording", "recorded"
_LONGEST_LABEL = 100  # characters of the name of a folder


def claim(experiment: Path, label: str, *, fresh: bool = False) -> Path:
    """Creates and returns the folder of a label, for this recorder alone.

    Raises UserError if the label is taken and not `fresh`, or if the folder is that of an
    experiment; StorageError if it cannot be created.
    """
    if (experiment / "experiment.yaml").exists():
        raise UserError(
            f"`{experiment}` holds the results of an experiment",
            hint="pass another `name` to the recorder",
        )
    folder = store.run_folder(experiment, folder_name(label))
    disk.refuse_links(experiment, (folder,))
    with disk.storing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            if not fresh:
                raise UserError(
                    f"`{folder}` already holds the recording `{label}`",
                    hint="pass another `label`, or `fresh=True` to replace it",
                ) from None
            store.clear_run(folder)
    return folder


def folder_name(label: str) -> str:
    """Returns the label as the name of a folder; different labels have different names."""
    name = re.sub(r"[^A-Za-z0-9._=+-]+", "_", label)[:_LONGEST_LABEL].lstrip(".")
    if name == label:
        return name
    return f"{name or '_'}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def write_open(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files of a loop that is under way, each atomically; not flushed to disk."""
    status = store.record_bytes(StatusRecord(OPEN))
    contents = {folder / name: content for name, content in files.items()}
    disk.write_files(contents | {folder / store.STATUS: status}, lasting=False)


def write_closed(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files of a loop that has ended, and last its status with their digests.

    One by one, without the threads of `disk.write_files`: these have ended when a process exits.
    """
    digests = {
        name: FileDigest(len(content), hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    }
    status = store.record_bytes(StatusRecord(CLOSED, digests))
    for name, content in {**files, store.STATUS: status}.items():
        disk.write_bytes(folder / name, content)


def is_recording(experiment: Path) -> bool:
    """Returns whether a folder holds recorded loops, not an experiment."""
    if (experiment / "experiment.yaml").exists() or not (experiment / "runs").is_dir():
        return False
    names = experiment_folder.run_ids(experiment)
    return any(safe_reading.exists(experiment / "runs" / name / RECORDING) for name in names)

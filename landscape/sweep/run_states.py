"""The state of each run of an experiment, read from its folder."""

from collections.abc import Set
from pathlib import Path
from typing import NamedTuple

from landscape.storage import contents, experiment_folder, safe_reading, store
from landscape.storage.contents import Contents
from landscape.storage.records import ProgressRecord


class RunState(NamedTuple):
    """The status of a run, the reason if it failed, and its progress while it is running."""

    status: str
    reason: str | None
    progress: ProgressRecord | None = None


class FolderState(NamedTuple):
    """The state of each run of an experiment, by run id, and warnings about changed files."""

    runs: dict[str, RunState]
    warnings: tuple[str, ...] = ()


def folder_state(directory: Path, held: bool) -> FolderState:
    """Returns the state of each run of an experiment, and warnings if no process works on it.

    The status is that of the run, or `running`, `missing` if it has not started, `interrupted` if
    it started and did not end, `damaged` if a file is missing or has another size than the run
    wrote, or its status is not as `contents.json` lists it; other contents are compared where they
    are used. `held`: whether a process is working on the folder.
    """
    begun = held or safe_reading.exists(directory / "experiment.yaml")
    if begun and not any(safe_reading.exists(directory / name) for name in ("plan.json", "runs")):
        return FolderState({})  # its programs are being built and checked, or it was killed then
    names = experiment_folder.planned_runs(directory)
    folders = {*experiment_folder.run_ids(directory)}
    listed = contents.read(directory)
    states = {name: _state(name, listed, folders, held) for name in names}
    return FolderState(states, () if held else listed.warnings())


def run_states(directory: Path, held: bool) -> dict[str, RunState]:
    """Returns the state of each run of an experiment by run id, see `folder_state`."""
    return folder_state(directory, held).runs


def _state(name: str, listed: Contents, folders: Set[str], held: bool) -> RunState:
    folder = store.run_folder(listed.directory, name)
    if name not in folders and safe_reading.exists(folder):
        return RunState("damaged", "not a folder")
    content = store.status_content(folder)
    if listed.status_differs(name, content):
        return RunState("damaged", f"{store.STATUS} was changed")
    record = store.parse_status(content)
    if record is None or record.status == store.TRAINED:
        progress = store.read_progress(folder)
        if progress:
            return RunState("running" if held else "interrupted", None, progress)
    if record is None:
        exists = safe_reading.exists(folder / store.STATUS)
        return RunState("damaged", store.STATUS) if exists else RunState("missing", None)
    if record.status in store.FINISHED and (names := store.resized(folder, record)):
        return RunState("damaged", ", ".join(names))
    if record.status == "failed":
        return RunState("failed", record.reason or store.read_failure(folder))
    return RunState(record.status, None)

"""The state of each run of an experiment, read from its folder."""

from pathlib import Path
from typing import NamedTuple

from landscape.errors import UserError
from landscape.storage import experiment_folder, store
from landscape.storage.records import ProgressRecord


class RunState(NamedTuple):
    """The status of a run, the reason if it failed, and its progress while it is running."""

    status: str
    reason: str | None
    progress: ProgressRecord | None = None


def run_states(directory: Path, held: bool, *, thorough: bool = True) -> dict[str, RunState]:
    """Returns the state of each run of an experiment, by run id.

    The status is that of the run, or `running`, `missing` if it has not started, `interrupted` if
    it started and did not end, `damaged` if its files differ from what it wrote. `held`: whether a
    process is working on the folder. `thorough`: read every file to check it for damage.
    """
    if not (directory / "experiment.yaml").is_file():
        if held:  # its programs are being built and checked
            return {}
        raise UserError(
            f"{directory} does not contain an experiment",
            hint="name the folder that `landscape run` wrote to, such as runs/quickstart",
        )
    try:
        names = experiment_folder.read_plan(directory)
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read {directory / 'plan.json'}: {error}",
            hint="run the experiment again; finished runs are kept",
        ) from None
    return {name: _state(store.run_folder(directory, name), held, thorough) for name in names}


def _state(folder: Path, held: bool, thorough: bool) -> RunState:
    status, progress = store.read_status(folder), store.read_progress(folder)
    if progress and status in (None, store.TRAINED):
        return RunState("running" if held else "interrupted", None, progress)
    damaged = store.damaged(folder) if thorough and status in store.FINISHED else []
    if damaged:
        return RunState("damaged", ", ".join(damaged))
    if status is None and (folder / store.STATUS).exists():
        return RunState("damaged", store.STATUS)
    return RunState(status or "missing", store.why_failed(folder) if status == "failed" else None)

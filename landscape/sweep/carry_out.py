"""Many runs into one folder: what is missing, in which order, and what became of each."""

import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from landscape import config
from landscape.config import Experiment, Run
from landscape.errors import StorageError, UserError
from landscape.run.plan import Planned, across_missing, done, plan
from landscape.storage import disk, store
from landscape.sweep import executors, lock
from landscape.sweep.executors import Event, Note


class RunState(NamedTuple):
    """How far a run has come: its status, why it failed, and what it does while under way."""

    status: str
    reason: str | None
    progress: dict[str, Any]


def states(directory: Path, held: bool, *, thorough: bool = True) -> dict[str, RunState]:
    """The state of each run of an experiment.

    `running` where it is under way, `missing` where nobody has begun it, `interrupted` where
    somebody had, `damaged` where files of it are no longer what it wrote. `held`: whether somebody
    is at work on the folder; `thorough`: read every file, to see whether it is damaged.
    """
    if not (directory / "experiment.yaml").is_file():
        if held:  # its programs are being built and checked
            return {}
        raise UserError(
            f"{directory} holds no experiment",
            hint="name the folder that `landscape run` wrote to, such as runs/quickstart",
        )
    try:
        names = store.read_plan(directory)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{directory / 'plan.json'} cannot be read: {error}",
            hint="run the experiment again: finished runs are kept",
        ) from None
    return {name: _state(store.run_folder(directory, name), held, thorough) for name in names}


def _state(folder: Path, held: bool, thorough: bool) -> RunState:
    status, progress = store.read_status(folder), store.read_progress(folder)
    if progress and status in (None, store.TRAINED):
        return RunState("running" if held else "interrupted", None, progress)
    damaged = store.damaged(folder) if thorough and status in store.FINISHED else []
    if damaged:
        return RunState("damaged", ", ".join(damaged), {})
    if status is None and (folder / store.STATUS).exists():
        return RunState("damaged", store.STATUS, {})
    return RunState(
        status or "missing", store.why_failed(folder) if status == "failed" else None, {}
    )


class Opened(NamedTuple):
    """A sweep is about to begin: its folder, runs, plan, and who left the folder unfinished."""

    directory: Path
    runs: tuple[Run, ...]
    plan: dict[str, Planned]
    stale: lock.Holder | None


class Prepared(NamedTuple):
    """All programs of the runs are built and checked; so many there are."""

    programs: int


class Deleting(NamedTuple):
    """What the folder held is deleted: so many runs, and bytes."""

    runs: int
    size: int


class Measured(NamedTuple):
    """What lies across runs was measured."""


def carry_out(
    experiment: Experiment,
    out: Path,
    how: executors.ExecutorSpec,
    *,
    fresh: bool = False,
    retry_failed: bool = False,
    stop: threading.Event | None = None,
) -> Generator[Event | Opened | Prepared | Deleting | Measured, None, None]:
    """Does what is missing of an experiment, and tells of every step.

    The folder belongs to this process until the end. No result in it is touched before every
    mistake in the runs is found. After `stop` is set no further run is begun. UserError for a
    mistake, StorageError where results cannot be written.
    """
    stop = stop or threading.Event()
    runs = config.expand(experiment)
    directory = out / experiment.name
    with lock.hold(directory) as stale:
        if fresh:
            store.refuse_foreign(directory)
        decided = plan(runs, directory, fresh=fresh, retry_failed=retry_failed)
        if not fresh:
            _refuse_links(directory, decided)
            for run_id in decided:  # of somebody who is at work no more
                store.clear_progress(store.run_folder(directory, run_id))
        pending = [run for run in runs if decided[run.id].pending]
        yield Opened(directory, runs, decided, stale)
        across = experiment.across
        if not pending:
            _open_directory(experiment, directory, runs, decided)
            if across is None or not across_missing(across, done(runs, directory), directory):
                return
        with executors.started(how, experiment, directory) as executor:
            if pending:
                yield Prepared((yield from executor.prepare(pending, stop)))
                if stop.is_set():  # nothing is deleted for runs that will not be made
                    return
                if fresh:
                    yield Deleting(*store.size(directory))
                    store.clear_experiment(directory)
                _open_directory(experiment, directory, runs, decided)
                yield from executor.perform(pending, directory, stop)
            if across is None or stop.is_set():
                return
            try:
                measured = executor.across(across, runs, directory, stop)
            except StorageError:
                raise
            except UserError as error:  # what was trained is worth a report without it
                yield Note(str(error))
                return
            if measured:
                yield Measured()


def _refuse_links(directory: Path, decided: dict[str, Planned]) -> None:
    """Refuses links in all that is written to or moved."""
    names = {name for run_id, planned in decided.items() for name in (run_id, planned.folder)}
    store.refuse_links(store.written_places(directory, sorted(names)))


def _rename(runs: Sequence[Run], decided: dict[str, Planned], directory: Path) -> None:
    """Gives runs that are there the names that the config has now, which decide nothing else."""
    for run in runs:
        found = decided[run.id]
        if found.folder != run.id:
            store.move_run(directory, found.folder, run.id)
        if found.renamed and not found.pending:
            store.rewrite_config(store.run_folder(directory, run.id), config.dump(run))


def _open_directory(
    experiment: Experiment, directory: Path, runs: Sequence[Run], decided: dict[str, Planned]
) -> None:
    """Makes the experiment's folder, writes what was asked for, and renames what is there."""
    store.clear_unfinished(directory)
    disk.write_text(directory / "experiment.yaml", config.dump(experiment))
    store.write_plan(directory, [run.id for run in runs])
    if experiment.across is None:
        (directory / "across.json").unlink(missing_ok=True)
    _rename(runs, decided, directory)

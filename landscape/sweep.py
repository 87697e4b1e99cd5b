"""Many runs into one folder: what is missing, in which order, and what became of each."""

import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from landscape import config, executors, lock, store
from landscape.config import Experiment, Run
from landscape.errors import StorageError, UserError
from landscape.executors import Event, Note

PENDING = ("new", "measure", "retry")


class Planned(NamedTuple):
    """What is to be done with a run, and which files of it are damaged.

    `new`; `measure`: trained, but not measured as it is asked for now; `retry`; or the status that
    is kept: `done`, `diverged`, `failed`.
    """

    action: str
    damaged: tuple[str, ...] = ()

    @property
    def pending(self) -> bool:
        """Whether there is anything to do."""
        return self.action in PENDING


def plan(
    runs: Sequence[Run], directory: Path, *, fresh: bool, retry_failed: bool
) -> dict[str, Planned]:
    """What is to be done with each run, by id."""
    new = Planned("new")
    return {
        run.id: new if fresh else _decide(run, store.run_folder(directory, run.id), retry_failed)
        for run in runs
    }


def _decide(run: Run, folder: Path, retry_failed: bool) -> Planned:
    status = store.read_status(folder)
    if status is None:
        broken = (store.STATUS,) if (folder / store.STATUS).exists() else ()
        return Planned("new", broken)
    damaged = tuple(store.damaged(folder))
    if status == "failed":
        return Planned("retry" if retry_failed else "failed")
    if set(damaged) & {*store.TRAINING}:
        return Planned("new", damaged)
    if status == store.TRAINED:
        return Planned("measure")
    if damaged or not store.readable(folder, _asked(run)):
        return Planned("measure", damaged)
    try:
        stored = config.read_run(folder / "config.yaml").measurement
    except UserError:
        return Planned("measure", ("config.yaml",))
    return Planned(status if stored == run.measurement else "measure")


def _asked(run: Run) -> list[str]:
    """The files that a finished run has for what its config asks to be measured."""
    asked = {"slices.npz": run.slices, "curvature.json": run.curvature, "audit.json": run.audit}
    return [name for name, value in asked.items() if value]


class State(NamedTuple):
    """How far a run has come: its status, why it failed, and what it does while under way."""

    status: str
    reason: str | None
    progress: dict[str, Any]


def states(directory: Path, held: bool) -> dict[str, State]:
    """The state of each run of an experiment.

    `running` where it is under way, `missing` where nobody has begun it, `interrupted` where
    somebody had, `damaged` where files of it are no longer what it wrote. `held`: whether somebody
    is at work on the folder.
    """
    if not (directory / "experiment.yaml").is_file():
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
    return {name: _state(store.run_folder(directory, name), held) for name in names}


def _state(folder: Path, held: bool) -> State:
    status, progress = store.read_status(folder), store.read_progress(folder)
    if progress and status in (None, store.TRAINED):
        return State("running" if held else "interrupted", None, progress)
    if status is not None and status != "failed" and (damaged := store.damaged(folder)):
        return State("damaged", ", ".join(damaged), {})
    if status is None and (folder / store.STATUS).exists():
        return State("damaged", store.STATUS, {})
    return State(status or "missing", store.read_reason(folder), {})


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
    how: executors.Plan,
    *,
    fresh: bool = False,
    retry_failed: bool = False,
    stop: threading.Event | None = None,
) -> Generator[Event | Opened | Prepared | Deleting | Measured, None, None]:
    """Does what is missing of an experiment, and tells of every step.

    The folder belongs to this process until the end. Nothing in it is touched before every mistake
    in the runs is found. After `stop` is set no further run is begun. UserError for a mistake,
    StorageError where results cannot be written.
    """
    stop = stop or threading.Event()
    runs = config.expand(experiment)
    directory = out / experiment.name
    with lock.hold(directory) as stale:
        if fresh:
            store.refuse_foreign(directory)
        decided = plan(runs, directory, fresh=fresh, retry_failed=retry_failed)
        pending = [run for run in runs if decided[run.id].pending]
        yield Opened(directory, runs, decided, stale)
        if not pending and experiment.across is None:
            _open_directory(experiment, directory, list(decided))
            return
        with executors.started(how, experiment, directory) as executor:
            yield Prepared(executor.prepare(pending))
            if stop.is_set():  # nothing is deleted for runs that will not be made
                return
            if fresh:
                yield Deleting(*store.size(directory))
                store.clear_experiment(directory)
            _open_directory(experiment, directory, list(decided))
            yield from executor.perform(pending, directory, stop)
            if experiment.across is None or stop.is_set():
                return
            try:
                measured = executor.across(experiment.across, runs, directory)
            except StorageError:
                raise
            except UserError as error:  # what was trained is worth a report without it
                yield Note(str(error))
                return
            if measured:
                yield Measured()


def _open_directory(experiment: Experiment, directory: Path, run_ids: Sequence[str]) -> None:
    """Makes the experiment's folder and writes what was asked for."""
    for folder in (directory / "runs", *(store.run_folder(directory, i) for i in run_ids)):
        if folder.is_symlink():
            raise UserError(
                f"{folder} leads to another folder, {folder.resolve()}",
                hint="remove the link: results are written inside the experiment's own folder",
            )
    store.clear_unfinished(directory)
    store.write_text(directory / "experiment.yaml", config.dump(experiment))
    store.write_plan(directory, run_ids)
    if experiment.across is None:
        (directory / "across.json").unlink(missing_ok=True)

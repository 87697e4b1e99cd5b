"""A session of work on one experiment: locks its folder, plans the runs, and performs them."""

import contextlib
import functools
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from landscape import config
from landscape.config import AcrossSettings, Experiment, Run
from landscape.errors import ClusterError, StorageError, UserError
from landscape.run.plan import Planned, across_missing, done, plan, refuse_other_experiment
from landscape.storage import contents, disk, experiment_folder, store
from landscape.storage.contents import Contents
from landscape.storage.records import Holder
from landscape.sweep import lock
from landscape.sweep.executors.protocol import Event, Executor, ExecutorSpec, Note
from landscape.sweep.executors.selection import running_executor


class Deleting(NamedTuple):
    """Earlier results are deleted: their number of runs, and their bytes."""

    runs: int
    size: int


class Measured(NamedTuple):
    """The measurements across runs are done."""


@dataclass(frozen=True)
class Session:
    """The runs of an experiment, the plan for each, and the folder, locked for this process.

    `stale` is the process that held the folder last, if it did not exit cleanly; `listed` is what
    the folder held when the last command ended.
    """

    experiment: Experiment
    directory: Path
    runs: tuple[Run, ...]
    plan: dict[str, Planned]
    fresh: bool
    stale: Holder | None
    listed: Contents


@contextlib.contextmanager
def open_session(
    experiment: Experiment, out: Path, *, fresh: bool = False, retry_failed: bool = False
) -> Iterator[Session]:
    """Locks the experiment's folder in `out` and plans its runs. Changes no results.

    `fresh`: perform all runs and delete earlier results. Raises UserError if another process uses
    the folder or another experiment is in it, StorageError if it cannot be written to.
    """
    runs = config.expand(experiment)
    directory = out / experiment.name
    with lock.hold(directory) as stale:
        if fresh:
            experiment_folder.refuse_foreign(directory)
        refuse_other_experiment(experiment, directory)
        plans = plan(runs, directory, fresh=fresh, retry_failed=retry_failed)
        if not fresh:
            names = {name for run_id, planned in plans.items() for name in (run_id, planned.folder)}
            paths = experiment_folder.written_paths(directory, sorted(names))
            disk.refuse_links(directory, paths)
            for run_id in plans:  # left by a process that has ended
                store.clear_progress(store.run_folder(directory, run_id))
        yield Session(experiment, directory, runs, plans, fresh, stale, contents.read(directory))


def events(
    session: Session, spec: ExecutorSpec, stop: threading.Event | None = None
) -> Generator[Event | Deleting | Measured, None, None]:
    """Performs the missing runs of a session and yields an event per step.

    Results are changed only after every run is checked. No further run starts once `stop` is set.
    Raises UserError for mistakes in the runs, StorageError if results cannot be written,
    ClusterError if the Ray cluster is lost. Close the generator before the session, so that workers
    end while the folder is locked.
    """
    with contextlib.ExitStack() as ending:
        yield from _events(session, spec, stop or threading.Event(), ending)


def _events(
    session: Session, spec: ExecutorSpec, stop: threading.Event, ending: contextlib.ExitStack
) -> Iterator[Event | Deleting | Measured]:
    across, directory = session.experiment.across, session.directory
    pending = [run for run in session.runs if session.plan[run.id].pending]
    if not pending:
        _update_folder(session, ending)
        finished = done(session.runs, directory)
        if across is None or not across_missing(across, finished, directory):
            return
    separately = session.stale is not None
    executing = running_executor(spec, session.experiment, directory, separately=separately)
    with executing as executor:
        if pending:
            yield from executor.prepare(pending, stop)
            if stop.is_set():  # do not delete results for runs that will not start
                return
            if session.fresh:
                yield Deleting(*experiment_folder.runs_and_bytes(directory))
                experiment_folder.clear_experiment(directory)
            _update_folder(session, ending)
            yield from _trained_again(session)
            yield from executor.perform(pending, directory, stop)
        if across is not None and not stop.is_set():
            yield from _measure_across(executor, across, session, stop)


def _trained_again(session: Session) -> Iterator[Note]:
    """Reports why runs are trained again under new ids, also in the log of each."""
    runs: dict[tuple[str, ...], int] = {}
    for run_id, planned in session.plan.items():
        if planned.changed:
            runs[planned.changed] = runs.get(planned.changed, 0) + 1
            folder = store.run_folder(session.directory, run_id)
            store.append_log(folder, f"trained again: {', '.join(planned.changed)} changed")
    for changed, count in runs.items():
        subject = "1 run is" if count == 1 else f"{count} runs are"
        yield Note(f"{subject} trained again: {', '.join(changed)} changed")


def _measure_across(
    executor: Executor, settings: AcrossSettings, session: Session, stop: threading.Event
) -> Iterator[Note | Measured]:
    try:
        if executor.measure_across(settings, session.runs, session.directory, stop):
            yield Measured()
    except (StorageError, ClusterError):
        raise
    except UserError as error:  # report the trained runs even if this fails
        yield Note(str(error))


def _update_folder(session: Session, ending: contextlib.ExitStack) -> None:
    """Writes the experiment and its plan, and gives stored runs the names in the config.

    Deletes what was changed, or may have been, since the last command ended. The list of the
    folder's contents is missing from now on until `ending`.
    """
    directory = session.directory
    ending.push(functools.partial(_list_contents, session))
    contents.remove(directory)
    experiment_folder.clear_unfinished(directory)
    if session.experiment.across is None or not session.listed.confirms("across.json"):
        (directory / "across.json").unlink(missing_ok=True)
    disk.write_text(directory / "experiment.yaml", config.dump(session.experiment))
    experiment_folder.write_plan(directory, [run.id for run in session.runs])
    for run in session.runs:
        planned = session.plan[run.id]
        if store.STATUS in planned.damaged:
            store.clear_status(store.run_folder(directory, planned.folder))
        if planned.folder != run.id:
            experiment_folder.move_run(directory, planned.folder, run.id)
        if planned.renamed and not planned.pending:
            store.rewrite_config(store.run_folder(directory, run.id), config.dump(run))


def _list_contents(
    session: Session, kind: type | None, error: BaseException | None, trace: object
) -> None:
    """Lists what the folder holds; without a list, a report notes that it cannot be verified.

    `kind` is that of the error that ends the session, None without an error. Workers of a cluster
    that is lost may still finish their runs, which a list would report as changed.
    """
    if kind is not None and issubclass(kind, ClusterError):
        return
    with contextlib.suppress(OSError, ValueError, StorageError):
        contents.write(session.directory, [run.id for run in session.runs], session.listed)

"""A session of work on one experiment: locks its folder, plans its stages, and performs them."""

import contextlib
import functools
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from landscape import config
from landscape.config import Experiment, Run
from landscape.errors import ClusterError, StorageError, UserError, counted
from landscape.run.plan import Planned, across_missing, check_folder, done, plan
from landscape.run.stored_sizes import check_across
from landscape.run.trained_points import identified
from landscape.storage import contents, disk, experiment_folder, store
from landscape.storage.contents import Contents
from landscape.storage.records import Holder
from landscape.sweep import lock
from landscape.sweep.executors.protocol import Event, Executor, ExecutorSpec, Note
from landscape.sweep.executors.selection import running_executor
from landscape.sweep.stages import Stage
from landscape.sweep.work import COMPARE, ConfiguredRuns, Work


class Deleting(NamedTuple):
    """Earlier results are deleted: their number of runs, and their bytes."""

    runs: int
    size: int


class Measured(NamedTuple):
    """The measurements across runs are done."""


class Began(NamedTuple):
    """A stage begins; `session` has its runs and the plan for each."""

    session: "Session"


@dataclass(frozen=True)
class Session:
    """A stage of work on an experiment: its runs, the plan for each, and the locked folder.

    `stale` is the process that held the folder last, if it did not exit cleanly; `listed` is what
    the folder held when the last command ended. `work` yields the `following` stages; `earlier` are
    the runs of those before, `checked` runs of later ones that are checked before any starts,
    `kept` stored runs of other configs that stay in the plan.
    """

    experiment: Experiment
    directory: Path
    runs: tuple[Run, ...]
    plan: dict[str, Planned]
    fresh: bool
    stale: Holder | None
    listed: Contents
    work: Work
    following: Iterator[Stage]
    name: str = ""
    checked: tuple[Run, ...] = ()
    retry_failed: bool = False
    earlier: tuple[Run, ...] = ()
    kept: tuple[Run, ...] = ()

    @property
    def stored_experiment(self) -> Experiment:
        """The experiment with the losses of the runs that are kept."""
        losses = (*(run.loss for run in self.kept), *self.experiment.losses)
        return self.experiment.model_copy(update={"losses": losses})

    @property
    def pending(self) -> list[Run]:
        """The runs of this stage for which work remains."""
        return [run for run in self.runs if self.plan[run.id].pending]

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """The runs that are kept, of stages before and of this one."""
        return (*self.kept, *self.earlier, *self.runs)


@contextlib.contextmanager
def open_session(
    experiment: Experiment,
    out: Path,
    *,
    fresh: bool = False,
    retry_failed: bool = False,
    work: Work | None = None,
) -> Iterator[Session]:
    """Locks the experiment's folder in `out` and plans the first stage. Changes no results.

    `work`: the stages, by default one with the runs of the config. `fresh`: perform all runs and
    delete earlier results. Raises UserError if another process uses the folder or another
    experiment is in it, StorageError if it cannot be written to.
    """
    experiment = identified(experiment)
    work = work or ConfiguredRuns(experiment)
    directory = out / experiment.name
    stages = work.stages(directory)
    stage = next(stages)
    check_across(experiment.across, stage.runs)
    with lock.hold(directory) as stale:
        check_folder(experiment, directory, fresh=fresh)
        listed = contents.read(directory)
        kept = () if fresh else tuple(work.kept(directory))
        plans = plan(
            stage.runs,
            directory,
            fresh=fresh,
            retry_failed=retry_failed,
            listed=listed,
            keep_more=work.keeps_more,
            others=[run.id for run in kept],
        )
        session = Session(
            experiment=experiment,
            directory=directory,
            runs=stage.runs,
            plan=plans,
            fresh=fresh,
            stale=stale,
            listed=listed,
            work=work,
            following=stages,
            name=stage.name,
            checked=stage.checked,
            retry_failed=retry_failed,
            kept=kept,
        )
        _check_folders(session)
        yield session


def _check_folders(session: Session) -> None:
    """Raises UserError if the stage would write to a link; deletes progress that has ended."""
    if session.fresh:
        return
    plans, directory = session.plan, session.directory
    names = {name for run_id, planned in plans.items() for name in (run_id, planned.folder)}
    disk.refuse_links(directory, experiment_folder.written_paths(directory, sorted(names)))
    for run_id in plans:  # left by a process that has ended
        store.clear_progress(store.run_folder(directory, run_id))


def _next_session(session: Session) -> Session | None:
    """Plans the next stage; None after the last one."""
    stage = next(session.following, None)
    if stage is None:
        return None
    directory, earlier = session.directory, (*session.earlier, *session.runs)
    listed = contents.relisted(session.listed, [run.id for run in session.runs])
    plans = plan(
        stage.runs,
        directory,
        fresh=False,
        retry_failed=session.retry_failed,
        listed=listed,
        keep_more=session.work.keeps_more,
        others=[run.id for run in (*session.kept, *earlier)],
    )
    new = replace(
        session,
        runs=stage.runs,
        plan=plans,
        fresh=False,
        listed=listed,
        name=stage.name,
        checked=stage.checked,
        earlier=earlier,
    )
    _check_folders(new)
    return new


def events(
    session: Session, spec: ExecutorSpec, stop: threading.Event | None = None
) -> Generator[Event | Deleting | Measured | Began, None, None]:
    """Performs the missing runs of all stages and yields an event per step.

    Results of a stage are changed only after each of its runs is checked. No further run starts
    once `stop` is set. Raises UserError for mistakes in the runs, StorageError if results cannot be
    written, ClusterError if the Ray cluster is lost. Close the generator before the session, so
    that workers end while the folder is locked.
    """
    with contextlib.ExitStack() as ending:
        yield from _events(session, spec, stop or threading.Event(), ending)


def _events(
    session: Session, spec: ExecutorSpec, stop: threading.Event, ending: contextlib.ExitStack
) -> Iterator[Event | Deleting | Measured | Began]:
    workers = contextlib.ExitStack()

    @functools.cache
    def executor() -> Executor:  # one for all stages, started when it is needed first
        separately = session.stale is not None
        starting = running_executor(
            spec, session.experiment, session.directory, separately=separately
        )
        return workers.enter_context(starting)

    with workers:
        stage: Session | None = session
        while stage is not None:
            yield Began(stage)
            yield from _perform(stage, executor, stop, ending)
            if stop.is_set():
                return
            stage = _next_session(stage)
        yield from _measure_across(executor, session, stop)
        session.work.finish(session.directory)
        yield from _measure_maps(executor, session, stop)


def _perform(
    session: Session,
    executor: Callable[[], Executor],
    stop: threading.Event,
    ending: contextlib.ExitStack,
) -> Iterator[Event | Deleting]:
    """Performs the missing runs of a stage."""
    if session.pending:
        yield from executor().prepare([*session.pending, *session.checked], stop)
        if stop.is_set():  # do not delete results for runs that will not start
            return
    if session.fresh:
        yield Deleting(*experiment_folder.runs_and_bytes(session.directory))
        experiment_folder.clear_unfinished(session.directory)
        ending.enter_context(experiment_folder.cleared(session.directory))
    if not session.earlier:
        compared = (session.directory / COMPARE).exists()
        _begin_changes(session, ending)
        if compared and isinstance(session.work, ConfiguredRuns):
            yield Note("replacing a comparison; `landscape compare` restores it from its runs")
    _update_folder(session)
    if session.pending:
        yield from _trained_again(session)
        yield from executor().perform(session.pending, session.directory, stop)


def _trained_again(session: Session) -> Iterator[Note]:
    """Reports why runs are trained again under new ids, also in the log of each."""
    runs: dict[tuple[str, ...], int] = {}
    done = "trained" if session.experiment.point is None else "looked at"
    for run_id, planned in session.plan.items():
        if planned.changed:
            runs[planned.changed] = runs.get(planned.changed, 0) + 1
            folder = store.run_folder(session.directory, run_id)
            store.append_log(folder, f"{done} again: {', '.join(planned.changed)} changed")
    for changed, count in runs.items():
        verb = "is" if count == 1 else "are"
        yield Note(f"{counted(count, 'run')} {verb} {done} again: {', '.join(changed)} changed")


def _measure_across(
    executor: Callable[[], Executor], session: Session, stop: threading.Event
) -> Iterator[Note | Measured]:
    """Measures across the runs of all stages if that is configured and missing."""
    settings, directory = session.experiment.across, session.directory
    if settings is None:
        return
    runs = session.work.across()
    if not across_missing(settings, done(runs, directory), directory):
        return
    try:
        if executor().measure_across(settings, runs, directory, stop):
            yield Measured()
    except (StorageError, ClusterError):
        raise
    except UserError as error:  # report the trained runs even if this fails
        yield Note(str(error))


def _measure_maps(
    executor: Callable[[], Executor], session: Session, stop: threading.Event
) -> Iterator[Note]:
    """Measures the trainability maps that are missing."""
    requests = [] if stop.is_set() else session.work.maps()
    if not requests:
        return
    yield Note(f"mapping where training succeeds, {len(requests)} losses")
    try:
        executor().measure_maps(requests, session.directory, stop)
    except (StorageError, ClusterError):
        raise
    except UserError as error:  # report the runs even if this fails
        yield Note(str(error))


def _begin_changes(session: Session, ending: contextlib.ExitStack) -> None:
    """Deletes what was changed, or may have been, since the last command ended.

    The list of the folder's contents is missing from now on until `ending`.
    """
    directory = session.directory
    ending.push(functools.partial(_list_contents, session))
    contents.remove(directory)
    if not session.fresh:  # done, before the results were moved to such a folder
        experiment_folder.clear_unfinished(directory)
    (directory / COMPARE).unlink(missing_ok=True)
    if session.experiment.across is None or not session.listed.confirms("across.json"):
        (directory / "across.json").unlink(missing_ok=True)
    if not session.listed.confirms("maps.json"):
        (directory / "maps.json").unlink(missing_ok=True)
    disk.write_text(directory / "experiment.yaml", config.dump(session.stored_experiment))


def _update_folder(session: Session) -> None:
    """Adds the runs of a stage to the plan, and gives stored runs the names in the config."""
    directory = session.directory
    experiment_folder.write_plan(directory, [run.id for run in session.all_runs])
    for run in session.runs:
        planned = session.plan[run.id]
        if store.STATUS in planned.damaged:
            store.clear_status(store.run_folder(directory, planned.folder))
        if planned.folder != run.id:
            experiment_folder.move_run(directory, planned.folder, run.id)
        if planned.renamed is not None and not planned.pending:
            folder = store.run_folder(directory, run.id)
            store.rewrite_config(folder, config.dump(planned.renamed))


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
        planned = experiment_folder.read_plan(session.directory)
        contents.write(session.directory, planned, session.listed)

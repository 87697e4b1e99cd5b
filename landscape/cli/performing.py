"""Performs runs with progress on stderr, and reports how they ended: for `run` and `compare`."""

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import rich_click as click

from landscape.cli.output import message, wrapped
from landscape.cli.results_commands import show_report
from landscape.cli.signals import INTERRUPTED, interruptible, leave
from landscape.errors import ClusterError, StorageError, UserError, counted
from landscape.sweep.executors.protocol import EXECUTORS

if TYPE_CHECKING:
    from landscape.config import Experiment, Run
    from landscape.run.plan import Planned
    from landscape.sweep.executors.protocol import ExecutorSpec
    from landscape.sweep.session import Session
    from landscape.sweep.work import Work

SOME_RUNS_FAILED = 3


class RunOptions(NamedTuple):
    """The options of the commands that perform runs."""

    out: Path
    jobs: int | None
    executor: str | None
    address: str | None
    fresh: bool
    retry_failed: bool
    dry_run: bool

    def executor_spec(self, experiment: "Experiment") -> "ExecutorSpec":
        """Returns the executor of an experiment."""
        from landscape.sweep.executors.selection import select_executor

        return select_executor(experiment, self.executor, self.jobs, self.address)


_OPTIONS = (
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("runs"),
        show_default=True,
        help="Folder for results.",
    ),
    click.option("--jobs", "-j", type=click.IntRange(1), help="Number of runs at a time."),
    click.option(
        "--executor",
        type=click.Choice(EXECUTORS),
        help="Where runs execute: in this process, in worker processes, on a Ray cluster. "
        "Default: serial for one job without limits, else processes.",
    ),
    click.option("--address", help="Address of a Ray cluster. Default: a new one on this machine."),
    click.option("--fresh", is_flag=True, help="Delete earlier results of this experiment first."),
    click.option("--retry-failed", is_flag=True, help="Retry runs that failed before."),
    click.option("--dry-run", is_flag=True, help="Print the plan and change nothing."),
)


def run_options(command: Callable) -> Callable:
    """Adds the options of `RunOptions` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextlib.contextmanager
def places_in(config: Path, overrides: Sequence[str]) -> Iterator[None]:
    """Adds the lines of the config to errors in parts that are found when they are imported."""
    from landscape.config import with_places

    try:
        yield
    except (StorageError, ClusterError):
        raise
    except UserError as error:
        raise with_places(error, config, overrides) from error


def perform(
    experiment: "Experiment",
    options: RunOptions,
    config: Path,
    overrides: Sequence[str],
    work: "Work | None" = None,
) -> None:
    """Performs the missing runs of an experiment, and shows the report.

    `work`: the stages, by default one with the runs of the config. Exits with another code than 0
    if runs failed or if it was interrupted.
    """
    spec = options.executor_spec(experiment)
    with interruptible() as stop, places_in(config, overrides):
        session = _perform(experiment, options, spec, stop, work)
    _finish(session, stop)


def _perform(
    experiment: "Experiment",
    options: RunOptions,
    spec: "ExecutorSpec",
    stop: threading.Event,
    work: "Work | None",
) -> "Session":
    """Performs the missing runs with progress on stderr; returns the last stage that began."""
    from landscape.sweep.session import open_session

    fresh, retry_failed = options.fresh, options.retry_failed
    with open_session(
        experiment, options.out, fresh=fresh, retry_failed=retry_failed, work=work
    ) as session:
        if session.stale is not None:
            message(f"{session.stale} did not exit cleanly; resuming from its results")
        return _show_events(session, spec, stop)


def _show_events(session: "Session", spec: "ExecutorSpec", stop: threading.Event) -> "Session":
    from rich.console import Console

    from landscape.cli.live_view import LiveView
    from landscape.sweep.executors.protocol import Prepared
    from landscape.sweep.session import Began, Deleting, Measured, events

    console, first = Console(stderr=True), True
    steps = events(session, spec, stop)
    with contextlib.closing(steps), contextlib.ExitStack() as stack:
        for event in steps:
            match event:
                case Began(session):
                    stack.close()
                    print_damaged(session.plan)
                    message(_headline(session))
                    trained = trained_ids(session.plan)
                    pending = len(session.pending)
                    view = LiveView(console, session.directory, pending, trained, session.name)
                case Prepared(programs):
                    if first:
                        message(f"{counted(programs, 'program')} to compile, {spec.workers}")
                        # The report's libraries take seconds to import: compilation hides that.
                        report = "landscape.report.assemble"
                        threading.Thread(target=importlib.import_module, args=(report,)).start()
                    first = False
                    stack.enter_context(view.shown())
                case Deleting(runs, size):
                    print_deleted(session.directory, runs, size, "deleting")
                case Measured():
                    stack.close()
                    message("measured across runs")
                case _:
                    view.update(event)
    return session


def _headline(session: "Session") -> str:
    total, pending = counted(len(session.runs), "run"), len(session.pending)
    if session.name:
        return f"{session.experiment.name}, {session.name}: {total}, {pending} to do"
    name, directory = session.experiment.name, session.directory
    return f"{name}: {total}, {pending} to do, results in {directory}"


def _finish(session: "Session", stop: threading.Event) -> None:
    """Shows the report, and the runs that failed."""
    from landscape.storage import store

    directory, runs = session.directory, session.all_runs
    statuses = {run.id: store.read_status(store.run_folder(directory, run.id)) for run in runs}
    failed = [run for run in runs if statuses[run.id] == "failed"]
    if stop.is_set():
        number = sum(status in store.FINISHED for status in statuses.values())
        stage = f" in the stage {session.name}" if session.name else ""
        message(f"stopped after {number} of {len(runs)} runs{stage}; rerun the command to resume")
        leave(INTERRUPTED)
    if len(failed) < len(runs):
        show_report(directory)
    if failed:
        message(f"{len(failed)} of {len(runs)} runs failed:")
        for run in failed:
            failure = store.read_failure(store.run_folder(directory, run.id))
            message(wrapped(f"  {run.id}: {failure}"))
        sys.exit(SOME_RUNS_FAILED)


def trained_ids(plan: "Mapping[str, Planned]") -> set[str]:
    """Returns the ids of the runs that are trained, and not only measured."""
    return {run_id for run_id, planned in plan.items() if planned.trains}


def print_damaged(plan: "Mapping[str, Planned]") -> None:
    """Prints which files of runs are damaged, and what is done about it."""
    for run_id, planned in plan.items():
        if planned.damaged:
            action = "training" if planned.action == "new" else "measuring"
            message(f"{run_id}: {', '.join(planned.damaged)} damaged; {action} it again")


def print_deleted(directory: Path, runs: int, size: int, verb: str) -> None:
    """Prints how much is deleted."""
    if size:
        amount = f"{counted(runs, 'run')}, {size / 2**20:.1f} MiB"
        message(f"{verb} earlier results in {directory}: {amount}")


def print_programs(pending: "Sequence[Run]", total: int, spec: "ExecutorSpec") -> None:
    """Prints how many runs and programs remain, as far as the config determines it."""
    from landscape.run import traced_options

    keys = {traced_options.model_key(run, traced_options.all_floats(run)) for run in pending}
    # A custom loss has a program of its own if it cannot be traced with the others.
    custom = any(":" in run.loss.name for run in pending)
    programs = ("at least " if custom else "") + counted(len(keys), "program")
    runs = counted(total, "run")
    message(f"{runs}, {len(pending)} to do, {programs} to compile, {spec.workers}")

"""Commands that take a config: run, validate."""

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from landscape.cli.output import ConfigCommand, counted, message, reports_errors, wrapped
from landscape.cli.results_commands import show_report
from landscape.cli.signals import INTERRUPTED, interruptible, leave
from landscape.errors import ClusterError, StorageError, UserError
from landscape.sweep.executors.protocol import EXECUTORS

if TYPE_CHECKING:
    from landscape.config import Experiment, Run
    from landscape.run.plan import Planned
    from landscape.run.program_cache import ProgramCache
    from landscape.sweep.executors.protocol import ExecutorSpec
    from landscape.sweep.session import Session

SOME_RUNS_FAILED = 3


@click.command(cls=ConfigCommand)
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder for results.",
)
@click.option("--jobs", "-j", type=click.IntRange(1), help="Number of runs at a time.")
@click.option(
    "--executor",
    type=click.Choice(EXECUTORS),
    help="Where runs execute: in this process, in worker processes, on a Ray cluster. "
    "Default: serial for one job without limits, else processes.",
)
@click.option("--address", help="Address of a Ray cluster. Default: a new one on this machine.")
@click.option("--fresh", is_flag=True, help="Delete earlier results of this experiment first.")
@click.option("--retry-failed", is_flag=True, help="Retry runs that failed before.")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
@click.option(
    "--estimate",
    is_flag=True,
    help="With --dry-run: time a few steps in this process and estimate the total time.",
)
@reports_errors
def run(
    config: Path,
    overrides: tuple[str, ...],
    out: Path,
    jobs: int | None,
    executor: str | None,
    address: str | None,
    fresh: bool,
    retry_failed: bool,
    dry_run: bool,
    estimate: bool,
) -> None:
    """Train every loss of CONFIG, slice the landscapes, write the report.

    Finished runs are kept: rerun the command to perform the missing ones.

    `optimizer.learning_rate=0.01` changes a key, `optimizer.learning_rate=0.1,0.01` sweeps it.
    """
    from landscape import config as configs

    if estimate and not dry_run:
        raise UserError("--estimate requires --dry-run")
    experiment = configs.load(config, overrides)
    # Imported late, so that an error of the config is printed sooner.
    from landscape.storage import store
    from landscape.sweep.executors.selection import select_executor

    spec = select_executor(experiment, executor, jobs, address)
    if dry_run:
        with _places_in(config, overrides):
            _print_plan(experiment, out / experiment.name, spec, fresh, retry_failed, estimate)
        return
    with interruptible() as stop, _places_in(config, overrides):
        directory, runs = _perform(experiment, out, spec, fresh, retry_failed, stop)
    failed = [r for r in runs if store.read_status(store.run_folder(directory, r.id)) == "failed"]
    if stop.is_set():
        statuses = [store.read_status(store.run_folder(directory, r.id)) for r in runs]
        number = sum(status in store.FINISHED for status in statuses)
        message(f"stopped after {number} of {len(runs)} runs; rerun the command to resume")
        leave(INTERRUPTED)
    if len(failed) < len(runs):
        show_report(directory)
    if failed:
        message(f"{len(failed)} of {len(runs)} runs failed:")
        for run in failed:
            failure = store.read_failure(store.run_folder(directory, run.id))
            message(wrapped(f"  {run.id}: {failure}"))
        sys.exit(SOME_RUNS_FAILED)


@contextlib.contextmanager
def _places_in(config: Path, overrides: Sequence[str]) -> Iterator[None]:
    """Adds the lines of the config to errors in parts that are found when they are imported."""
    from landscape.config import with_places

    try:
        yield
    except (StorageError, ClusterError):
        raise
    except UserError as error:
        raise with_places(error, config, overrides) from error


def _perform(
    experiment: "Experiment",
    out: Path,
    spec: "ExecutorSpec",
    fresh: bool,
    retry_failed: bool,
    stop: threading.Event,
) -> "tuple[Path, Sequence[Run]]":
    """Performs the missing runs with progress on stderr; returns the folder and all runs."""
    from landscape.sweep.session import open_session

    with open_session(experiment, out, fresh=fresh, retry_failed=retry_failed) as session:
        if session.stale is not None:
            message(f"{session.stale} did not exit cleanly; resuming from its results")
        _print_damaged(session.plan)
        _show_events(session, spec, stop)
    return session.directory, session.runs


def _show_events(session: "Session", spec: "ExecutorSpec", stop: threading.Event) -> None:
    from rich.console import Console

    from landscape.cli.live_view import LiveView
    from landscape.sweep.executors.protocol import Prepared
    from landscape.sweep.session import Deleting, Measured, events

    pending = sum(planned.pending for planned in session.plan.values())
    total = counted(len(session.runs), "run")
    message(f"{session.experiment.name}: {total}, {pending} to do, results in {session.directory}")
    trained = _trained(session.plan)
    view = LiveView(Console(stderr=True), session.directory, pending, trained)
    steps = events(session, spec, stop)
    with contextlib.closing(steps), contextlib.ExitStack() as stack:
        for event in steps:
            match event:
                case Prepared(programs):
                    message(f"{counted(programs, 'program')} to compile, {spec.workers}")
                    # The report's libraries take seconds to import, which compilation hides.
                    report = "landscape.report.assemble"
                    threading.Thread(target=importlib.import_module, args=(report,)).start()
                    stack.enter_context(view.shown())
                case Deleting(runs, size):
                    _print_deleted(session.directory, runs, size, "deleting")
                case Measured():
                    stack.close()
                    message("measured across runs")
                case _:
                    view.update(event)


def _trained(plan: "Mapping[str, Planned]") -> set[str]:
    """Returns the ids of the runs that are trained, and not only measured."""
    return {run_id for run_id, planned in plan.items() if planned.trains}


def _print_damaged(plan: "Mapping[str, Planned]") -> None:
    for run_id, planned in plan.items():
        if planned.damaged:
            action = "training" if planned.action == "new" else "measuring"
            message(f"{run_id}: {', '.join(planned.damaged)} damaged; {action} it again")


def _print_deleted(directory: Path, runs: int, size: int, verb: str) -> None:
    if size:
        amount = f"{counted(runs, 'run')}, {size / 2**20:.1f} MiB"
        message(f"{verb} earlier results in {directory}: {amount}")


def _print_plan(
    experiment: "Experiment",
    directory: Path,
    spec: "ExecutorSpec",
    fresh: bool,
    retry_failed: bool,
    estimate: bool,
) -> None:
    """Prints the plan, which depends only on the config and the folder.

    `estimate`: also build and check all programs, as a run does first, and time a few steps.
    """
    from landscape import config as configs
    from landscape.cli.live_view import duration
    from landscape.run import traced_options
    from landscape.run.plan import plan, refuse_other_experiment
    from landscape.storage import experiment_folder

    if fresh:
        experiment_folder.refuse_foreign(directory)
    refuse_other_experiment(experiment, directory)
    runs = configs.expand(experiment)
    plans = plan(runs, directory, fresh=fresh, retry_failed=retry_failed)
    pending = [run for run in runs if plans[run.id].pending]
    for run in runs:
        click.echo(f"{plans[run.id].action:8} {run.id}")
    _print_damaged(plans)
    if fresh:
        _print_deleted(directory, *experiment_folder.runs_and_bytes(directory), "would delete")
    keys = {traced_options.model_key(run, traced_options.all_floats(run)) for run in pending}
    # A custom loss has a program of its own if it cannot be traced with the others.
    custom = any(":" in run.loss.name for run in pending)
    programs = ("at least " if custom else "") + counted(len(keys), "program")
    total = counted(len(runs), "run")
    message(f"{total}, {len(pending)} to do, {programs} to compile, {spec.workers}")
    if estimate and pending:
        from landscape.sweep.estimate import estimate_cost

        cost = estimate_cost(pending, _trained(plans), _prepared(pending))
        jobs = spec.jobs or 1
        total = f"about {duration(cost.compiling + cost.running / jobs)}"
        parts = f"{duration(cost.compiling)} of compilation, {duration(cost.running)} of runs"
        message(f"{total}: {parts}{f' among {jobs} workers' if jobs > 1 else ''}")


def _prepared(runs: "Sequence[Run]") -> "ProgramCache":
    """Builds and checks the data and programs of the runs. Raises UserError for every mistake."""
    from landscape.run.program_cache import prepare
    from landscape.sweep.executors.serial import Serial

    executor = Serial()
    prepare(runs, executor.cache)
    return executor.cache


@click.command(cls=ConfigCommand)
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@reports_errors
def validate(config: Path, overrides: tuple[str, ...]) -> None:
    """Check CONFIG, its data and its losses as `run` does, without training."""
    from landscape import config as configs

    experiment = configs.load(config, overrides)
    with _places_in(config, overrides):
        runs = configs.expand(experiment)
        _prepared(runs)
    click.echo(f"{config}: {len(runs)} runs, no errors")

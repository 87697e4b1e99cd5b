"""Commands that take a config: run, validate."""

import contextlib
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from landscape.cli.reports import show_report
from landscape.cli.root import counted, explained, main, say
from landscape.cli.signals import INTERRUPTED, interruptible, leave
from landscape.errors import UserError
from landscape.sweep.executors import EXECUTORS

if TYPE_CHECKING:
    from landscape.config import Experiment, Run
    from landscape.run.program_cache import ProgramCache
    from landscape.sweep.carry_out import Deleting, Opened, Planned
    from landscape.sweep.executors import ExecutorSpec

SOME_RUNS_FAILED = 3


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder for results.",
)
@click.option("--jobs", "-j", type=click.IntRange(1), help="How many runs at a time.")
@click.option(
    "--executor",
    type=click.Choice(EXECUTORS),
    help="Who performs the runs: this process, processes of this machine, a Ray cluster. "
    "Default: serial for one job without limits, else processes.",
)
@click.option("--address", help="Address of a Ray cluster. Default: one on this machine.")
@click.option("--fresh", is_flag=True, help="Delete earlier results of this experiment first.")
@click.option("--retry-failed", is_flag=True, help="Try runs again that failed before.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option(
    "--estimate",
    is_flag=True,
    help="With --dry-run: time a few steps in this process, and say how long it takes.",
)
@explained
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

    Finished runs are kept: the same command again does what is missing.

    `optimizer.learning_rate=0.01` changes a key, `optimizer.learning_rate=0.1,0.01` sweeps it.
    """
    from landscape import config as configs
    from landscape.storage import store
    from landscape.sweep import executors

    if estimate and not dry_run:
        raise UserError("--estimate is for --dry-run")
    experiment = configs.load(config, overrides)
    how = executors.choose(experiment, executor, jobs, address)
    if dry_run:
        _print_plan(experiment, out / experiment.name, how, fresh, retry_failed, estimate)
        return
    with interruptible() as stop:
        directory, runs = _carry_out(experiment, out, how, fresh, retry_failed, stop)
    failed = [r for r in runs if store.read_status(store.run_folder(directory, r.id)) == "failed"]
    if stop.is_set():
        ended = [store.read_status(store.run_folder(directory, r.id)) for r in runs]
        number = sum(status in store.FINISHED for status in ended)
        say(f"stopped: {number} of {len(runs)} runs are finished; the same command goes on")
        leave(INTERRUPTED)
    if len(failed) < len(runs):
        show_report(directory)
    if failed:
        say(f"{len(failed)} of {len(runs)} runs failed:")
        for run in failed:
            say(f"  {run.id}: {store.read_failure(store.run_folder(directory, run.id))}")
        sys.exit(SOME_RUNS_FAILED)


def _carry_out(
    experiment: "Experiment",
    out: Path,
    how: "ExecutorSpec",
    fresh: bool,
    retry_failed: bool,
    stop: threading.Event,
) -> "tuple[Path, Sequence[Run]]":
    """Does what is missing, with progress on stderr; returns the folder and all runs."""
    from rich.console import Console

    from landscape.cli.live_view import Board
    from landscape.sweep import carry_out

    steps = carry_out.carry_out(
        experiment, out, how, fresh=fresh, retry_failed=retry_failed, stop=stop
    )
    with contextlib.closing(steps):
        opened = next(steps)
        if not isinstance(opened, carry_out.Opened):
            raise TypeError(opened)
        pending = sum(planned.pending for planned in opened.plan.values())
        _say_opened(opened, experiment.name, pending)
        training = _training(opened.plan)
        board = Board(Console(stderr=True), opened.directory, pending, training)
        with contextlib.ExitStack() as stack:
            for event in steps:
                if isinstance(event, carry_out.Prepared):
                    programs = counted(event.programs, "program")
                    say(f"{programs} to compile, {how.workers}")
                    stack.enter_context(board.shown())
                elif isinstance(event, carry_out.Deleting):
                    _say_deleted(opened.directory, event, "deleting")
                elif isinstance(event, carry_out.Measured):
                    stack.close()
                    say("measured across runs")
                elif not isinstance(event, carry_out.Opened):
                    board.tell(event)
    return opened.directory, opened.runs


def _training(plan: "Mapping[str, Planned]") -> set[str]:
    """The ids of the runs that are trained, and not only measured."""
    return {run_id for run_id, planned in plan.items() if planned.trains}


def _say_opened(opened: "Opened", name: str, pending: int) -> None:
    if opened.stale is not None:
        say(f"{opened.stale} did not end by itself; going on with what it left")
    _say_damaged(opened.plan)
    total = counted(len(opened.runs), "run")
    say(f"{name}: {total}, {pending} to do, into {opened.directory}")


def _say_damaged(plan: "Mapping[str, Planned]") -> None:
    for run_id, planned in plan.items():
        if planned.damaged:
            again = "trained" if planned.action == "new" else "measured"
            say(f"{run_id}: {', '.join(planned.damaged)} damaged; it is {again} again")


def _say_deleted(directory: Path, found: "tuple[int, int] | Deleting", verb: str) -> None:
    runs, size = found
    if size:
        what = f"{counted(runs, 'run')}, {size / 2**20:.1f} MiB"
        say(f"{verb} what {directory} holds: {what}")


def _print_plan(
    experiment: "Experiment",
    directory: Path,
    how: "ExecutorSpec",
    fresh: bool,
    retry_failed: bool,
    estimate: bool,
) -> None:
    """Prints what would be done, from the config and the folder alone.

    With `estimate` it builds and checks all programs, as a run does first, and times a few steps.
    """
    from landscape import config as configs
    from landscape.cli.live_view import duration
    from landscape.run import traced_options
    from landscape.storage import store
    from landscape.sweep import carry_out

    if fresh:
        store.refuse_foreign(directory)
    runs = configs.expand(experiment)
    plan = carry_out.plan(runs, directory, fresh=fresh, retry_failed=retry_failed)
    pending = [run for run in runs if plan[run.id].pending]
    for run in runs:
        click.echo(f"{plan[run.id].action:8} {run.id}")
    _say_damaged(plan)
    if fresh:
        _say_deleted(directory, store.size(directory), "would delete")
    programs = counted(len({traced_options.loosest(run) for run in pending}), "program")
    total = counted(len(runs), "run")
    say(f"{total}, {len(pending)} to do, {programs} to compile, {how.workers}")
    if estimate and pending:
        from landscape.sweep.estimate import estimated

        cost = estimated(pending, _training(plan), _prepared(pending))
        jobs = how.jobs or 1
        words = f"about {duration(cost.compiling + cost.running / jobs)}"
        parts = f"{duration(cost.compiling)} of compilation, {duration(cost.running)} of runs"
        say(f"{words}: {parts}{f' among {jobs} workers' if jobs > 1 else ''}")


def _prepared(runs: "Sequence[Run]") -> "ProgramCache":
    """Data and programs of the runs, every mistake in them found."""
    from landscape.run.program_cache import prepare
    from landscape.sweep.executors.serial import Serial

    executor = Serial()
    prepare(runs, executor.workshop)
    return executor.workshop


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@explained
def validate(config: Path, overrides: tuple[str, ...]) -> None:
    """Check CONFIG, its data and its losses as `run` would, without training."""
    from landscape import config as configs

    experiment = configs.load(config, overrides)
    runs = configs.expand(experiment)
    _prepared(runs)
    click.echo(f"{config}: {len(runs)} runs, nothing wrong")

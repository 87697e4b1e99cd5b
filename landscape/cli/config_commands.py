"""Commands that take a config: run, validate."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from landscape.cli.output import ConfigCommand, message, reports_errors
from landscape.cli.performing import (
    RunOptions,
    perform,
    places_in,
    print_damaged,
    print_deleted,
    print_programs,
    run_options,
    trained_ids,
)
from landscape.errors import UserError, counted, printable

if TYPE_CHECKING:
    from landscape.config import Experiment, Run
    from landscape.run.program_cache import ProgramCache


@click.command(cls=ConfigCommand)
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@run_options
@click.option(
    "--estimate",
    is_flag=True,
    help="With --dry-run: time a few steps in this process and estimate the total time.",
)
@reports_errors
def run(config: Path, overrides: tuple[str, ...], estimate: bool, **options: Any) -> None:
    """Train every loss of CONFIG, slice the landscapes, write the report.

    Finished runs are kept: rerun the command to perform the missing ones.

    `optimizer.learning_rate=0.01` changes a key, `optimizer.learning_rate=0.1,0.01` sweeps it.
    """
    from landscape import config as configs

    parsed = RunOptions(**options)
    if estimate and not parsed.dry_run:
        raise UserError("--estimate requires --dry-run")
    experiment = configs.load(config, overrides)
    if parsed.dry_run:
        with places_in(config, overrides):
            print_plan(experiment, parsed, estimate)
        return
    perform(experiment, parsed, config, overrides)


def print_plan(experiment: "Experiment", options: RunOptions, estimate: bool = False) -> None:
    """Prints the plan, which depends only on the config and the folder.

    `estimate`: also build and check all programs, as a run does first, and time a few steps.
    """
    from landscape import config as configs
    from landscape.cli.live_view import duration
    from landscape.run.plan import check_folder, plan
    from landscape.run.stored_sizes import check_across
    from landscape.storage import experiment_folder

    if experiment.point is not None:
        from landscape.run.trained_points import identified  # imports jax

        experiment = identified(experiment)
    directory, spec = options.out / experiment.name, options.executor_spec(experiment)
    check_folder(experiment, directory, fresh=options.fresh)
    runs = configs.expand(experiment)
    check_across(experiment.across, runs)
    plans = plan(runs, directory, fresh=options.fresh, retry_failed=options.retry_failed)
    pending = [run for run in runs if plans[run.id].pending]
    for run in runs:
        click.echo(f"{plans[run.id].action:8} {run.id}")
    print_damaged(plans)
    if options.fresh:
        print_deleted(directory, *experiment_folder.runs_and_bytes(directory), "would delete")
    print_programs(pending, len(runs), spec)
    if estimate and pending:
        from landscape.sweep.estimate import estimate_cost

        cost = estimate_cost(pending, trained_ids(plans), _prepared(pending))
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


def _print_data(cache: "ProgramCache", run: "Run") -> None:
    from landscape.run.data_record import data_record

    for line in data_record(cache.dataset(run)).lines:
        click.echo(printable(line))


@click.command(cls=ConfigCommand)
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@reports_errors
def validate(config: Path, overrides: tuple[str, ...]) -> None:
    """Check CONFIG, its data and its losses as `run` does, without training."""
    from landscape import config as configs
    from landscape.run.stored_sizes import check_across

    experiment = configs.load(config, overrides)
    from landscape.run.trained_points import identified

    with places_in(config, overrides):
        experiment = identified(experiment)
        runs = configs.expand(experiment)
        check_across(experiment.across, runs)
        cache = _prepared(runs)
    _print_data(cache, runs[0])
    for label, call in {run.loss.label: cache.loss_call(run) for run in runs}.items():
        if call:
            click.echo(printable(f"{label}: {call}"))
    click.echo(f"{config}: {counted(len(runs), 'run')}, no errors")

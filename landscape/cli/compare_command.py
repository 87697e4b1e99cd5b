"""The command `compare`, which tunes every loss with equal budget and judges it on fresh seeds."""

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
)

if TYPE_CHECKING:
    from landscape.sweep.work import Comparison


@click.command(cls=ConfigCommand)
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@run_options
@click.option(
    "--robustness",
    metavar="AXIS,...",
    help="Compare under other conditions too: initialization, batch_size, label_noise, imbalance, "
    "train_size, depth.",
)
@reports_errors
def compare(
    config: Path, overrides: tuple[str, ...], robustness: str | None, **options: Any
) -> None:
    """Tune every loss of CONFIG with equal budget, judge it on fresh seeds, write the report.

    Learning rates, and options of losses that the config sweeps, are chosen on tuning seeds and the
    validation split. The block `compare` of the config has the settings.

    Finished runs are kept, also those of `landscape run`: rerun the command to perform the missing
    ones.
    """
    from landscape import config as configs

    if robustness is not None:
        overrides = (*overrides, f"compare.robustness=[{robustness}]")
    experiment = configs.load(config, overrides)
    from landscape.sweep.work import Comparison

    parsed = RunOptions(**options)
    with places_in(config, overrides):
        work = Comparison(experiment)
        if parsed.dry_run:
            _print_stages(work, parsed)
            return
    perform(experiment, parsed, config, overrides, work)


def _print_stages(work: "Comparison", options: RunOptions) -> None:
    """Prints the runs of every stage up to the first whose runs have not ended."""
    from landscape.run.plan import check_folder, plan
    from landscape.storage import experiment_folder

    experiment = work.compared.experiment
    directory, spec = options.out / experiment.name, options.executor_spec(experiment)
    check_folder(experiment, directory, fresh=options.fresh)
    if options.fresh:
        print_deleted(directory, *experiment_folder.runs_and_bytes(directory), "would delete")
    for stage in work.stages(directory):
        plans = plan(
            stage.runs,
            directory,
            fresh=options.fresh,
            retry_failed=options.retry_failed,
            keep_more=work.keeps_more,
        )
        for run in stage.runs:
            click.echo(f"{plans[run.id].action:8} {stage.name:11} {run.id}")
        print_damaged(plans)
        pending = [run for run in stage.runs if plans[run.id].pending]
        message(f"stage {stage.name}:")
        print_programs(pending, len(stage.runs), spec)
        if pending:
            message("the runs of later stages depend on the outcomes of these")
            return

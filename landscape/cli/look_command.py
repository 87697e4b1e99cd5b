"""The command `look`, which measures around parameters that were trained elsewhere."""

from pathlib import Path
from typing import Any

import rich_click as click

from landscape.cli.config_commands import print_plan
from landscape.cli.output import ConfigCommand, reports_errors
from landscape.cli.performing import RunOptions, perform, places_in, run_options
from landscape.errors import Place, UserError


@click.command(cls=ConfigCommand)
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@run_options
@reports_errors
def look(config: Path, overrides: tuple[str, ...], **options: Any) -> None:
    """Measure around the point of CONFIG, which was trained elsewhere, and write the report.

    `point: "my_model.py:point"` names a function that returns a landscape.TrainedPoint;
    `point: {params: trained.safetensors, model: MODEL, dataset: DATASET}` reads parameters of a
    model of the config. Nothing is trained.

    Looks with other labels in the same folder are kept, and compared in the report.
    """
    from landscape import config as configs

    experiment = configs.load(config, overrides)
    if experiment.point is None:
        raise UserError(
            "the key `point` is missing",
            place=Place(str(config)),
            hint='add `point: "my_model.py:point"`, or train with `landscape run`',
        )
    parsed = RunOptions(**options)
    if parsed.dry_run:
        with places_in(config, overrides):
            print_plan(experiment, parsed)
        return
    perform(experiment, parsed, config, overrides)

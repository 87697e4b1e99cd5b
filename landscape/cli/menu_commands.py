"""Commands that list what is available and that start a new experiment: list, schema, init."""

import json
from pathlib import Path

import rich_click as click

from landscape.cli.output import console, reports_errors
from landscape.cli.output import table as text_table
from landscape.errors import UserError


@click.command(name="list")
@click.argument("family", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@reports_errors
def list_parts(family: str | None, as_json: bool) -> None:
    """List the parts that a config can use: all of them, or those of one FAMILY."""
    from landscape import catalog

    families = catalog.FAMILIES if family is None else (catalog.check_family(family),)
    entries = [entry for name in families for entry in catalog.entries(name)]
    if as_json:
        click.echo(json.dumps([catalog.describe(entry) for entry in entries], indent=2))
        return
    screen = console()
    for name in families:
        listed = [entry for entry in entries if entry.family == name]
        columns, rows = [name], [[entry.name] for entry in listed]
        if name == "losses":
            columns, rows = [name, "task"], [[entry.name, entry.task or ""] for entry in listed]
        if name == "metrics":  # a module per kind of prediction
            columns, rows = [name, "of"], [[entry.name, entry.file.stem] for entry in listed]
        texts = [[*row, entry.summary] for row, entry in zip(rows, listed, strict=True)]
        screen.print(text_table([*columns, "what it is"], texts))


@click.command()
@reports_errors
def schema() -> None:
    """Print the JSON schema of a config, for editors that complete and check YAML."""
    from landscape import config as configs

    click.echo(json.dumps(configs.schema(), indent=2))


@click.command()
@click.argument(
    "directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[DIR]"
)
@click.option(
    "--from",
    "table",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write an experiment for a csv or parquet file, with --target.",
)
@click.option("--target", metavar="COLUMN", help="With --from: the column to predict.")
@reports_errors
def init(directory: Path, table: Path | None, target: str | None) -> None:
    """Write an experiment and losses into DIR, to run and to modify.

    `landscape init --from churn.csv --target churned` writes them for a table.
    """
    from landscape.starter.from_table import write_from_table
    from landscape.starter.writing import write_starter

    if (table is None) != (target is None):
        option, other = ("--from", "--target") if target is None else ("--target", "--from")
        raise UserError(f"{option} needs {other} too")
    if table is None or target is None:
        paths = write_starter(directory)
    else:
        paths = write_from_table(directory, table, target)
    for path in paths:
        click.echo(f"wrote {path}")
    click.echo(f"next: landscape run {directory / 'experiment.yaml'}")

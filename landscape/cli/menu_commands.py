"""Commands that tell what there is, and that start a new experiment: list, schema, init."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from landscape.cli.root import console, explained, main, table

if TYPE_CHECKING:
    pass


@main.command(name="list")
@click.argument("family", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
@explained
def list_parts(family: str | None, as_json: bool) -> None:
    """Name the parts that a config can use, all of them or one FAMILY."""
    from landscape import catalog

    families = catalog.FAMILIES if family is None else (catalog.check_family(family),)
    entries = [entry for name in families for entry in catalog.entries(name)]
    if as_json:
        click.echo(json.dumps([catalog.describe(entry) for entry in entries], indent=2))
        return
    screen = console()
    for name in families:
        rows = [
            [entry.name, entry.task or "", entry.summary]
            for entry in entries
            if entry.family == name
        ]
        tasks = any(row[1] for row in rows)
        columns = [name, "task", "what it is"] if tasks else [name, "what it is"]
        screen.print(table(columns, rows if tasks else [[r[0], r[2]] for r in rows]))


@main.command()
@explained
def schema() -> None:
    """Print the JSON schema of a config, for editors that complete and check YAML."""
    from landscape import config as configs

    click.echo(json.dumps(configs.schema(), indent=2))


@main.command()
@click.argument(
    "directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[DIR]"
)
@explained
def init(directory: Path) -> None:
    """Write a first experiment and a loss of your own into DIR, to run and to change."""
    from landscape import starter

    for path in starter.write(directory):
        click.echo(f"wrote {path}")
    click.echo(f"next: landscape run {directory / 'experiment.yaml'}")

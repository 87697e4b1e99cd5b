"""The `landscape` command and the menu of its subcommands."""

import os

import rich_click as click

from landscape import __version__
from landscape.cli.audit_command import audit
from landscape.cli.compare_command import compare
from landscape.cli.config_commands import run, validate
from landscape.cli.explain_command import explain
from landscape.cli.look_command import look
from landscape.cli.menu_commands import init, list_parts, schema
from landscape.cli.paper_commands import figure
from landscape.cli.results_commands import export, report, status

click.rich_click.MAX_WIDTH = 100
# Otherwise pydantic reads the metadata of every installed package, to look for plugins.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version")
def main() -> None:
    """Which losses can be trained, and why the others cannot.

    Start with `landscape init`, then `landscape run experiment.yaml`.
    """


for command in (
    run,
    compare,
    look,
    validate,
    status,
    report,
    figure,
    export,
    audit,
    explain,
    list_parts,
    schema,
    init,
):
    main.add_command(command)

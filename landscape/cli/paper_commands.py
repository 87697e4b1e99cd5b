"""Commands that draw for papers: figure, and the options of report for papers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import rich_click as click

from landscape.cli.output import message, reports_errors, wrapped
from landscape.errors import counted


class Appearance(NamedTuple):
    """What the options say of the appearance of figures."""

    style: str
    width: float | None
    font: str | None

    def settings(self) -> Mapping[str, Any]:
        """Returns the settings of matplotlib. Raises UserError if an option is not valid."""
        from landscape.report.figures import appearance

        return appearance.settings(self.style, self.width, self.font)


def appearance_options(command: Any) -> Any:
    """Adds the options of the appearance of figures to a command."""
    options = (
        click.option("--font", help="sans, serif, or the name of an installed font."),
        click.option("--width", type=float, help="Inches; a column of a paper has about 3.25."),
        click.option(
            "--style", default="report", help="report, paper, or a matplotlib style file."
        ),
    )
    for option in options:
        command = option(command)
    return command


def write_paper(directory: Path, look: Appearance, columns: str | None) -> None:
    """Writes the figures, the table and the methods of a paper."""
    from landscape.report import paper

    chosen = None if columns is None else _names(columns)
    written = paper.build(directory, look.settings(), chosen)
    for text in written.undrawn:
        message(wrapped(f"warning: {text}"))
    message(f"{counted(len(written.figures), 'figure')} and a table in {written.directory}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("name", metavar="FIGURE")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A file .pdf, .svg or .png."
)
@click.option("--losses", default="", help="Losses to draw, separated by commas. Default: all.")
@appearance_options
@reports_errors
def figure(
    directory: Path,
    name: str,
    out: Path,
    losses: str,
    style: str,
    width: float | None,
    font: str | None,
) -> None:
    """Draw one FIGURE of the report of DIR, such as `contours`, into a file.

    The names of figures are those of the files in `DIR/report/figures`.
    """
    from landscape.report import paper

    settings = Appearance(style, width, font).settings()
    paper.figure(directory, name, out, settings, _names(losses))
    message(f"figure: {out}")

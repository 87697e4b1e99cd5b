"""The comparison in a terminal: its numbers as a table, and a sentence per loss."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from landscape.cli.fitted_table import fitted_tables
from landscape.cli.output import terminal_text
from landscape.storage.records import ReportRecord


def print_comparison(screen: Console, record: ReportRecord) -> None:
    """Prints the numbers of a report as tables that fit, followed by its sentences."""
    if record.tuned_rows:
        _print_tuned(screen, record)
        return
    rows = [row[:-1] for row in record.rows]
    for table in fitted_tables(record.headings[:-1], rows, screen.width):
        screen.print(table, crop=False)
        screen.print()
    for name, *_, sentence in record.rows:
        loss, *swept = name.split("\n")
        title = f"{loss} ({', '.join(swept)})" if swept else loss
        screen.print(terminal_text(title, "bold"))
        screen.print(Padding(terminal_text(sentence), (0, 0, 0, 2), expand=False))


def _print_tuned(screen: Console, record: ReportRecord) -> None:
    """Prints the table of a comparison at tuned points, and what may be concluded from it."""
    for table in fitted_tables(record.tuned_headings, record.tuned_rows, screen.width):
        screen.print(table, crop=False)
        screen.print()
    sentences = Table.grid(padding=(0, 1))
    for sentence in record.conclusions:
        sentences.add_row("-", terminal_text(sentence))
    screen.print(sentences)

"""The command group, and how every command speaks: messages, errors, tables."""

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import rich_click as click

from landscape import __version__
from landscape.cli.signals import INTERRUPTED, TERMINATED, Terminated, leave
from landscape.errors import StorageError, UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


click.rich_click.TEXT_MARKUP = "markdown"
click.rich_click.MAX_WIDTH = 100


def explained(command: Callable) -> Callable:
    """Turns a user's mistake into one message on stderr and exit code 2, a full disk into 1."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as error:
            _complain(error)
        except PermissionError as error:
            _complain(UserError(f"{error.filename}: {error.strerror}"))
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            leave(INTERRUPTED)
        except Terminated:
            click.echo("terminated", err=True)
            leave(TERMINATED)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)

    return wrapped


def _complain(error: UserError) -> NoReturn:
    click.echo(f"error: {error}", err=True)
    sys.exit(1 if isinstance(error, StorageError) else 2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version")
def main() -> None:
    """Which losses can be trained, and why the others cannot.

    Start with `landscape init`, then `landscape run experiment.yaml`.
    """


def say(text: str) -> None:
    click.echo(text, err=True)


def counted(number: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


def table(columns: Any, rows: list[list[str]], *, unbroken: int = 1) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(str(column), overflow="fold", no_wrap=number < unbroken)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table

"""How every command prints: results to stdout, messages and errors to stderr."""

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import rich_click as click

from landscape.cli.signals import INTERRUPTED, TERMINATED, Terminated, leave
from landscape.errors import StorageError, UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def reports_errors(command: Callable) -> Callable:
    """Turns a UserError into a message on stderr and exit code 2, a StorageError into code 1."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as error:
            _fail(error)
        except PermissionError as error:
            _fail(UserError(f"{error.filename}: {error.strerror}"))
        except KeyboardInterrupt:
            message("interrupted")
            leave(INTERRUPTED)
        except Terminated:
            message("terminated")
            leave(TERMINATED)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)

    return wrapped


def _fail(error: UserError) -> NoReturn:
    message(f"error: {error}")
    sys.exit(1 if isinstance(error, StorageError) else 2)


def message(text: str) -> None:
    """Prints a line to stderr."""
    click.echo(text, err=True)


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, such as `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def console() -> "Console":
    """Returns a console for stdout."""
    from rich.console import Console

    return Console(highlight=False)


def table(columns: Any, rows: list[list[str]], *, unbroken: int = 1) -> "Table":
    """Returns a table; cells of the first `unbroken` columns are not wrapped."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(str(column), overflow="fold", no_wrap=number < unbroken)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table

"""How every command prints: results to stdout, messages and errors to stderr."""

import functools
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import rich_click as click

from landscape.cli.signals import INTERRUPTED, TERMINATED, Terminated, leave
from landscape.errors import ClusterError, StorageError, UserError, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_SPACE_IN_CODE = "\0"


class ConfigCommand(click.RichCommand):
    """A command whose arguments set keys of a config: `steps=5`, not `--steps 5`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)  # parsing consumes the list
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            option = error.option_name
            key = option.lstrip("-").replace("-", "_")
            if not _is_config_key(key):
                raise
            following = " ".join(words).partition(option)[2].lstrip(" =").split()
            value = following[0] if following else "VALUE"
            message = f"{option} is not an option but a key of the config: write {key}={value}"
            raise click.UsageError(message, ctx) from None


def _is_config_key(key: str) -> bool:
    from landscape.config import Experiment

    return key.partition(".")[0] in Experiment.model_fields


def reports_errors(command: Callable) -> Callable:
    """Turns a UserError into a message on stderr and an exit code.

    The code is 1 if the same command can succeed later (StorageError, ClusterError), otherwise 2.
    """

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
    message(wrapped(f"error: {error}"))
    if isinstance(error, ClusterError):
        leave(1, at_once=True)  # Ray's exit hooks would wait for the cluster, or crash
    sys.exit(1 if isinstance(error, StorageError) else 2)


def message(text: str) -> None:
    """Prints a line to stderr, without characters that control the terminal."""
    click.echo(printable(text), err=True)


def wrapped(text: str) -> str:
    """Wraps lines to the width of the terminal, 80 columns without one.

    Code in backticks, paths and words are not broken; lines of source text are not wrapped.
    """
    width = shutil.get_terminal_size().columns
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    if len(line) <= width or line.startswith(" " * 4):
        return line
    unbroken = re.sub("`[^`]*`", lambda code: code[0].replace(" ", _SPACE_IN_CODE), line)
    lines = textwrap.wrap(
        unbroken, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace(_SPACE_IN_CODE, " ")


def console() -> "Console":
    """Returns a console for stdout."""
    from rich.console import Console

    return Console(highlight=False)


def table(columns: Any, rows: list[list[str]]) -> "Table":
    """Returns a table; cells of the first column are not wrapped."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(terminal_text(column), overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(terminal_text, row))
    return table


def terminal_text(value: object, style: str = "") -> "Text":
    """Returns a text that cannot control the terminal and that is not read as markup."""
    from rich.text import Text

    return Text(printable(str(value)), style=style)

"""Errors for users: place, what was found, what was expected, and a hint."""

import difflib
import glob
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_LONGEST_LIST = 120  # characters of a list of names in a hint
_LONGEST_LINE = 120  # characters of a line of source text


@dataclass(frozen=True)
class Place:
    """A position in a file or in an argument of the command line."""

    file: str
    line: int | None = None
    column: int | None = None
    text: str | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)


class UserError(Exception):
    """A mistake in a config, a data file or user-defined code.

    `message`: what was found and what was expected; `hint`: what to do; `part`: the name of the
    part that is wrong, by which a config can be searched. Printed without a traceback.
    """

    def __init__(
        self,
        message: str,
        *,
        place: Place | None = None,
        hint: str | None = None,
        part: str | None = None,
    ):
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint
        self.part = part

    def __reduce__(self) -> tuple:
        return type(self)._rebuild, (self.message, self.place, self.hint, self.part)

    @classmethod
    def _rebuild(
        cls, message: str, place: Place | None, hint: str | None, part: str | None
    ) -> Self:
        return cls(message, place=place, hint=hint, part=part)

    def __str__(self) -> str:
        text = self.message if self.place is None else f"{self.place}: {self.message}"
        if self.place is not None and self.place.text:
            line = self.place.text.strip()
            shown = line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 3]}..."
            text += f"\n    {shown}"
        return text if self.hint is None else f"{text}\n  {self.hint}"


class StorageError(UserError):
    """Results that cannot be written: the disk is full, or the folder is read-only or missing.

    Not caused by a run: the sweep stops, since no other run could be written either.
    """


class ClusterError(UserError):
    """A cluster that was lost while it performed runs.

    Not caused by a run: the sweep stops, and is resumed on a cluster that works.
    """


class CombinedError(UserError):
    """Several errors reported at once, so that they can be fixed together."""

    def __init__(self, errors: Iterable[UserError]):
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.message, place=first.place, hint=first.hint)

    def __reduce__(self) -> tuple:
        return type(self), (self.errors,)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def raise_all(errors: Iterable[UserError]) -> None:
    """Raises the errors as one, sorted by place; returns if the list is empty."""
    flat = [inner for error in errors for inner in getattr(error, "errors", (error,))]
    unique = {str(error): error for error in flat}
    ordered = sorted(unique.values(), key=_order)
    if len(ordered) == 1:
        raise ordered[0]
    if ordered:
        raise CombinedError(ordered)


def _order(error: UserError) -> tuple[str, int, int]:
    place = error.place or Place("")
    return place.file, place.line or 0, place.column or 0


def first_line(error: BaseException) -> str:
    """Returns the type of an error and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def last_line(text: str) -> str:
    """Returns the last line that is not blank: of a traceback, the error itself."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def printable(text: str) -> str:
    """Replaces control characters, which could control a terminal, reverse text or break a table.

    Line breaks and tabs are kept.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, such as `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def describe_value(value: Any) -> str:
    """Describes a plain value for a message: `the text 'abc'`, `the list [1, 2]`."""
    text = "null" if value is None else repr(value)
    if isinstance(value, bool):
        return text.lower()
    kinds = {int: "the integer", float: "the number", str: "the text"}
    kinds |= {list: "the list", dict: "the mapping"}
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{kinds[type(value)]} {short}" if type(value) in kinds else short


def nearest(name: str, names: Iterable[str], all_names: str = "") -> str:
    """Returns a hint that suggests the most similar valid name, if any.

    A short list of names is included; of a long one, the hint says where `all_names` are.
    """
    names = sorted(set(names))
    # The time to compare grows with the square of the length.
    close = difflib.get_close_matches(name[:_LONGEST_LIST], names, n=1, cutoff=0.6)
    listed = f"one of: {', '.join(names)}"
    if len(listed) > _LONGEST_LIST:
        first = f"one of: {', '.join(names[:4])}, ... ({len(names)} in all)"
        listed = all_names or ("" if close else first)
    if not close:
        return listed
    question = f"did you mean `{close[0]}`?"
    return f"{question} ({listed})" if listed and len(names) > 1 else question


def refuse_special(path: Path) -> None:
    """Raises UserError if a path is a pipe, a device or a socket: reading it may never end.

    A link to a regular file, a folder and a missing file pass.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # opening it reports the same
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UserError(
            f"{path} is a pipe, a device or a socket, expected a regular file",
            hint="write the content to a file",
        )


def nearest_file(path: Path) -> str:
    """Returns a hint for a file that does not exist: a similar file, else those in its folder."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    pattern = glob.escape(path.name) + ("" if path.suffix else ".*")
    same_name = sorted([*folder.glob(pattern), *folder.glob(f"*/{pattern}")])
    stems = {f.stem: f.name for f in folder.glob(f"*{path.suffix or '.*'}") if f.is_file()}
    close = difflib.get_close_matches(path.stem, stems, n=1, cutoff=0.6)
    if close or same_name:
        return f"did you mean `{folder / stems[close[0]] if close else same_name[0]}`?"
    if stems:
        return nearest("", stems.values())
    return f"the folder {folder.absolute()} has no {path.suffix} file"

"""The error that a user reads: what was found, where, what was expected, what to do."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """A position in something that the user wrote: a file, or an argument of the command line."""

    file: str
    line: int | None = None
    column: int | None = None
    text: str | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)


class UserError(Exception):
    """A mistake in a config, a data file or code of the user's own.

    `message` says what was found and what was expected; `hint` says what to do about it.
    It is printed as it stands, so it never carries a traceback of this program.
    """

    def __init__(self, message: str, *, place: Place | None = None, hint: str | None = None):
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def __reduce__(self) -> tuple:
        return _rebuild, (self.message, self.place, self.hint)

    def __str__(self) -> str:
        text = self.message if self.place is None else f"{self.place}: {self.message}"
        if self.place is not None and self.place.text:
            text += f"\n    {self.place.text.strip()}"
        return text if self.hint is None else f"{text}\n  {self.hint}"


class StorageError(UserError):
    """Results that cannot be written: a full disk, a folder that is read-only or gone.

    No mistake of a run's: whoever meets it stops, since no other run could be written either.
    """

    def __reduce__(self) -> tuple:
        return _rebuild_storage, (self.message, self.place, self.hint)


class CombinedError(UserError):
    """Several mistakes that were found in one reading, so that they are mended in one go."""

    def __init__(self, errors: Iterable[UserError]):
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.message, place=first.place, hint=first.hint)

    def __reduce__(self) -> tuple:
        return CombinedError, (self.errors,)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def raise_all(errors: Iterable[UserError]) -> None:
    """Raise what was found, in the order of the places; nothing when nothing was found."""
    flat = [one for error in errors for one in getattr(error, "errors", (error,))]
    unique = {str(error): error for error in flat}
    found = sorted(unique.values(), key=_order)
    if len(found) == 1:
        raise found[0]
    if found:
        raise CombinedError(found)


def _order(error: UserError) -> tuple[str, int, int]:
    place = error.place or Place("")
    return place.file, place.line or 0, place.column or 0


def _rebuild(message: str, place: Place | None, hint: str | None) -> UserError:
    return UserError(message, place=place, hint=hint)


def _rebuild_storage(message: str, place: Place | None, hint: str | None) -> StorageError:
    return StorageError(message, place=place, hint=hint)


def in_a_line(error: BaseException) -> str:
    """The kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def last_line(text: str) -> str:
    """The line of a traceback that says what happened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def printable(text: str) -> str:
    """A text without what would command a terminal or break a table."""
    kept = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(kept)


def in_words(value: Any) -> str:
    """What a plain value is, in words for a message."""
    text = "null" if value is None else repr(value)
    if isinstance(value, bool):
        return text.lower()
    kinds = {int: "the integer", float: "the number", str: "the text"}
    kinds |= {list: "the list", dict: "the mapping"}
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{kinds[type(value)]} {short}" if type(value) in kinds else short


def nearest(name: str, names: Iterable[str]) -> str:
    """A sentence for a hint: the closest valid name if one is close, else all of them."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    choices = ", ".join(names)
    return f"did you mean `{close[0]}`? (one of: {choices})" if close else f"one of: {choices}"

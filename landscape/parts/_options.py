"""Checks of the options of parts: the same rules and the same messages in every family."""

from numbers import Real
from typing import Any, NamedTuple

from landscape.errors import UserError


class Between(NamedTuple):
    """Annotates an option with open bounds: `Annotated[float, Between(0, 1)]`.

    The catalog reads it from the source, so that a config is checked before anything is imported.
    """

    low: float
    high: float


class Folder(NamedTuple):
    """Annotates an option that is the path of a folder: `Annotated[Path, Folder()]`."""


def check_in(interval: str, **options: Any) -> None:
    """Raises UserError if an option is not a number in an interval such as `[0, inf)`.

    Arrays are not checked: they may be traced, and then have no value.
    """
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    for name, value in options.items():
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if hasattr(value, "shape") and not is_number:
            continue
        excluded = {low} if interval[0] == "(" else set()
        excluded |= {high} if interval[-1] == ")" else set()
        if not is_number or not low <= value <= high or value in excluded:
            raise UserError(f"`{name}` is {value!r}; expected a number {_in_words(interval)}")


def _in_words(interval: str) -> str:
    """Describes an interval: `of at least 0`, `from 0 to 1`, `greater than 0 and at most 1`."""
    low, high = (bound.strip() for bound in interval[1:-1].split(","))
    if interval[0] + interval[-1] == "[]":
        return f"from {low} to {high}"
    lower = f"of at least {low}" if interval[0] == "[" else f"greater than {low}"
    upper = f"at most {high}" if interval[-1] == "]" else f"less than {high}"
    return " and ".join(text for text in (lower, upper) if "inf" not in text)


def check_rate(learning_rate: Any) -> None:
    """Raises UserError if a learning rate is not greater than 0."""
    if isinstance(learning_rate, Real) and learning_rate == 0:
        raise UserError(
            "`learning_rate` is 0; expected a number greater than 0",
            hint="with a rate of 0, training changes no parameter",
        )
    check_in("(0, inf)", learning_rate=learning_rate)


def check_whole(low: int, high: int | None = None, **options: Any) -> None:
    """Raises UserError if an option is not a whole number from `low` to `high`."""
    for name, value in options.items():
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or value < low or (high is not None and value > high):
            bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
            raise UserError(f"`{name}` is {value!r}; expected a whole number {bounds}")

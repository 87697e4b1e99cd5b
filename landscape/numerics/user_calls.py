"""Calls code of the user's own; a mistake in it is told at the user's own line."""

import inspect
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import jax
import numpy as np

import landscape
from landscape.errors import Place, UserError

Result = TypeVar("Result")
_LIBRARIES = tuple(
    str(Path(inspect.getfile(module)).parent) for module in (jax, np, landscape, inspect)
)
_EXPLAINED = {
    jax.errors.TracerBoolConversionError: (
        "branches in Python (if, while, and, or) on a value that is known only when the compiled "
        "program runs",
        "use jnp.where, jnp.logical_and or jax.lax.cond instead",
    ),
    jax.errors.TracerArrayConversionError: (
        "hands a traced value to NumPy, through which no gradient can flow",
        "use jax.numpy in place of numpy",
    ),
    jax.errors.ConcretizationTypeError: (
        "needs a concrete value where the compiled program has none yet",
        "use jax.numpy and jax.lax operations on arrays instead of float(), int() or range()",
    ),
}


def definition(function: Callable) -> Place | None:
    """Where a function is defined, if that can be known."""
    while hasattr(function, "func"):
        function = function.func
    try:
        lines, number = inspect.getsourcelines(inspect.unwrap(function))
        file = inspect.getsourcefile(inspect.unwrap(function))
    except (OSError, TypeError):
        return None
    line = next((i for i, text in enumerate(lines) if text.lstrip().startswith("def ")), 0)
    return Place(str(file), number + line, text=lines[line])


def raised_at(trace: TracebackType | None, fallback: Callable) -> Place | None:
    """The last line that ran in code other than jax's, NumPy's or this program's."""
    return last_own_frame(traceback.extract_tb(trace)) or definition(fallback)


def last_own_frame(frames: Iterable[traceback.FrameSummary]) -> Place | None:
    """The innermost line in code other than jax's, NumPy's, Python's or this program's."""
    own = [f for f in frames if not f.filename.startswith(_LIBRARIES)]
    return Place(own[-1].filename, own[-1].lineno, text=own[-1].line) if own else None


def guarded(call: Callable[[], Result], name: str, function: Callable) -> Result:
    """What `call` returns; a UserError with the user's own line where it raises.

    `function` is the user's, for the case that no line of theirs is in the traceback.
    """
    try:
        return call()
    except UserError as error:
        raise UserError(f"{name}: {error.message}", place=error.place, hint=error.hint) from None
    except (Exception, SystemExit) as error:
        place = raised_at(error.__traceback__, function)
        for kind, (what, hint) in _EXPLAINED.items():
            if isinstance(error, kind):
                raise UserError(f"{name} {what}", place=place, hint=hint) from error
        first = str(error).strip().split("\n")[0]
        raise UserError(f"{name} raises {type(error).__name__}: {first}", place=place) from error

"""Calls user code and reports errors at the user's line."""

import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import jax
import numpy as np

import landscape
from landscape.errors import Place, UserError

Result = TypeVar("Result")
_LIBRARIES = tuple(
    str(Path(inspect.getfile(module)).parent) for module in (jax, np, landscape, inspect)
)
_LIBRARIES += ("<frozen",)  # modules that Python imports before any file
_BRANCHES = (
    "branches in Python (if, while, and, or) on a value that is known only when the compiled "
    "program runs",
    "use jnp.where, jnp.logical_and or jax.lax.cond instead",
)
_ARRAY_AS_BOOL = "The truth value of an array"  # a ValueError of an array of several elements
# By exception: what the user code does, and what to do instead.
_EXPLANATIONS = {
    jax.errors.TracerBoolConversionError: _BRANCHES,
    jax.errors.TracerArrayConversionError: (
        "passes a traced value to NumPy, through which no gradient can flow",
        "use jax.numpy in place of numpy",
    ),
    jax.errors.NonConcreteBooleanIndexError: (
        "selects elements by a condition, so that a shape depends on values",
        "use jnp.where(condition, x, 0), and divide by the count jnp.sum(condition), in place of "
        "x[condition]",
    ),
    jax.errors.ConcretizationTypeError: (
        "needs a concrete value, which a compiled program does not have while it is traced",
        "use jax.numpy and jax.lax operations on arrays instead of float(), int() or range()",
    ),
}


def definition(function: Callable) -> Place | None:
    """Returns the line where a function is defined, or None without a source file."""
    while hasattr(function, "func"):
        function = function.func
    try:
        lines, number = inspect.getsourcelines(inspect.unwrap(function))
        file = inspect.getsourcefile(inspect.unwrap(function))
    except (OSError, TypeError):
        return None
    line = next((i for i, text in enumerate(lines) if text.lstrip().startswith("def ")), 0)
    return Place(str(file), number + line, text=lines[line])


def last_user_line(frames: Iterable[traceback.FrameSummary]) -> Place | None:
    """Returns the innermost line outside of jax, NumPy, `inspect` and this package."""
    users = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)]
    return Place(users[-1].filename, users[-1].lineno, text=users[-1].line) if users else None


def guarded(call: Callable[[], Result], name: str, function: Callable) -> Result:
    """Returns `call()`. Raises UserError with the user's line if the call raises.

    If the traceback has no line of the user's, the error shows where `function` is defined.
    """
    try:
        return call()
    except UserError as error:
        is_named = error.message.startswith(name)
        message = error.message if is_named else f"{name}: {error.message}"
        raise UserError(message, place=error.place, hint=error.hint) from None
    except (Exception, SystemExit) as error:
        raise failure(error, name, function) from error


def _is_installed(file: str) -> bool:
    return "site-packages" in file or file.startswith(sysconfig.get_path("stdlib"))


def failure(error: BaseException, name: str, function: Callable) -> UserError:
    """Returns the error for an exception of user code, at the user's line as `guarded` does."""
    frames = traceback.extract_tb(error.__traceback__)
    # A line of the user's that calls an installed package says more than one of the package.
    outside = [frame for frame in frames if not _is_installed(frame.filename)]
    place = last_user_line(outside) or last_user_line(frames) or definition(function)
    for kind, (explanation, hint) in _EXPLANATIONS.items():
        if isinstance(error, kind):
            return UserError(f"{name} {explanation}", place=place, hint=hint)
    first_line = str(error).strip().split("\n")[0]
    if isinstance(error, ValueError) and first_line.startswith(_ARRAY_AS_BOOL):
        return UserError(f"{name} {_BRANCHES[0]}", place=place, hint=_BRANCHES[1])
    return UserError(f"{name} raises {type(error).__name__}: {first_line}", place=place)

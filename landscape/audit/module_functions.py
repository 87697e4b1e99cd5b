"""Lists the functions of a file or of a module that can be audited."""

import contextlib
import functools
import inspect
import io
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from landscape.catalog.user_code import load_file, load_module
from landscape.errors import UserError
from landscape.interop.libraries import adapted

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class ModuleFunctions(NamedTuple):
    """Names for `audit_each`, and public functions whose arguments do not fit."""

    names: tuple[str, ...]
    skipped: tuple[str, ...]


def is_module(name: str) -> bool:
    """Whether a name is that of a whole file or module: `losses.py`, `package.module`."""
    return ":" not in name and "." in name


def module_functions(
    name: str, kind: str, options: Collection[str], folder: Path
) -> ModuleFunctions:
    """Returns the public functions that a file or module defines, in the order of the source.

    A loss accepts two arguments and requires no other; an activation accepts one. `options` are
    set by the caller, so that they may be required. Functions that are imported from elsewhere do
    not count unless `__all__` lists them, and a second name of a function does not count.

    Raises UserError if the module cannot be imported, or has no such function.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # stdout is for the report
        is_file = name.endswith(".py")
        module = load_file(folder / name) if is_file else load_module(name, folder)
    functions = dict(_public_functions(module))
    names = tuple(f"{name}:{n}" for n, f in functions.items() if _fits(f, kind, options))
    skipped = tuple(n for n in functions if f"{name}:{n}" not in names)
    if not names:
        takes = {"loss": "predictions and targets", "activation": "one argument"}
        hint = f"a {kind} takes {takes.get(kind, 'one or more arrays')}"
        if skipped:
            hint += f"; its functions take other arguments: {', '.join(skipped)}"
        raise UserError(f"`{name}` has no public function that can be audited", hint=hint)
    return ModuleFunctions(names, skipped)


def _public_functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    listed = getattr(module, "__all__", None)
    seen = set()
    for name in vars(module) if listed is None else listed:
        value = adapted(getattr(module, name, None))
        if name.startswith("_") or not callable(value) or inspect.isclass(value):
            continue
        if id(value) not in seen and (listed is not None or _is_defined_in(module, value)):
            seen.add(id(value))
            yield name, value


def _is_defined_in(module: ModuleType, value: Any) -> bool:
    """Whether a module, or one inside its package, defines a function or binds its options."""
    if isinstance(value, functools.partial):
        return True
    owner = str(getattr(inspect.unwrap(value), "__module__", ""))
    return f"{owner}.".startswith(f"{module.__name__}.")


def _fits(function: Any, kind: str, options: Collection[str]) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return True  # the audit reports why it cannot be called
    free = [p for p in parameters if p.name not in options]
    accepted = sum(p.kind in _POSITIONAL for p in free)
    accepted += 2 * any(p.kind is p.VAR_POSITIONAL for p in free)
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [p for p in free if p.default is p.empty and p.kind not in optional]
    if any(p.kind is p.KEYWORD_ONLY for p in required):
        return False
    if kind == "function":
        return accepted > 0
    arguments = 2 if kind == "loss" else 1
    return accepted >= arguments >= len(required)

"""Imports the parts that a config names and binds their options."""

import functools
import importlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from landscape.catalog import python_objects
from landscape.catalog.binding import bind_options
from landscape.catalog.lookup import REFERENCES, Named, Spec, find
from landscape.catalog.menu import (
    FIELDS,
    RUNTIME_NAMES,
    Expression,
    Option,
    check_family,
    runtime_arguments,
)
from landscape.catalog.option_values import python
from landscape.catalog.user_code import load_file, load_module
from landscape.errors import UserError, nearest
from landscape.interop.libraries import adapted


def build(
    family: str, part: Named, *, folder: Path | str, task: str | None = None
) -> Callable[..., Any]:
    """Returns the callable that a config names, with its options bound by keyword.

    The result is `functools.partial(function, **options)`, so that a caller may override an option:
    `build("optimizers", …)(learning_rate=schedule)`. Paths are made absolute with `folder`. Raises
    UserError if a module, a name or an option is missing or unknown, or if the user's code fails on
    import, with the user's line.
    """
    folder = Path(folder).absolute()
    try:
        function = _resolve(check_family(family), part.name, folder, task)
    except UserError as error:
        raise UserError(
            error.message, place=error.place, hint=error.hint, part=part.name
        ) from error.__cause__
    known, any_option = _signature(function, family)
    for problem in bind_options(known, any_option, family, part, folder).problems:
        raise UserError(problem.message, hint=problem.hint, part=part.name)
    options = {}
    for name, value in part.options.items():
        options[name] = python(known[name], value) if name in known else value
        if isinstance(options[name], Path):
            options[name] = folder / options[name]
        referred = REFERENCES.get((family, name))
        if referred and isinstance(value, str) and ":" in value:
            options[name] = build(referred, Spec(value), folder=folder)
    return functools.partial(function, **options)


def load(name: str, folder: Path | str) -> Callable[..., Any]:
    """Returns the function that `package.module:name` or `file.py:name` names.

    One of PyTorch or Keras is returned as a function of JAX arrays, anything else unchanged.

    Raises UserError if there is no such module, file or name, with the nearest valid name, or if
    importing it fails, with the user's line.
    """
    return _resolve("losses", name, Path(folder).absolute(), None)


def learning_rate(optimizer: Callable[..., Any]) -> float:
    """Returns the learning rate of an optimizer from `build`: as configured, else its default."""
    value = getattr(optimizer, "keywords", {}).get("learning_rate")
    if value is None:
        parameter = inspect.signature(optimizer).parameters.get("learning_rate")
        value = parameter.default if parameter is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(
            "a schedule needs a learning rate, but the optimizer has none",
            hint="set `optimizer.learning_rate`, or remove the schedule",
        )
    return float(value)


def _resolve(family: str, name: str, folder: Path, task: str | None) -> Callable[..., Any]:
    matches = find(family, name, folder, task)
    module_name, colon, attribute = name.rpartition(":")
    if not colon:
        if len(matches) > 1:
            tasks = ", ".join(str(entry.task) for entry in matches)
            raise UserError(f"`{name}` exists for several tasks: {tasks}", hint="name the task")
        return getattr(importlib.import_module(matches[0].module), name)
    function = _named(name, module_name, attribute, folder)
    if family == "models" and isinstance(function, tuple):  # a pair (init, apply)
        return lambda: function
    if not callable(function):
        kind = type(function).__name__
        raise UserError(f"`{name}` is a value of type {kind}, expected a function")
    return adapted(function) if family in ("losses", "activations") else function


def _named(name: str, module_name: str, attribute: str, folder: Path) -> Any:
    """Returns the object that a name with a colon stands for."""
    if python_objects.is_python(name):
        return python_objects.part(name)
    is_file = module_name.endswith(".py")
    module = load_file(folder / module_name) if is_file else load_module(module_name, folder)
    if not hasattr(module, attribute):
        public = [n for n in dir(module) if not n.startswith("_") and callable(getattr(module, n))]
        raise UserError(f"`{module_name}` has no `{attribute}`", hint=nearest(attribute, public))
    return getattr(module, attribute)


def _signature(function: Callable, family: str) -> tuple[dict[str, Option], bool]:
    """Returns the options of an imported function, in the form in which `menu` reads them."""
    is_class = family == "models" and inspect.isclass(function)
    builds = is_class or inspect.isroutine(function) or isinstance(function, functools.partial)
    if family == "models" and not builds:
        return {}, False  # a module of a library, which is complete
    try:
        # A metaclass may hide the parameters of a class.
        signature = inspect.signature(function.__init__ if is_class else function)
    except (TypeError, ValueError):
        return {}, True
    parameters = list(signature.parameters.values())[1 if is_class else 0 :]
    first = 0 if is_class else runtime_arguments(family, _required(parameters))
    named = [p for p in parameters[first:] if p.kind is p.POSITIONAL_OR_KEYWORD]
    named += [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    if family == "losses" and function.__module__.startswith("landscape.parts."):
        named = [p for p in named if p.name not in FIELDS]
    options = {
        p.name: Option(_annotation(p, family), Expression("…"), required=p.default is p.empty)
        for p in named
        if p.name not in RUNTIME_NAMES.get(family, ())
    }
    return options, any(p.kind is p.VAR_KEYWORD for p in parameters)


def takes_arrays(function: Callable[..., Any]) -> bool:
    """Returns whether a metric takes predictions and targets, rather than options alone."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    return runtime_arguments("metrics", _required(parameters)) > 0


def _required(parameters: Sequence[inspect.Parameter]) -> int:
    """Returns the number of positional parameters without a default."""
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)


def _annotation(parameter: inspect.Parameter, family: str) -> str:
    if family == "optimizers" and parameter.name == "learning_rate":
        return "float"
    if parameter.annotation is parameter.empty:
        return ""
    if isinstance(parameter.annotation, str):
        return parameter.annotation
    return inspect.formatannotation(parameter.annotation)

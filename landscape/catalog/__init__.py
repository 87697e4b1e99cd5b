"""A name in a config -> a part: `name` of a menu, `package.module:name` or `file.py:name`."""

import functools
import hashlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from landscape.catalog.menu import (
    FAMILIES,
    RUNTIME,
    TASKS,
    Entry,
    Expression,
    Option,
    check_family,
    describe,
    entries,
    menu,
    read_source,
    user_entry,
)
from landscape.catalog.option_values import accepts, canonical, choices, default, is_path, python
from landscape.catalog.user_code import load_file, load_module
from landscape.errors import UserError, in_words, nearest

__all__ = [
    "FAMILIES",
    "TASKS",
    "Bound",
    "Entry",
    "Named",
    "Option",
    "Problem",
    "bind",
    "build",
    "check_family",
    "choices",
    "contents",
    "describe",
    "entries",
    "find",
    "learning_rate",
    "load",
    "menu",
    "source",
]

# Options that name a part of another family.
REFERENCES = {("models", "activation"): "activations"}


class Named(Protocol):
    """What a config says of a part."""

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class _Reference:
    name: str
    options: Mapping[str, Any]


class Problem(NamedTuple):
    """What is wrong with one option. `misplaced`: its name, not its value, is at fault."""

    option: str
    misplaced: bool
    message: str
    hint: str | None = None


class Bound(NamedTuple):
    """Options as plain JSON values with the defaults filled in, and what is wrong with them."""

    options: dict[str, Any]
    problems: tuple[Problem, ...]


def find(family: str, name: str, folder: Path, task: str | None = None) -> tuple[Entry, ...]:
    """The entries that a name may mean, without importing anything.

    Empty for `module:name`, and for a name in a user's file that is no plain function there: what
    those take is known when they are built. Several for a loss that stands in several tasks.
    UserError for an unknown name, with the nearest, and for a user's file that is missing, is no
    Python or lacks the name.
    """
    module, colon, attribute = name.rpartition(":")
    if not colon:
        return _in_menu(family, name, task)
    if not attribute.isidentifier() or not module:
        hint = "write `package.module:name` or `file.py:name`"
        raise UserError(f"`{name}` does not name a part", hint=hint)
    if not module.endswith(".py"):
        return ()
    entry = user_entry(family, folder / module, attribute)
    return () if entry is None else (entry,)


def _in_menu(family: str, name: str, task: str | None) -> tuple[Entry, ...]:
    known = entries(family)
    found = tuple(e for e in known if e.name == name and task in (None, e.task))
    if found:
        return found
    what = f"{task} loss" if task else _singular(family)
    others = sorted({str(e.task) for e in known if e.name == name})
    names = {e.name for e in known if task in (None, e.task)}
    if others:
        message = f"`{name}` is no {what}: it is for {', '.join(others)}"
        raise UserError(message, hint=f"one of: {', '.join(sorted(names))}")
    hint = nearest(name, names)
    if name.endswith(".py"):
        hint = f"name the function in the file too: `{name}:function`"
    raise UserError(f"there is no {what} `{name}`", hint=hint)


def _singular(family: str) -> str:
    return "loss" if family == "losses" else family.removesuffix("s")


def bind(family: str, part: Named, folder: Path, task: str | None = None) -> Bound:
    """Checks the options of a part against what can be known of it without an import.

    A loss whose name stands in several tasks is fine if one of them takes the options; defaults
    are then filled in where all of these agree. UserError as `find`.
    """
    found = find(family, part.name, folder, task)
    bounds = [_bind(entry.options, entry.any_option, family, part, folder) for entry in found]
    fitting = [bound for bound in bounds if not bound.problems]
    if not fitting:
        none = Bound(dict(part.options), ())
        return min(bounds, key=lambda bound: len(bound.problems), default=none)
    first, others = fitting[0].options, [bound.options for bound in fitting[1:]]
    options = {
        name: value
        for name, value in first.items()
        if name in part.options or all(name in o and o[name] == value for o in others)
    }
    return Bound(options, ())


def _bind(
    known: Mapping[str, Option], any_option: bool, family: str, part: Named, folder: Path
) -> Bound:
    what = f"{_singular(family)} `{part.name}`"
    options: dict[str, Any] = {}
    problems = []
    for name, option in known.items():
        if name in part.options:
            options[name] = part.options[name]
            try:
                options[name] = canonical(option, part.options[name])
                _check_meaning(family, name, option, options[name], folder)
            except ValidationError:
                found, among = in_words(part.options[name]), choices(option)
                message = f"option `{name}` of {what}: found {found}, expected {accepts(option)}"
                hint = nearest(str(part.options[name]), among) if among else None
                problems.append(Problem(name, False, message, hint))
            except UserError as error:
                problems.append(Problem(name, False, error.message, error.hint))
        elif option.required:
            problems.append(Problem(name, True, f"{what} needs the option `{name}`"))
        elif not isinstance(option.default, Expression):
            options[name] = default(option)
    for name in [name for name in part.options if name not in known]:
        options[name] = part.options[name]
        if not any_option:
            hint = nearest(name, known) if known else "it takes no options"
            problems.append(Problem(name, True, f"{what} has no option `{name}`", hint))
    return Bound(options, tuple(problems))


def _check_meaning(family: str, name: str, option: Option, value: Any, folder: Path) -> None:
    referred = REFERENCES.get((family, name))
    if referred and isinstance(value, str):
        find(referred, value, folder)
    if name == "test_fraction" and isinstance(value, float) and not 0 < value < 1:
        raise UserError(f"`test_fraction` lies between 0 and 1, found {value}")
    if is_path(option) and value is not None and not (folder / value).is_file():
        message = f"`{name}`: there is no file {folder / value}"
        raise UserError(message, hint="a path is relative to the folder of the config")


def source(part: Named, folder: Path) -> str | None:
    """The text of the user's own file that `file.py:name` names; None for any other name.

    What that file imports in its turn is not looked at.
    """
    module, colon, _ = part.name.rpartition(":")
    return read_source(folder / module) if colon and module.endswith(".py") else None


def contents(family: str, part: Named, folder: Path) -> dict[str, str]:
    """What decides a part beside its name and options: by option, the text or hash of a file.

    The user's own source stands under the empty name. Data files stand as sha256.
    """
    found = {}
    text = source(part, folder)
    if text is not None:
        found[""] = text
    for entry in find(family, part.name, folder):
        for name, option in entry.options.items():
            value = part.options.get(name)
            if value is not None and is_path(option):
                found[name] = _sha256(folder / value)
    for (owner, name), referred in REFERENCES.items():
        value = part.options.get(name)
        if owner == family and isinstance(value, str):
            for text in contents(referred, _Reference(value, {}), folder).values():
                found[name] = text
    return found


def _sha256(path: Path) -> str:
    try:
        state = path.stat()
        return _sha256_of(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


@functools.lru_cache(maxsize=64)
def _sha256_of(path: Path, modified: int, size: int) -> str:
    # The time and size are there to be part of the key: a large file is read once.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build(
    family: str, part: Named, *, folder: Path | str, task: str | None = None
) -> Callable[..., Any]:
    """The callable that a config names, with its options bound by keyword.

    The result is `functools.partial(function, **options)`, so a caller may still override one by
    keyword: `build("optimizers", …)(learning_rate=schedule)`. Paths are made absolute against
    `folder`. UserError where a module, a name or an option is missing or unknown, and where the
    user's own code raises while it is imported, with the line of theirs.
    """
    folder = Path(folder).absolute()
    function = _resolve(check_family(family), part.name, folder, task)
    if not callable(function):
        found = f"a value of type {type(function).__name__}"
        raise UserError(f"`{part.name}` is {found}, expected a function")
    known, any_option = _signature(function, family)
    bound = _bind(known, any_option, family, part, folder)
    for problem in bound.problems:
        raise UserError(problem.message, hint=problem.hint)
    options = {}
    for name, value in part.options.items():
        options[name] = python(known[name], value) if name in known else value
        if isinstance(options[name], Path):
            options[name] = folder / options[name]
        referred = REFERENCES.get((family, name))
        if referred and isinstance(value, str) and ":" in value:
            options[name] = build(referred, _Reference(value, {}), folder=folder)
    return functools.partial(function, **options)


def load(name: str, folder: Path | str) -> Callable[..., Any]:
    """The function that `package.module:name` or `file.py:name` names, as it stands.

    UserError where there is no such module, file or name, with the nearest, and where importing
    it raises, with the user's line.
    """
    module, colon, attribute = name.rpartition(":")
    if not colon or not module or not attribute.isidentifier():
        hint = "write `package.module:name` or `file.py:name`"
        raise UserError(f"`{name}` does not name a function", hint=hint)
    function = _resolve("losses", name, Path(folder).absolute(), None)
    if not callable(function):
        found = f"a value of type {type(function).__name__}"
        raise UserError(f"`{name}` is {found}, expected a function")
    return function


def learning_rate(optimizer: Callable[..., Any]) -> float:
    """The learning rate of an optimizer that `build` made: as configured, else its default."""
    value = getattr(optimizer, "keywords", {}).get("learning_rate")
    if value is None:
        parameter = inspect.signature(optimizer).parameters.get("learning_rate")
        value = parameter.default if parameter is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(
            "a schedule needs a learning rate, and the optimizer has none",
            hint="set `optimizer.learning_rate`, or leave the schedule out",
        )
    return float(value)


def _resolve(family: str, name: str, folder: Path, task: str | None) -> Any:
    found = find(family, name, folder, task)
    module_name, colon, attribute = name.rpartition(":")
    if not colon:
        if len(found) > 1:
            tasks = ", ".join(str(entry.task) for entry in found)
            raise UserError(f"`{name}` stands in several tasks: {tasks}", hint="name the task")
        return getattr(importlib.import_module(found[0].module), name)
    if module_name.endswith(".py"):
        module = load_file(folder / module_name)
    else:
        module = load_module(module_name, folder)
    if not hasattr(module, attribute):
        public = [n for n in dir(module) if not n.startswith("_") and callable(getattr(module, n))]
        raise UserError(f"`{module_name}` has no `{attribute}`", hint=nearest(attribute, public))
    return getattr(module, attribute)


def _signature(function: Callable, family: str) -> tuple[dict[str, Option], bool]:
    """The options of a function that is there, as `menu` reads them from text."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return {}, True
    by_name = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    runtime = {p.name for p in by_name[: RUNTIME.get(family, 0)]}
    options = {}
    for p in parameters:
        if p.name in runtime or p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            continue
        required = p.default is p.empty
        options[p.name] = Option(_annotation(p, family), Expression("…"), required)
    return options, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _annotation(parameter: inspect.Parameter, family: str) -> str:
    if family == "optimizers" and parameter.name == "learning_rate":
        return "float"
    if parameter.annotation is parameter.empty:
        return ""
    if isinstance(parameter.annotation, str):
        return parameter.annotation
    return inspect.formatannotation(parameter.annotation)

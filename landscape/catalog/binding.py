"""Checks the options of a part against its entry in the menu and fills in the defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from landscape.catalog.lookup import REFERENCES, Named, find, singular
from landscape.catalog.menu import Expression, Option
from landscape.catalog.option_values import (
    accepts,
    canonical,
    choices,
    default,
    is_folder,
    is_path,
)
from landscape.errors import UserError, describe_value, nearest, refuse_special

# Families whose user-defined functions receive fields of the dataset by name.
_WITH_FIELDS = ("losses", "metrics")


class Problem(NamedTuple):
    """A mistake in one option. `misplaced`: the name is wrong or missing, not the value."""

    option: str
    misplaced: bool
    message: str
    hint: str | None = None


class Bound(NamedTuple):
    """Options as plain JSON values with the defaults filled in, and the mistakes in them."""

    options: dict[str, Any]
    problems: tuple[Problem, ...]


def bind(family: str, part: Named, folder: Path, task: str | None = None) -> Bound:
    """Checks the options of a part as far as possible without an import.

    A loss of several tasks is valid if one of them accepts the options; a default is filled in only
    if all that accept them agree on it. Raises UserError as `find` does.
    """
    entries = find(family, part.name, folder, task)
    bounds = [bind_options(e.options, e.any_option, family, part, folder) for e in entries]
    valid = [bound.options for bound in bounds if not bound.problems]
    if not valid:
        unknown = Bound(dict(part.options), ())
        return min(bounds, key=lambda bound: len(bound.problems), default=unknown)
    options = {
        name: value
        for name, value in valid[0].items()
        if name in part.options or all(name in o and o[name] == value for o in valid[1:])
    }
    return Bound(options, ())


def bind_options(
    known: Mapping[str, Option], any_option: bool, family: str, part: Named, folder: Path
) -> Bound:
    """Checks the options of a part against the `known` ones; `any_option` allows others too.

    What a user-defined loss or metric requires may be a field of the dataset, which is known only
    in a run.
    """
    what = f"{singular(family)} `{part.name}`"
    options: dict[str, Any] = {}
    problems = []
    for name, option in known.items():
        if name in part.options:
            options[name] = part.options[name]
            try:
                options[name] = canonical(option, part.options[name])
                _check_reference(family, name, option, options[name], folder)
            except ValueError:
                value, allowed = describe_value(part.options[name]), choices(option)
                message = f"option `{name}` of {what}: found {value}, expected {accepts(option)}"
                hint = nearest(str(part.options[name]), allowed) if allowed else None
                problems.append(Problem(name, False, message, hint))
            except UserError as error:
                problems.append(Problem(name, False, error.message, error.hint))
        elif option.required and not (family in _WITH_FIELDS and ":" in part.name):
            problems.append(Problem(name, True, f"{what} needs the option `{name}`"))
        elif not (option.required or isinstance(option.default, Expression)):
            options[name] = default(option)
    for name in [name for name in part.options if name not in known]:
        options[name] = part.options[name]
        if not any_option:
            hint = nearest(name, known) if known else "it takes no options"
            problems.append(Problem(name, True, f"{what} has no option `{name}`", hint))
    return Bound(options, tuple(problems))


def _check_reference(family: str, name: str, option: Option, value: Any, folder: Path) -> None:
    """Raises UserError if an option names a part or a file that does not exist."""
    referred = REFERENCES.get((family, name))
    if referred and isinstance(value, str):
        find(referred, value, folder)
    if is_path(option) and value is not None:
        refuse_special(folder / value)
    # `Path.is_file` raises if a name is too long.
    exists, kind = (os.path.isdir, "folder") if is_folder(option) else (os.path.isfile, "file")
    if is_path(option) and value is not None and not exists(folder / value):
        hint = "a path is relative to the folder of the config"
        raise UserError(f"`{name}`: there is no {kind} {folder / value}", hint=hint)

"""Finds the menu entries of a name, and the files that a part depends on."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from landscape.catalog import python_objects
from landscape.catalog.definition_text import definition_text
from landscape.catalog.menu import Entry, entries, entries_named, read_source, user_entry
from landscape.catalog.option_values import is_path
from landscape.errors import UserError, nearest, refuse_special

# Options that name a part of another family.
REFERENCES = {("models", "activation"): "activations"}
# Suffixes of files that datasets read, each named like its dataset; and of other files.
_DATA_FILES = ("csv", "npz", "parquet")
_OTHER_FILES = ("json", "npy", "pickle", "pkl", "tsv", "txt", "yaml", "yml", "zip")


class Named(Protocol):
    """A part as a config names it: `Spec`, or one of the models of `config.parts`."""

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Spec:
    """The name of a part: `name`, `package.module:name` or `file.py:name`; and its options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


def find(family: str, name: str, folder: Path, task: str | None = None) -> tuple[Entry, ...]:
    """Returns the entries of a name, several for a loss of several tasks; imports nothing.

    Empty for `module:name`, and for a name in a user's file that is not a plain function: their
    options are known only when they are built. Raises UserError if the name is unknown, with the
    nearest valid name, or if a user's file is missing, is not valid Python or lacks the name.
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
    named = entries_named(family, name)
    matches = tuple(entry for entry in named if task in (None, entry.task))
    if matches:
        return matches
    kind = f"{task} loss" if task else singular(family)
    names = {entry.name for entry in entries(family) if task in (None, entry.task)}
    other_tasks = sorted({str(entry.task) for entry in named})
    if other_tasks:
        message = f"`{name}` is a {' and '.join(other_tasks)} loss, expected a {kind}"
        raise UserError(message, hint=f"one of: {', '.join(sorted(names))}")
    hint = nearest(name, names, f"`landscape list {family}` lists all")
    raise UserError(f"there is no {kind} `{name}`", hint=_hint_for_dots(family, name, hint))


def _hint_for_dots(family: str, name: str, hint: str) -> str:
    """Returns a hint for the name of a file or of a function of a module; any other gets `hint`."""
    module, dot, suffix = name.rpartition(".")
    if dot and suffix == "py":
        return f"name a function in the file: `{name}:function`"
    if dot and family == "datasets" and suffix in _DATA_FILES:
        column = "" if suffix == "npz" else "target: COLUMN, "
        return f"for a data file write `{{name: {suffix}, path: {name}, {column}task: TASK}}`"
    is_module = dot and suffix.isidentifier() and suffix not in (*_DATA_FILES, *_OTHER_FILES)
    if is_module and not hint.startswith("did"):
        return f"write `{module}:{suffix}` for a function of a module"
    return hint


def singular(family: str) -> str:
    """Returns the name of a family in the singular: `loss`, `model`."""
    return "loss" if family == "losses" else family.removesuffix("s")


def source(part: Named, folder: Path) -> str | None:
    """Returns the text that the name depends on in the user's file; None unless `file.py:name`.

    See `definition_text`. Files that it imports are not included. Of an object of this process, the
    digest, see `object_identity`.
    """
    if python_objects.is_python(part.name):
        return python_objects.content(part.name)
    module, colon, attribute = part.name.rpartition(":")
    if not colon or not module.endswith(".py"):
        return None
    return definition_text(read_source(folder / module), attribute)


def contents(family: str, part: Named, folder: Path) -> dict[str, str]:
    """Returns the content of the files that a part depends on, by option.

    The text of the user's source has an empty name; data files are replaced by their sha256.
    """
    by_option = {}
    text = source(part, folder)
    if text is not None:
        by_option[""] = text
    for entry in find(family, part.name, folder):
        for name, option in entry.options.items():
            value = part.options.get(name)
            if value is not None and is_path(option):
                by_option[name] = _digest(folder / value)
    for (owner, name), referred in REFERENCES.items():
        value = part.options.get(name)
        if owner == family and isinstance(value, str):
            for text in contents(referred, Spec(value), folder).values():
                by_option[name] = text
    return by_option


def _digest(path: Path) -> str:
    """Returns the sha256 of a file, or of the names and digests of the files of a folder."""
    refuse_special(path)
    if not path.is_dir():
        return _sha256(path)
    # Files that begin so are written while a folder of `datasets` is used.
    files = [file for file in sorted(path.rglob("*")) if not file.name.startswith("cache-")]
    lines = [f"{f.relative_to(path).as_posix()} {_sha256(f)}" for f in files if f.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _sha256(path: Path) -> str:
    refuse_special(path)
    try:
        state = path.stat()
        return _sha256_of(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


@functools.lru_cache(maxsize=64)
def _sha256_of(path: Path, modified: int, size: int) -> str:
    # Time and size are part of the cache key, so that a large file is read only once.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

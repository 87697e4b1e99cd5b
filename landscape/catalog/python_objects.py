"""Objects of this process that take the place of names: `python:my_loss` in a config.

An experiment that is built in Python holds its objects; they are available while it is checked and
performed, and only in this process.
"""

import contextlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from landscape.errors import UserError

MODULE = "python"


@dataclass(frozen=True)
class PythonObject:
    """A part of an experiment: what the catalog builds, and the object that identifies it."""

    part: Any
    source: Any


@dataclass
class _Available:
    """An object while it is available; `identity` is computed once, on first use."""

    object: PythonObject
    identity: str | None = None
    reason: str = ""


_available: dict[str, _Available] = {}
_one_experiment = threading.RLock()


def is_python(name: str) -> bool:
    """Returns whether a name stands for an object of this process."""
    return name.startswith(f"{MODULE}:")


@contextlib.contextmanager
def available(objects: Mapping[str, PythonObject]) -> Iterator[None]:
    """Makes objects available by their names; those of one experiment at a time."""
    with _one_experiment:
        before = dict(_available)
        _available.clear()
        _available.update({name: _Available(item) for name, item in objects.items()})
        try:
            yield
        finally:
            _available.clear()
            _available.update(before)


def part(name: str) -> Any:
    """Returns what the catalog builds for a name. Raises UserError if it is not available."""
    return _entry(name).object.part


def content(name: str) -> str:
    """Returns the digest of an object: another text, another value, another digest.

    An object without text has a digest that no other process and no later experiment repeats.
    """
    from landscape.catalog.object_identity import WithoutIdentityError, identity

    entry = _entry(name)
    if entry.identity is None:
        try:
            entry.identity = identity(entry.object.source)
        except WithoutIdentityError as error:
            entry.identity, entry.reason = uuid.uuid4().hex, str(error)
    return entry.identity


def available_objects() -> dict[str, str]:
    """Returns the names of the available objects, each with the reason why it has no identity.

    The reason is empty if text and values of the object are known.
    """
    for name in _available:
        content(name)
    return {name: entry.reason for name, entry in _available.items()}


def _entry(name: str) -> _Available:
    if name not in _available:
        raise UserError(
            f"`{name}` is an object of the Python process that wrote this config",
            hint="run the experiment from Python, or write the object to a file and name it "
            "`file.py:name`",
        )
    return _available[name]

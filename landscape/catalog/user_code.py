"""Imports user code: a file by its path, a module by its name."""

import contextlib
import difflib
import hashlib
import importlib
import os
import pkgutil
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path

from landscape.catalog.menu import read_source, syntax_error
from landscape.errors import Place, UserError

# Libraries of models and losses, each the name of its extra.
_EXTRAS = ("flax", "keras", "torch")


def load_file(path: Path) -> types.ModuleType:
    """Returns a user's file as a module, loaded once per path and content.

    It is compiled without `__pycache__`, which might be stale. Raises UserError if the file cannot
    be read or parsed, or raises an exception, then at the user's line.
    """
    text = read_source(path)
    digest = hashlib.sha256(f"{path.resolve()}\0{text}".encode()).hexdigest()[:16]
    name = f"landscape_user_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    module = types.ModuleType(name)
    module.__file__ = str(path)
    try:
        code = compile(text, str(path), "exec")
    except (SyntaxError, ValueError) as error:
        raise syntax_error(error, path) from None
    sys.modules[name] = module  # dataclasses look up their module while it is executed
    try:
        with _search_path(path.parent):
            exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _import_failed(error, str(path)) from error
    return module


def load_module(name: str, folder: Path) -> types.ModuleType:
    """Returns a module by its name, searched first in `folder` and the current folder."""
    try:
        with _search_path(folder, Path.cwd()):
            importlib.invalidate_caches()
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _import_failed(error, name) from error
        hint = _hint(error.name, folder)
        raise UserError(f"there is no module `{error.name}`", hint=hint) from None
    except (Exception, SystemExit) as error:
        raise _import_failed(error, name) from error


def _hint(missing: str, folder: Path) -> str:
    """Returns a hint for a module that is missing: the most similar one in the same package."""
    package, _, name = missing.rpartition(".")
    paths = getattr(sys.modules[package], "__path__", []) if package else [str(folder), *sys.path]
    names = {module.name for module in pkgutil.iter_modules(paths)}
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6 if package else 0.75)
    if close:
        return f"did you mean `{'.'.join([*filter(None, [package]), close[0]])}`?"
    if package:
        return f"`{package}` has no module of a similar name"
    return f"install it, or put it into {folder} or the current folder"


def _import_failed(error: BaseException, name: str) -> UserError:
    """Returns the error for an exception on import, at the last line of the user's code."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, SyntaxError) and error.filename:
        return syntax_error(error, Path(error.filename))
    frames: list[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    frames = [f for f in frames if not f.filename.startswith((__file__, "<frozen"))]
    frames = [f for f in frames if "importlib" not in f.filename]
    last = next((f for f in reversed(frames) if f.filename == name), frames[-1] if frames else None)
    place = None if last is None else Place(last.filename, last.lineno, text=last.line)
    message = f"importing `{name}` raises {type(error).__name__}: {error}"
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    hint = f"install it: `pip install 'landscape[{missing}]'`" if missing in _EXTRAS else None
    return UserError(message, place=place, hint=hint)


@contextlib.contextmanager
def _search_path(*folders: Path) -> Iterator[None]:
    # Keras chooses its backend when it is imported.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    path = list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = path

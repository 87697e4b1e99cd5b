"""Imports code of the user's own: a file by its path, a module by its name."""

import contextlib
import hashlib
import importlib
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path

from landscape.catalog.menu import read_source, syntax_error
from landscape.errors import Place, UserError


def load_file(path: Path) -> types.ModuleType:
    """A user's file as a module, once for each path and content.

    UserError where it cannot be read, is no Python, or raises: then at the user's own line. It is
    compiled here, so no `__pycache__` is left beside it and no stale one is used.
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
    sys.modules[name] = module  # dataclasses look their module up while it is still running
    try:
        with _search_path(path.parent):
            exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _import_failed(error, str(path)) from error
    return module


def load_module(name: str, folder: Path) -> types.ModuleType:
    """A module by its name; `folder` and the current folder are searched first."""
    try:
        with _search_path(folder, Path.cwd()):
            importlib.invalidate_caches()
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _import_failed(error, name) from error
        raise UserError(
            f"there is no module `{error.name}`",
            hint=f"install it, or put it into {folder} or the current folder",
        ) from None
    except (Exception, SystemExit) as error:
        raise _import_failed(error, name) from error


def _import_failed(error: BaseException, what: str) -> UserError:
    """An exception of the user's own code, at the last line of theirs that ran."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, SyntaxError) and error.filename:
        return syntax_error(error, Path(error.filename))
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == what]
    if not own:
        machinery = (__file__, "<frozen")
        own = [frame for frame in frames if not frame.filename.startswith(machinery)]
        own = [frame for frame in own if "importlib" not in frame.filename]
    place = Place(own[-1].filename, own[-1].lineno, text=own[-1].line) if own else None
    message = f"`{what}` raises {type(error).__name__} when it is imported: {error}"
    return UserError(message, place=place)


@contextlib.contextmanager
def _search_path(*folders: Path) -> Iterator[None]:
    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before

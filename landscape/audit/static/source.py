"""Locates the equations of a traced program in the user's source."""

import linecache
import site
import sysconfig
from pathlib import Path
from typing import Any

import jax
import jax.extend.core as jex

from landscape.audit.static.equations import Calls
from landscape.storage.audit_records import Where

_JAX = Path(jax.__file__).parent
_LANDSCAPE = Path(__file__).parents[2]
# Modules of jax with functions that are composed of several operations.
_COMPOSITE_MODULES = (
    "_src.image",
    "_src.nn",
    "_src.numpy.linalg",
    "_src.ops",
    "_src.scipy",
    "_src.third_party.scipy",
    "experimental.pallas.ops",
)
_COMPOSITE_FILES = tuple(str(_JAX.joinpath(*name.split("."))) for name in _COMPOSITE_MODULES)
_GENERATED = "<"  # the file name of code without a file, such as "<string>"
_LIBRARIES = (
    *site.getsitepackages(),
    site.getusersitepackages(),
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("purelib"),
    str(_JAX.parent),
    str(_LANDSCAPE),
    _GENERATED,
)
# Frames between the user's line and the operation that it calls.
_BETWEEN = (str(_JAX), str(_LANDSCAPE / "audit"), str(_LANDSCAPE / "interop"), _GENERATED)


def locate(eqn: jex.JaxprEqn, calls: Calls, user_file: str | None) -> Where | None:
    """Returns the user's line that an equation comes from, or the innermost call around it.

    Files of libraries are skipped, except `user_file`. A program that was traced before keeps the
    lines of its first use, so a library's function is located by the calls around it.
    """
    for candidate in (eqn, *reversed(calls)):
        where = _user_line(candidate, user_file)
        if where is not None:
            return where
    return None


def calls_directly(eqn: jex.JaxprEqn, user_file: str | None) -> bool:
    """Whether the user's line calls the operation itself, not a library function composed of it."""
    trace: Any = eqn.source_info.traceback
    if trace is None:
        return False
    for code in trace.raw_frames()[0]:
        file = code.co_filename
        if _is_user_file(file, user_file):
            return True
        if file.startswith(_COMPOSITE_FILES) or not file.startswith(_BETWEEN):
            return False
    return False


def _is_user_file(file: str, user_file: str | None) -> bool:
    return file == user_file or not file.startswith(_LIBRARIES)


def _user_line(eqn: jex.JaxprEqn, user_file: str | None) -> Where | None:
    trace: Any = eqn.source_info.traceback
    if trace is None:
        return None
    for code, instruction in zip(*trace.raw_frames(), strict=True):
        if code.co_name.startswith("trace_to_jaxpr"):
            return None
        if _is_user_file(code.co_filename, user_file):
            return _where(trace, code, instruction)
    return None


def _where(trace: Any, code: Any, instruction: int) -> Where:
    line, first_byte, end_line, end_byte = trace.code_addr2location(code, instruction)
    text = linecache.getline(code.co_filename, line).rstrip()
    column, end = _characters(text, first_byte), _characters(text, end_byte)
    indent = len(text) - len(text.lstrip())
    if end_line != line or not 0 <= column < end <= len(text):
        return Where(code.co_filename, line, text.strip())
    return Where(code.co_filename, line, text.strip(), column - indent + 1, end - indent + 1)


def _characters(text: str, count: int) -> int:
    """Returns how many characters the first bytes of a text in UTF-8 are; -1 stays -1."""
    return len(text.encode()[:count].decode(errors="ignore")) if count >= 0 else count

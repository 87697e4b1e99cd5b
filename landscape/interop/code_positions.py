"""The user's source position of each operation: found while recording, shown while replaying."""

import ast
import dis
import functools
import linecache
import re
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from landscape.errors import Place
from landscape.interop.aten_record import CodePosition

_TORCH = str(Path(torch.__file__).parent)
_INTEROP = str(Path(__file__).parent)
_FRAME = re.compile(r'\s*File "(.*)", line (\d+), in ')


class PositionFinder:
    """Finds the user's position of the operation that runs, also of one of the backward pass."""

    def __init__(self) -> None:
        self._by_line: dict[tuple[str, int], CodePosition] = {}

    def position(self, frame: types.FrameType | None) -> CodePosition | None:
        """Returns the innermost position outside of torch in the frames of the recorded loss.

        An operation of torch's own backward has that of the operation that it differentiates.
        """
        for caller in _frames_of_loss(frame):
            if not caller.f_code.co_filename.startswith((_TORCH, "<")):
                return self._of_frame(caller)
        return self._of_node()

    def _of_frame(self, frame: types.FrameType) -> CodePosition:
        positions = list(frame.f_code.co_positions())
        index = frame.f_lasti // 2
        if dis.opname[frame.f_code.co_code[frame.f_lasti]] == "BEFORE_WITH":
            index -= 1  # it has the position of the whole block; before it is that of the manager
        line, end_line, column, end_column = positions[index]
        line = line or frame.f_lineno
        position = CodePosition(frame.f_code.co_filename, line, end_line, column, end_column)
        self._by_line.setdefault((position.file, line), position)
        return position

    def _of_node(self) -> CodePosition | None:
        node = torch._C._current_autograd_node()
        lines = "".join((node.metadata or {}).get("traceback_", ())) if node is not None else ""
        for text in reversed(lines.splitlines()):
            match = _FRAME.match(text)
            if match is None or match[1].startswith((_TORCH, "<")):
                continue
            if match[1].startswith(_INTEROP):
                return None
            key = match[1], int(match[2])
            return self._by_line.get(key, CodePosition(*key))
        return None


def decorated_position(frame: types.FrameType | None) -> CodePosition | None:
    """Returns the line of the decorator, such as `@torch.no_grad()`, that runs the function."""
    while frame is not None and frame.f_code is not call_loss.__code__:
        function = frame.f_locals.get("func")
        if frame.f_code.co_name == "decorate_context" and function is not None:
            return CodePosition(function.__code__.co_filename, function.__code__.co_firstlineno)
        frame = frame.f_back
    return None


def _frames_of_loss(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    """Yields the frames between the recorder, which is innermost, and the call of the loss."""
    while frame is not None and _is_recorder(frame):
        frame = frame.f_back
    # Decompositions of torch, which the recorder calls, are between frames of the recorder.
    while frame is not None and frame.f_code is not call_loss.__code__:
        if not _is_recorder(frame):
            yield frame
        frame = frame.f_back


def _is_recorder(frame: types.FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_INTEROP)


def call_loss(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Returns the result of a function; frames outside of this call are not the loss's."""
    return function(*arguments, **keywords)


def place_of(position: CodePosition | None) -> Place | None:
    """Returns a position as the place of an error, with the text of its line."""
    if position is None:
        return None
    text = linecache.getline(position.file, position.line).strip() or None
    return Place(position.file, position.line, text=text)


def place_of_error(error: BaseException) -> Place | None:
    """Returns the innermost line of an exception outside of torch and this package."""
    place, trace = None, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((_TORCH, _INTEROP, "<")):
            place = place_of(CodePosition(file, trace.tb_lineno))
        trace = trace.tb_next
    return place


def call_at(position: CodePosition | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns `function(*arguments)`, called from a frame at a position of the user's source.

    JAX then notes that position for the operations of the function.
    """
    if position is None:
        return function(*arguments)
    values = {"function": function, "arguments": arguments}
    return types.FunctionType(_code_at(position), values)()


@functools.lru_cache(maxsize=4096)
def _code_at(position: CodePosition) -> types.CodeType:
    tree = ast.parse("function(*arguments)", mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            node.lineno = position.line
            node.end_lineno = position.end_line or position.line
            node.col_offset = position.column or 0
            node.end_col_offset = position.end_column or 0
    return compile(tree, position.file, "eval")

"""Runs text as a cell of a notebook does: Python knows its text, and no file has it."""

import itertools
import linecache

_NUMBERS = itertools.count()


def run_cell(text, names=None):
    """Returns the names of a notebook after a cell with this text; `names` are those before it."""
    names = {"__name__": "__main__"} if names is None else names
    file = f"<cell {next(_NUMBERS)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), names)
    return names

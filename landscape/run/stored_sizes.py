"""Checks before training that the files of an experiment will not be too large to be read.

`storage/safe_reading.py` reads files up to a size, since a folder may come from someone else. The
sizes here are estimates from above.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from landscape.config import AcrossSettings, Run
from landscape.errors import UserError
from landscape.storage.safe_reading import MOST_ARRAY_BYTES, largest

_NUMBER = 8  # bytes, in an array
_NUMBER_LINE = 42  # bytes, on a line of JSON with its indentation
_RECORD = 1000  # bytes of the other values of a record
_LAYER = 1000  # bytes of the trace of a layer
_COLUMNS = 40  # of a trace, beside those of metrics in the config
_MEASURES = 16  # of a point of a slice, likewise
_DENSITY = 4 * 200  # numbers of a spectral density
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def in_units(size: int) -> str:
    """Returns a number of bytes with two digits or more: `2.3 TB`."""
    power = min(int(math.log10(max(size, 1)) // 3), len(_UNITS) - 1)
    scaled = size / 1000**power
    return f"{scaled:.1f} {_UNITS[power]}" if power else f"{size} B"


class _File(NamedTuple):
    """A file, its size or that of its arrays in bytes, the largest one, and how to reduce it."""

    name: str
    size: int
    most: int
    hint: str


def check_run(run: Run, layers: int) -> None:
    """Raises UserError if a file of a run would be too large; its model has arrays of `layers`."""
    for file in _files(run, layers):
        _check(file)


def check_across(settings: AcrossSettings | None, runs: Sequence[Run]) -> None:
    """Raises UserError if the measurements across these runs would be too large a file."""
    if settings is not None:
        hint = "use fewer `across.points` or losses, or split the experiment"
        size = across_bytes(settings, runs)
        _check(_File("across.json", size, largest("across.json"), hint))


def _check(file: _File) -> None:
    if file.size > file.most:
        raise UserError(
            f"{file.name} would have about {in_units(file.size)}, expected at most "
            f"{in_units(file.most)}",
            hint=file.hint,
        )


def _files(run: Run, layers: int) -> Iterator[_File]:
    metrics = len(run.metrics or ())
    rows = run.steps // run.record_every + 1
    size = rows * (_COLUMNS + metrics) * _NUMBER
    yield _File("trace.parquet", size, MOST_ARRAY_BYTES, "use a larger `record_every`")
    if run.slices is not None:
        points = len(run.slices.at) * run.slices.points()
        size = points * (_MEASURES + metrics) * _NUMBER
        hint = "use fewer `points` or sets, or split the experiment"
        yield _File("slices.npz", size, MOST_ARRAY_BYTES, hint)
    size, hint = curvature_bytes(run, layers), "use fewer `checkpoints`, or less of `curvature`"
    yield _File("curvature.json", size, largest("curvature.json"), hint)


def curvature_bytes(run: Run, layers: int) -> int:
    """Returns how large `curvature.json` of a run can be."""
    settings = run.curvature
    if settings is None:
        return 0
    points = len(settings.at) + run.checkpoints * settings.checkpoints
    numbers = _DENSITY + 4 * settings.eigenvalues
    operator = numbers * _NUMBER_LINE + layers * _LAYER + _RECORD
    return points * (len(settings.operators) * operator + _RECORD)


def across_bytes(settings: AcrossSettings, runs: Sequence[Run]) -> int:
    """Returns how large `across.json` of these runs can be."""
    groups = Counter(_start(run) for run in runs)
    size = lines = 0
    if settings.losses:
        longest = max(len(run.id) for run in runs)
        numbers = sum(2 * count**2 for count in groups.values())
        size += len(runs) * _RECORD + numbers * (_NUMBER_LINE + longest)
    if "losses" in settings.interpolations:
        lines += sum(math.comb(count, 2) for count in groups.values())
    if "seeds" in settings.interpolations:
        lines += len(runs)
    return size + lines * (2 * _RECORD + 4 * settings.points * _NUMBER_LINE)


def _start(run: Run) -> tuple[str, int]:
    """Identifies the runs that differ in nothing but the loss."""
    shared = {key: value for key, value in run.swept.items() if not key.startswith("losses.")}
    return str(shared), run.seed

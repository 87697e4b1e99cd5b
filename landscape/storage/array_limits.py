"""Bounds of the arrays of a run: their sizes by its config, and the shapes of its slices."""

from collections.abc import Iterator, Mapping

import numpy as np

from landscape.config import Run
from landscape.storage.safe_reading import MOST_ARRAY_BYTES, UnreadableFile

# Rows of a trace beyond those that the config has: the initial and the diverged step, and a few.
_SPARE_ROWS = 8
# Arrays of the shape of a set beside its metrics: risk, gradients, eigenvalues, and more.
_MEASURES = 200
_SPARE_BYTES = 2**22
_NUMBER = 8  # bytes
# Shape of each array of a set by its name, one letter per axis: directions D, points P, X and Y,
# checkpoints C, any number ?; under None that of measurements such as the risk.
_SHAPES: Mapping[str, Mapping[str | None, str]] = {
    "lines": {
        "coordinates": "P",
        "keys": "D?",
        "cosine": "DD",
        "norm": "D",
        "slope": "D",
        "curvature": "D",
        "radius": "",
        "radius_found": "",
        None: "DP",
    },
    "planes": {
        "x": "X",
        "y": "Y",
        "keys": "D2?",
        "cosine": "D",
        "norm": "D2",
        "radius": "",
        "radius_found": "",
        "explained": "2",
        "path/step": "C",
        "path/x": "C",
        "path/y": "C",
        "path/risk": "C",
        "path/projected_risk": "C",
        "path/distance": "C",
        None: "DYX",
    },
    "center": {None: ""},
}
_ANY = "?"
_AXES = ("P", "X", "Y")


def most_rows(run: Run) -> int:
    """Returns how many rows the trace of a run can have."""
    return run.steps // run.record_every + _SPARE_ROWS


def most_slice_bytes(run: Run, columns: int = 0) -> int:
    """Returns how many bytes all slices of a run can have in memory.

    Every metric among the `columns` of its trace is also measured at each point. A config from
    elsewhere cannot raise this above a fixed bound, which `run` checks before it trains.
    """
    settings = run.slices
    if settings is None:
        return _SPARE_BYTES
    points = len(settings.at) * settings.points()
    values = points * (_MEASURES + columns) + run.checkpoints * _MEASURES
    return min(values * _NUMBER + _SPARE_BYTES, MOST_ARRAY_BYTES)


def check_shapes(arrays: Mapping[str, np.ndarray]) -> None:
    """Raises UnreadableFile unless the arrays of each set of slices agree in shape.

    Coordinates must be finite and rise. Arrays of other names are ignored, as reports do.
    """
    sizes: dict[str, dict[str, int]] = {}
    for name, slice_set, letters in _expected(arrays):
        array = arrays[name]
        if not _fits(array.shape, letters, sizes.setdefault(slice_set, {})):
            raise UnreadableFile(f"`{name}` has the shape {array.shape}, unlike its set of slices")
        if letters in _AXES and not _rises(array):
            raise UnreadableFile(f"`{name}` must be finite and rise")


def _fits(shape: tuple[int, ...], letters: str, sizes: dict[str, int]) -> bool:
    """Returns whether a shape has the axes of these letters; adds the sizes of new letters."""
    if len(shape) != len(letters) or 0 in shape:
        return False
    sizes |= {letter: int(letter) for letter in letters if letter.isdigit()}
    return all(
        letter == _ANY or size == sizes.setdefault(letter, size)
        for letter, size in zip(letters, shape, strict=True)
    )


def _expected(names: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str, str]]:
    """Yields the name of each array of a set, the name of its set, and its shape in letters."""
    for name in names:
        place, _, rest = name.partition("/")
        kind, _, rest = rest.partition("/")
        label, _, measure = ("", "", rest) if kind == "center" else rest.partition("/")
        if kind in _SHAPES and measure:
            shapes = _SHAPES[kind]
            yield name, f"{place}/{kind}/{label}", shapes.get(measure, shapes[None])


def _rises(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and (np.diff(values) > 0).all())

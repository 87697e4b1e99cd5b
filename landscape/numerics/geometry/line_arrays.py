"""What the numbers of lines share: finite lines, their range, and their coordinates."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.numerics.geometry.persistence import ROUNDING

Floats = NDArray[np.float64]


def of_finite(
    lines: ArrayLike, number: Callable[[Floats], Floats], *columns: int
) -> NDArray[np.float64]:
    """Returns `number` of the lines that are finite throughout, NaN for the others."""
    lines = np.asarray(lines, dtype=np.float64)
    result = np.full((len(lines), *columns), np.nan)
    finite = np.isfinite(lines).all(axis=1)
    if finite.any():
        with np.errstate(over="ignore", invalid="ignore"):
            result[finite] = number(lines[finite])
    return result


def value_range(lines: Floats) -> Floats:
    """max - min of each line; infinity if that is rounding, so that a quotient by it becomes 0."""
    span = np.ptp(lines, axis=1)
    return np.where(span <= ROUNDING * np.abs(lines).max(axis=1), np.inf, span)


def checked_coordinates(lines: Floats, coordinates: ArrayLike) -> Floats:
    """Returns the coordinates as float64. Raises ValueError if a line has another length."""
    x = np.asarray(coordinates, dtype=np.float64)
    if x.shape != lines.shape[-1:]:
        raise ValueError(
            f"lines have {lines.shape[-1]} points, but the shape of coordinates is {x.shape}"
        )
    return x

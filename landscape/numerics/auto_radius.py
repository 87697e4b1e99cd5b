"""Finds the radius of a slice: the distance at which the risk has risen by a given amount."""

from collections.abc import Callable

import numpy as np

# The searched range, and the radius if the risk never rises that far.
SMALLEST, LARGEST, DEFAULT = 2.0**-10, 2.0**6, 1.0
# Coordinates per search, always the same number, so that all searches share a compiled program.
SAMPLES = 41


def find_radius(
    risk_along: Callable[[np.ndarray], np.ndarray], center: float, rise: float
) -> tuple[float, bool]:
    """Returns the smallest radius at which the mean risk has risen by `rise`, and if it exists.

    `risk_along(coordinates)` is the risk `(directions, len(coordinates))`; the mean is over
    directions and both signs of a coordinate. A risk that is not finite counts as risen. Searches
    two geometric grids: from 2^-10 to 2^6, then inside the interval in which the risk rose, to
    about 3 %. If it does not exist, a risk that never rises that far gives 1, and one that has
    already risen at the smallest radius gives that radius.
    """
    if not np.isfinite(rise) or rise <= 0:
        return DEFAULT, False
    low, high = SMALLEST, LARGEST
    for _ in range(2):
        grid = np.geomspace(low, high, SAMPLES // 2).astype(np.float32)
        risen = _rises(risk_along, grid, center) >= rise
        if not risen.any():
            return DEFAULT, False
        first = int(np.argmax(risen))
        if first == 0:
            # Risen at the first sample already: the radius may be anywhere below it.
            return float(grid[0]), low > SMALLEST
        low, high = float(grid[first - 1]), float(grid[first])
    return high, True


def _rises(
    risk_along: Callable[[np.ndarray], np.ndarray], grid: np.ndarray, center: float
) -> np.ndarray:
    """Returns the mean rise over `center` at each radius of the grid."""
    coordinates = np.concatenate([-grid[::-1], np.zeros(SAMPLES % 2, np.float32), grid])
    risks = np.asarray(risk_along(coordinates), np.float64) - center
    if not np.isfinite(risks[:, len(grid)]).all():  # the center value is not finite
        return np.full(len(grid), -np.inf)
    risks = np.where(np.isfinite(risks), risks, np.inf)
    return np.concatenate([risks[:, -len(grid) :], risks[:, : len(grid)][:, ::-1]]).mean(axis=0)

"""How far to walk: the distance at which the risk has risen by a stated amount."""

from collections.abc import Callable

import numpy as np

# The range that is searched, and what is walked where the risk never rises that far.
SMALLEST, LARGEST, UNFOUND = 2.0**-10, 2.0**6, 1.0
# Samples of one search, so that every search runs the same compiled program.
SAMPLES = 41


def find_radius(
    along: Callable[[np.ndarray], np.ndarray], center: float, rise: float
) -> tuple[float, bool]:
    """The smallest distance at which the mean risk of `along` has risen by `rise`, and whether
    there is one.

    `along(coordinates)` is the risk `(directions, len(coordinates))` at both signs of a distance;
    the mean is over directions and signs. A risk that is not finite counts as risen. Two rounds on
    geometric ladders: from 2^-10 to 2^6, then inside the step in which it rose, to about 3 %.
    Where the risk never rises that far the radius is 1, and where the smallest distance is too far
    already it is that; both count as not found.
    """
    if not np.isfinite(rise) or rise <= 0:
        return UNFOUND, False
    low, high = SMALLEST, LARGEST
    for _ in range(2):
        ladder = np.geomspace(low, high, SAMPLES // 2).astype(np.float32)
        risen = _rises(along, ladder, center) >= rise
        if not risen.any():
            return UNFOUND, False
        first = int(np.argmax(risen))
        if first == 0:
            # It had risen at the first sample already: by how much more than asked is not known.
            return float(ladder[0]), low > SMALLEST
        low, high = float(ladder[first - 1]), float(ladder[first])
    return high, True


def _rises(
    along: Callable[[np.ndarray], np.ndarray], ladder: np.ndarray, center: float
) -> np.ndarray:
    coordinates = np.concatenate([-ladder[::-1], np.zeros(SAMPLES % 2, np.float32), ladder])
    risks = np.asarray(along(coordinates), np.float64) - center
    if not np.isfinite(risks[:, len(ladder)]).all():  # not even the point itself is where it was
        return np.full(len(ladder), -np.inf)
    risks = np.where(np.isfinite(risks), risks, np.inf)
    return np.concatenate([risks[:, -len(ladder) :], risks[:, : len(ladder)][:, ::-1]]).mean(axis=0)

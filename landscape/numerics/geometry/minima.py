"""How many minima lines and planes have, and how deep they are, from persistence."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from landscape.numerics.geometry.line_arrays import Floats, of_finite
from landscape.numerics.geometry.persistence import SHARE, lesser_heights, minima_count


def smad(lines: ArrayLike) -> Floats:
    """Mean of (saddle - minimum) / (max - min) over the minima other than the global one.

    On a line the saddle of a minimum is the lowest pass to a deeper one, so (saddle - minimum) is
    its persistence. 0 if there is one minimum. Minima whose persistence is rounding (below 1e-6 of
    the line's largest absolute value) are left out. An end that is lower than its neighbor is a
    minimum. The source averages over the lowest pass out of every minimum, the global one included.

    Unit: ranges of the line
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: noise: every ripple above rounding is a minimum
    Source: after the Saddle-Minimum Average Distance of Landscaper, Chen et al., 2026
    """
    return of_finite(lines, lambda values: _each(values, _mean_height))


def local_minima(lines: ArrayLike, share: float = SHARE) -> Floats:
    """Number of local minima whose persistence exceeds 0.001 of the range, the global one included.

    A constant line has none: 0. Ends that are lower than their neighbor count.

    Unit: count
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: the threshold
    Source: Edelsbrunner, Letscher, Zomorodian, Topological Persistence and Simplification, 2002
    """
    return of_finite(lines, lambda v: _each(v, lambda line: minima_count(line, share)))


def plane_smad(plane: ArrayLike) -> float:
    """Mean of (saddle - minimum) / (max - min) over the minima other than the global one.

    (saddle - minimum) is the persistence of the minimum: the climb to the lowest pass to a deeper
    one. 0 if there is one minimum. Persistence that is rounding is left out, as in `smad`.

    Unit: ranges of the plane
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: noise: every ripple above rounding is a minimum
    Source: after the Saddle-Minimum Average Distance of Landscaper, Chen et al., 2026
    """
    return _mean_height(plane) if np.isfinite(plane).any() else np.nan


def plane_local_minima(plane: ArrayLike, share: float = SHARE) -> float:
    """Number of local minima whose persistence exceeds 0.001 of the range, the global one included.

    The range is that of the finite cells. A constant plane has none: 0. Minima on the border count.

    Unit: count
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: the threshold
    Source: Edelsbrunner, Letscher, Zomorodian, Topological Persistence and Simplification, 2002
    """
    return minima_count(plane, share)


def total_persistence(plane: ArrayLike) -> float:
    """Sum of (saddle - minimum) / (max - min) over the minima other than the global one.

    0 if there is one minimum. The global one is left out since its persistence is the range on
    every plane. Persistence that is rounding is left out, as in `smad`.

    Unit: ranges of the plane
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: noise: grows with the number of cells
    Source: Edelsbrunner, Letscher, Zomorodian, Topological Persistence and Simplification, 2002
    """
    if not np.isfinite(plane).any():
        return np.nan
    return float(lesser_heights(plane).sum())


def _each(values: Floats, number: Callable[[Floats], float]) -> Floats:
    return np.array([number(line) for line in values])


def _mean_height(values: ArrayLike) -> float:
    heights = lesser_heights(values)
    return float(heights.mean()) if len(heights) else 0.0

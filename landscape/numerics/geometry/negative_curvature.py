"""Where the risk is not convex: by second differences along lines, by eigenvalues on planes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.numerics.geometry.line_arrays import Floats, of_finite
from landscape.numerics.geometry.persistence import ROUNDING

# A ratio of eigenvalues above this counts as not convex.
NONCONVEX = 0.01


def negative_curvature_share(lines: ArrayLike) -> Floats:
    """Share of the interior points where f(x - h) - 2 f(x) + f(x + h) < 0 by more than rounding.

    By more than rounding: below -1e-6 (|f(x - h)| + 2 |f(x)| + |f(x + h)|). 0 for every convex
    line. On a smooth line it converges as the grid gets finer. NaN on fewer than three points.

    Unit: 0 to 1
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: spacings so small that second differences are rounding
    Source: this project
    """

    def number(values: Floats) -> Floats:
        if values.shape[1] < 3:
            return np.full(len(values), np.nan)
        size = np.abs(values)
        rounding = ROUNDING * (size[:, :-2] + 2 * size[:, 1:-1] + size[:, 2:])
        return np.asarray(np.mean(np.diff(values, n=2, axis=1) < -rounding, axis=1))

    return of_finite(lines, number)


def eigenvalue_ratios(smallest: ArrayLike, largest: ArrayLike) -> NDArray[np.float64]:
    """|smallest / largest| of the Hessian's eigenvalues if the smallest is negative, else 0.

    Cell by cell, for two arrays of one shape. 0: no negative curvature; 1: as negative as positive;
    above 1: more negative; infinite if the smallest is negative and the largest zero. NaN if an
    eigenvalue is not finite. An eigenvalue that is zero up to rounding gives a ratio of roundings.

    Li et al., Visualizing the Loss Landscape of Neural Nets, 2018, map |smallest / largest|
    everywhere, so that the value at a convex point is its inverse condition number and cannot be
    distinguished from negative curvature; here a convex point is 0. Both use the whole Hessian, not
    that of the plane.
    """
    low, high = np.asarray(smallest, dtype=np.float64), np.asarray(largest, dtype=np.float64)
    if low.shape != high.shape:
        raise ValueError(f"smallest has shape {low.shape}, largest {high.shape}")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(low < 0, np.abs(low) / np.abs(high), 0.0)
    return np.where(np.isfinite(low) & np.isfinite(high), ratio, np.nan)


def convexity_ratio(smallest: ArrayLike, largest: ArrayLike) -> float:
    """Median over the cells of |smallest / largest eigenvalue| if the smallest is negative, else 0.

    Of the cells that have a ratio, see `eigenvalue_ratios`; NaN if none has.

    Unit: none
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: rounding if both eigenvalues are zero
    Source: Li et al., Visualizing the Loss Landscape of Neural Nets, 2018, whose map keeps the
        ratio of convex points
    """
    ratios = _known_ratios(smallest, largest)
    return float(np.median(ratios)) if len(ratios) else np.nan


def nonconvex_share(smallest: ArrayLike, largest: ArrayLike, threshold: float = NONCONVEX) -> float:
    """Share of the cells with |smallest / largest eigenvalue| > 0.01, the smallest negative.

    Of the cells that have a ratio, see `eigenvalue_ratios`; NaN if none has.

    Unit: 0 to 1
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: the threshold
    Source: after Li et al., 2018
    """
    ratios = _known_ratios(smallest, largest)
    return float(np.mean(ratios > threshold)) if len(ratios) else np.nan


def _known_ratios(smallest: ArrayLike, largest: ArrayLike) -> NDArray[np.float64]:
    ratios = eigenvalue_ratios(smallest, largest)
    return ratios[~np.isnan(ratios)]

"""Numbers of the planes of a slice: basins and what parts them, and where the risk is not convex.

As on lines, nothing depends on the unit of the loss: no number changes when a loss is multiplied
by a positive number or shifted by a constant, nor when a plane is turned over or its axes swapped.
The axes themselves never enter, only the grid.

`plane` is (Py, Px) with the trained point in the middle. Cells that are not finite are walls: they
belong to no basin. Every function returns a float; a plane without a finite value has none: NaN.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from landscape.numerics.geometry.lines import LEVEL, achieved_drop
from landscape.numerics.geometry.persistence import SHARE, lesser_heights, minima_count

# A ratio above this counts as negative curvature worth the name.
NONCONVEX = 0.01


def border_rise(plane: ArrayLike, center: float, initial: float) -> float:
    """(mean risk of the border's cells - risk at the center) / (initial risk - risk at the center).

    The `relative_rise` of a plane: 1 means that walking to the border undoes, on average, all that
    training achieved.

    Unit: the drop of training; NaN where training achieved none. A finer grid changes it little; it
    changes with the size of the plane. A NaN on the border makes it NaN, an infinite cell infinite.
    """
    plane = np.asarray(plane, dtype=np.float64)
    inner = np.zeros(plane.shape, dtype=bool)
    inner[1:-1, 1:-1] = True
    with np.errstate(invalid="ignore", over="ignore"):
        return float((plane[~inner].mean() - center) / achieved_drop(center, initial))


def basin_share(plane: ArrayLike, center: float, initial: float, level: float = LEVEL) -> float:
    """Share of the plane's cells that can be reached from the center without rising above `level`.

    Cells with (risk - center) / (initial - center) <= level that hang together with the center over
    any of 8 neighbors; cells that are not finite never do. The `basin_width` of a plane.

    No unit, between 0 and 1. A finer grid changes it little, stretching an axis not at all; it
    changes with the size of the plane. NaN where training achieved no drop or the center is NaN.
    """
    plane = np.asarray(plane, dtype=np.float64)
    middle = plane.shape[0] // 2, plane.shape[1] // 2
    with np.errstate(invalid="ignore", over="ignore"):
        rises = (plane - center) / achieved_drop(center, initial)
    if np.isnan(rises[middle]):
        return np.nan
    pools, _ = ndimage.label(np.isfinite(rises) & (rises <= level), structure=np.ones((3, 3)))
    return float(np.mean(pools == pools[middle])) if pools[middle] else 0.0


def plane_smad(plane: ArrayLike) -> float:
    """Mean of (saddle - minimum) / (max - min) over the minima other than the global one.

    (saddle - minimum) is the persistence of the minimum: the climb to the lowest pass to a deeper
    one. 0 where there is one minimum. Persistence that is rounding is left out, see `smad`.

    Unit: the range of the finite cells. A finer grid changes it little once every basin has cells
    of its own. After the Saddle-Minimum Average Distance of the package Landscaper (Chen et al.
    2026), which averages over the lowest pass out of every minimum, the global one included.
    """
    heights = lesser_heights(plane)
    if not np.isfinite(plane).any():
        return np.nan
    return float(heights.mean()) if len(heights) else 0.0


def plane_local_minima(plane: ArrayLike, share: float = SHARE) -> float:
    """Number of local minima whose persistence exceeds `share` of the range of the finite cells.

    The global minimum counts; a constant plane has none: 0. Minima on the border count.

    A count. A finer grid does not change it once every basin has cells of its own; it changes with
    `share` and with the size of the plane. Edelsbrunner, Letscher, Zomorodian: Topological
    Persistence and Simplification (2002).
    """
    return minima_count(plane, share)


def total_persistence(plane: ArrayLike) -> float:
    """Sum of (saddle - minimum) / (max - min) over the minima other than the global one.

    0 where there is one minimum. The global one is left out since its persistence is the range on
    every plane. Persistence that is rounding is left out, see `smad`.

    Unit: the range of the finite cells. A finer grid changes it little once every basin has cells
    of its own; on a rough surface it finds more of them and it grows.
    """
    if not np.isfinite(plane).any():
        return np.nan
    return float(lesser_heights(plane).sum())


def convexity_ratio(smallest: ArrayLike, largest: ArrayLike) -> NDArray[np.float64]:
    """|smallest / largest| of the Hessian's eigenvalues where the smallest is negative, else 0.

    Of arrays of one shape, cell by cell. 0: no negative curvature; 1: as negative as positive;
    above 1: more negative; infinite where the smallest is negative and the largest zero. NaN where
    an eigenvalue is not finite.

    Li et al.: Visualizing the Loss Landscape of Neural Nets (2018) map |smallest / largest|
    throughout, so that the value at a convex point is its inverse condition number and may not be
    told from negative curvature; here a convex point is 0. Both see the whole Hessian, not that of
    the plane.

    No unit: multiplying the loss, a constant and stretching the parameters' space evenly do not
    change it. An eigenvalue that is zero but for rounding gives a ratio of that rounding.
    """
    low, high = np.asarray(smallest, dtype=np.float64), np.asarray(largest, dtype=np.float64)
    if low.shape != high.shape:
        raise ValueError(f"smallest has shape {low.shape}, largest {high.shape}")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(low < 0, np.abs(low) / np.abs(high), 0.0)
    return np.where(np.isfinite(low) & np.isfinite(high), ratio, np.nan)


def nonconvex_share(smallest: ArrayLike, largest: ArrayLike, threshold: float = NONCONVEX) -> float:
    """Share of the cells whose `convexity_ratio` exceeds the threshold.

    Of the cells that have a ratio; NaN where none has. No unit, between 0 and 1; unchanged by what
    leaves the ratio unchanged, and by a finer grid but little.
    """
    ratios = convexity_ratio(smallest, largest)
    known = ratios[~np.isnan(ratios)]
    return float(np.mean(known > threshold)) if len(known) else np.nan


def describe_plane(
    plane: ArrayLike,
    center: float,
    initial: float,
    smallest: ArrayLike | None = None,
    largest: ArrayLike | None = None,
) -> dict[str, float]:
    """Every number of one plane under the names that `DEFINITIONS` explains.

    `center` and `initial` are the risk of the trained and of the untrained point; `smallest` and
    `largest` are the extreme eigenvalues of the Hessian, (Py, Px) each. Without them the numbers
    of eigenvalues are NaN.
    """
    ratio, share = np.nan, np.nan
    if smallest is not None and largest is not None:
        ratios = convexity_ratio(smallest, largest)
        known = ratios[~np.isnan(ratios)]
        ratio = float(np.median(known)) if len(known) else np.nan
        share = nonconvex_share(smallest, largest)
    return {
        "border_rise": border_rise(plane, center, initial),
        "basin_share": basin_share(plane, center, initial),
        "plane_smad": plane_smad(plane),
        "plane_local_minima": plane_local_minima(plane),
        "total_persistence": total_persistence(plane),
        "convexity_ratio": ratio,
        "nonconvex_share": share,
    }


DEFINITIONS = {
    "border_rise": (
        "(mean risk of the plane's border - risk at the center) / (initial risk - risk at the "
        "center), in drops of training."
    ),
    "basin_share": (
        "Share of the plane's cells that can be reached from the center without rising by more "
        f"than {LEVEL:g} of the drop of training, from 0 to 1."
    ),
    "plane_smad": (
        "Mean of (saddle - minimum) / (max - min) over the minima other than the global one, in "
        "ranges of the plane: 0 where there is one minimum."
    ),
    "plane_local_minima": (
        f"Number of local minima whose persistence exceeds {SHARE:g} of the range, the global one "
        "included: 0 only for a constant plane."
    ),
    "total_persistence": (
        "Sum of (saddle - minimum) / (max - min) over the minima other than the global one, in "
        "ranges of the plane: 0 where there is one minimum."
    ),
    "convexity_ratio": (
        "Median over the cells of |smallest / largest eigenvalue| of the Hessian where the "
        "smallest is negative, else 0; without unit."
    ),
    "nonconvex_share": (
        f"Share of the cells whose ratio |smallest / largest| of eigenvalues exceeds {NONCONVEX:g} "
        "with the smallest negative, from 0 to 1."
    ),
}

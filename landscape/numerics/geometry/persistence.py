"""Minima and their depths: 0-dimensional persistence of a line or a plane.

Flood a landscape from below. A pool appears at every local minimum (birth); where two pools meet,
the one with the higher minimum ends (death). The difference of the two levels, its persistence, is
the height of the climb out of that minimum: large for a basin, tiny for a ripple.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Differences below this share of the values themselves are rounding in float32, not shape.
ROUNDING = 1e-6
# Minima shallower than this share of the range are not counted.
SHARE = 1e-3


def persistence(values: ArrayLike) -> NDArray[np.float64]:
    """Returns (birth, death) of every pool, (m, 2), most persistent first.

    `values` is a line (P,) or a plane (Py, Px), on which a cell touches its 8 neighbors. The birth
    of a pool is the value of its minimum, its death the lowest value at which it meets a pool with
    a lower minimum (the elder rule). The pool of the global minimum meets no such pool: its death
    is the maximum of the values, so its persistence is the range. Pools of zero persistence, which
    only equal values create, are left out, except the global one: a flat array gives one row.

    Cells that are not finite are walls. A pool behind a wall may meet no deeper one; it dies at the
    maximum as well. No rows if no cell is finite. Raises ValueError if `values` is neither
    a line nor a plane.

    Unit: that of the values. Multiplying them multiplies the rows, a constant shifts them; flips
    and transposing change nothing, and a finer grid changes the rows of a smooth surface little. Of
    equal minima the first in the order of the array is the elder, which does not affect the rows.

    Edelsbrunner, Letscher, Zomorodian: Topological Persistence and Simplification (2002). Of loss
    landscapes: Geniesse et al.: Visualizing Loss Functions as Topological Landscape Profiles
    (2024).
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise ValueError(f"expected a line or a plane, but values have shape {values.shape}")
    # A ring of walls, so that every cell has all its neighbors.
    padded = np.pad(values, 1, constant_values=np.nan)
    row = padded.shape[-1]
    steps = (
        [-1, 1] if values.ndim == 1 else [-row - 1, -row, -row + 1, -1, 1, row - 1, row, row + 1]
    )
    flat = padded.ravel()
    order = np.argsort(flat, kind="stable")
    order = order[np.isfinite(flat[order])]
    if not len(order):
        return np.empty((0, 2))
    pools, deaths = _flood(order, flat.size, steps)
    births = flat[order[pools]]
    ends = np.where(deaths < 0, flat[order[-1]], flat[order[deaths]])
    lasting = (ends > births) | (pools == 0)
    births, ends = births[lasting], ends[lasting]
    with np.errstate(over="ignore"):
        by_persistence = np.lexsort((births, births - ends))
    return np.stack([births[by_persistence], ends[by_persistence]], axis=1)


def _flood(
    order: NDArray[np.intp], size: int, steps: list[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the ranks at which pools appear, and those at which each of them ends (-1: never).

    `order` lists the cells from low to high; the rank of a cell is its position in this list.
    """
    # Union-find by age, not by size: the root of a pool is the rank of its lowest cell.
    rank = [-1] * size
    parent = list(range(len(order)))
    births, deaths = [], {}
    for new, cell in enumerate(order.tolist()):
        rank[cell] = new
        pool = new
        for step in steps:
            root = rank[cell + step]
            if root < 0:
                continue
            while parent[root] != root:
                parent[root] = parent[parent[root]]
                root = parent[root]
            if root == pool:
                continue
            elder, younger = (root, pool) if root < pool else (pool, root)
            parent[younger] = elder
            if younger != new:
                deaths[younger] = new
            pool = elder
        if pool == new:
            births.append(new)
    return np.array(births), np.array([deaths.get(birth, -1) for birth in births])


def minima_count(values: ArrayLike, share: float = SHARE) -> float:
    """Returns the number of minima of a line or a plane more persistent than `share` of the range.

    Persistence that is rounding (below 1e-6 of the largest absolute value) never counts, so a
    constant array has no minimum: 0. No finite value: NaN.
    """
    heights, rounding = _heights(values)
    if not len(heights):
        return np.nan
    return float(np.sum(heights > max(share * heights[0], rounding)))


def lesser_heights(values: ArrayLike) -> NDArray[np.float64]:
    """Returns persistence / range of the minima other than the global one, largest first.

    Persistence that is rounding (below 1e-6 of the largest absolute value) is left out.
    """
    heights, rounding = _heights(values)
    others = heights[1:][heights[1:] > rounding]
    return others / heights[0] if len(others) else others


def _heights(values: ArrayLike) -> tuple[NDArray[np.float64], float]:
    """Returns the persistences, largest first, and the height up to which they are rounding."""
    values = np.asarray(values, dtype=np.float64)
    births, deaths = persistence(values).T
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    with np.errstate(over="ignore"):
        return deaths - births, float(ROUNDING * largest)

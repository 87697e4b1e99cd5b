"""Minima and how deep they are: 0-dimensional persistence of a line or a plane.

Flood a landscape from below. A pool appears at every local minimum (birth); where two pools meet,
the one with the higher minimum is swallowed by the other (death). How long a pool lasted, its
persistence, is the height of the climb out of that minimum: large for a basin, tiny for a ripple.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Differences below this share of the values themselves are rounding in float32, not shape.
ROUNDING = 1e-6
# Minima shallower than this share of the range are not counted.
SHARE = 1e-3


def persistence(values: ArrayLike) -> NDArray[np.float64]:
    """(birth, death) of every pool, (m, 2), most persistent first.

    `values` is a line (P,) or a plane (Py, Px), on which a cell touches its 8 neighbors. A pool is
    born at the value of its minimum and dies at the lowest value at which it meets a pool with a
    lower minimum (the elder rule). The pool of the global minimum meets none: its death is the
    maximum of the values, so its persistence is the range. Pools without persistence, which only
    equal values make, are left out, but for the global one: a flat array gives one row.

    Cells that are not finite are walls that no water crosses. Behind a wall there may be a second
    pool that meets no deeper one; it dies at the maximum as well. No finite cell: no row.

    Unit: that of the values. Multiplying them multiplies the rows, a constant shifts them;
    flips and transposing change nothing, and a finer grid changes the rows of a smooth surface
    little. Of equal minima the first in the order of the array is the elder, which decides
    nothing that the rows show.

    Edelsbrunner, Letscher, Zomorodian: Topological Persistence and Simplification (2002). Of loss
    landscapes: Geniesse et al.: Visualizing Loss Functions as Topological Landscape Profiles
    (2024).
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise ValueError(f"persistence is of a line or a plane, not of shape {values.shape}")
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
    kept = (ends > births) | (pools == 0)
    births, ends = births[kept], ends[kept]
    with np.errstate(over="ignore"):
        first = np.lexsort((births, births - ends))
    return np.stack([births[first], ends[first]], axis=1)


def _flood(
    order: NDArray[np.intp], size: int, steps: list[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The ranks at which pools appear, and at which each is swallowed (-1: never).

    `order` lists the cells from low to high; a cell's rank is its place in it.
    """
    # Union by age, not by size: the root of a pool is its lowest cell, as a rank.
    rank = [-1] * size
    parent = list(range(len(order)))
    births, deaths = [], {}
    for now, cell in enumerate(order.tolist()):
        rank[cell] = now
        mine = now
        for step in steps:
            root = rank[cell + step]
            if root < 0:
                continue
            while parent[root] != root:
                parent[root] = parent[parent[root]]
                root = parent[root]
            if root == mine:
                continue
            elder, younger = (root, mine) if root < mine else (mine, root)
            parent[younger] = elder
            if younger != now:
                deaths[younger] = now
            mine = elder
        if mine == now:
            births.append(now)
    return np.array(births), np.array([deaths.get(pool, -1) for pool in births])


def minima_count(values: ArrayLike, share: float = SHARE) -> float:
    """Number of minima of a line or a plane more persistent than `share` of the range.

    Persistence that is rounding (below 1e-6 of the largest absolute value) never counts, so a
    constant array has no minimum: 0. No finite value: NaN.
    """
    heights, rounding = _heights(values)
    if not len(heights):
        return np.nan
    return float(np.sum(heights > max(share * heights[0], rounding)))


def lesser_heights(values: ArrayLike) -> NDArray[np.float64]:
    """Persistence over range of the minima other than the global one, largest first.

    Persistence that is rounding (below 1e-6 of the largest absolute value) is left out.
    """
    heights, rounding = _heights(values)
    others = heights[1:][heights[1:] > rounding]
    return others / heights[0] if len(others) else others


def _heights(values: ArrayLike) -> tuple[NDArray[np.float64], float]:
    """Persistences, largest first, and the height up to which one is rounding."""
    values = np.asarray(values, dtype=np.float64)
    births, deaths = persistence(values).T
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    with np.errstate(over="ignore"):
        return deaths - births, float(ROUNDING * largest)

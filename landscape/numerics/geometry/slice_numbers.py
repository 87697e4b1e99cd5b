"""All numbers of the lines or of a plane of a slice, by name."""

import numpy as np
from numpy.typing import ArrayLike

from landscape.numerics.geometry import basin, kinks, minima, negative_curvature, variation
from landscape.numerics.geometry.line_arrays import Floats


def describe_lines(
    lines: ArrayLike,
    coordinates: ArrayLike,
    center: float,
    initial: float,
    zero_gradient: ArrayLike | None = None,
) -> dict[str, Floats]:
    """Returns every number of every line, (K,) each, by its name in `DEFINITIONS`.

    `center` and `initial` are the risk of the trained and of the untrained point.
    """
    jumps = kinks.slope_jumps(lines)
    return {
        "relative_rise": basin.relative_rise(lines, center, initial),
        "basin_width": basin.basin_width(lines, coordinates, center, initial),
        "basin_bounded": basin.basin_bounded(lines, coordinates, center, initial),
        "asymmetry": basin.asymmetry(lines, coordinates),
        "roughness": variation.roughness(lines),
        "normalized_variation": variation.normalized_variation(lines),
        "second_difference_energy": variation.second_difference_energy(lines),
        "smad": minima.smad(lines),
        "local_minima": minima.local_minima(lines),
        "negative_curvature_share": negative_curvature.negative_curvature_share(lines),
        "kinks": jumps.number,
        "largest_kink": jumps.largest,
        "plateau_share": variation.plateau_share(lines, zero_gradient),
    }


def describe_plane(
    plane: ArrayLike,
    center: float,
    initial: float,
    smallest: ArrayLike | None = None,
    largest: ArrayLike | None = None,
) -> dict[str, float]:
    """Returns every number of one plane, by its name in `DEFINITIONS`.

    `center` and `initial` are the risk of the trained and of the untrained point; `smallest` and
    `largest` are the extreme eigenvalues of the Hessian, (Py, Px) each. Without them the numbers
    of eigenvalues are NaN.
    """
    ratios = {"convexity_ratio": np.nan, "nonconvex_share": np.nan}
    if smallest is not None and largest is not None:
        ratios = {
            "convexity_ratio": negative_curvature.convexity_ratio(smallest, largest),
            "nonconvex_share": negative_curvature.nonconvex_share(smallest, largest),
        }
    return {
        "border_rise": basin.border_rise(plane, center, initial),
        "basin_share": basin.basin_share(plane, center, initial),
        "plane_smad": minima.plane_smad(plane),
        "plane_local_minima": minima.plane_local_minima(plane),
        "total_persistence": minima.total_persistence(plane),
        **ratios,
    }

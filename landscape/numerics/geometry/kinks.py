"""Jumps of slope along lines."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from landscape.numerics.geometry.line_arrays import Floats, of_finite
from landscape.numerics.geometry.persistence import ROUNDING, SHARE

# A kink exceeds the second differences of this many samples on each side this many times.
# A sinusoid of 10 samples per period exceeds them 3.2 times at its crests.
STANDS_OUT = 5.0
NEIGHBORS = 3
# Fewest points on which a kink with a neighbor on each side fits.
KINK_POINTS = 6


class SlopeJumps(NamedTuple):
    """Number of jumps of slope of each line, and the largest over the range of its slopes."""

    number: Floats
    largest: Floats


def slope_jumps(lines: ArrayLike, share: float = SHARE) -> SlopeJumps:
    """Returns the number of jumps of slope, and the largest over (largest - smallest slope).

    A jump of slope leaves one large second difference, or shares it between two if it lies between
    samples. So a kink is counted, once, where two neighboring second differences together exceed
    5 times the largest of the three on each side (and of what rounding could make), and the jump,
    minus the curvature beside it, exceeds `share` of the range of slopes.

    Limits of a grid: a bend within about two intervals is a kink on it, and none on a finer one; a
    jump of less than about 3 times what curvature changes the slope within an interval is lost
    until the grid is finer. Kinks fewer than five samples apart may hide each other, as they do in
    noise, and none is detected within two samples of an end. A sinusoid is never counted, whatever
    its number of samples per period. A jump of the value itself between two samples looks like a
    steep ramp: two kinks. NaN on fewer than six points.
    """

    def number(values: Floats) -> Floats:
        if values.shape[1] < KINK_POINTS:
            return np.full((len(values), 2), np.nan)
        differences = np.diff(values, n=2, axis=1)
        before, first, second, after = (differences[:, i : i - 3 or None] for i in range(4))
        limit = STANDS_OUT * np.maximum(_beside(differences), _pair_rounding(values))
        ramp = (first * second < 0) & (np.minimum(np.abs(first), np.abs(second)) > limit)
        bend = ~ramp & (np.abs(first + second) > limit)
        larger = np.maximum(np.abs(first), np.abs(second))
        jump = np.where(ramp, larger, np.abs(first + second - before - after))
        slopes = np.ptp(np.diff(values, axis=1), axis=1)[:, None]
        size = np.where(ramp | bend, jump, 0.0) / np.where(slopes > 0, slopes, 1.0)
        ramp, bend = ramp & (size > share), bend & (size > share)
        # A kink on a sample stands out in two pairs, the one before it and the one after.
        repeated = np.pad(bend[:, :-1], ((0, 0), (1, 0)))
        count = np.sum(bend & ~repeated, axis=1) + 2 * np.sum(ramp, axis=1)
        largest = np.max(np.where(size > share, size, 0.0), axis=1)
        return np.stack([count, np.minimum(largest, 1.0)], axis=1)

    columns = of_finite(lines, number, 2)
    return SlopeJumps(columns[:, 0], columns[:, 1])


def kinks(lines: ArrayLike, share: float = SHARE) -> Floats:
    """Number of places where two neighboring second differences exceed 5 times those beside them.

    These are jumps of slope, as far as the grid separates them from tight bends: `slope_jumps`.

    Unit: count
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: a grid that resolves a tight bend as smooth, or a weak kink for the first time
    Source: this project
    """
    return slope_jumps(lines, share).number


def largest_kink(lines: ArrayLike, share: float = SHARE) -> Floats:
    """Largest jump of slope / (largest - smallest slope of the line), 0 without a kink.

    See `slope_jumps`.

    Unit: 0 to 1
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: as `kinks`
    Source: this project
    """
    return slope_jumps(lines, share).largest


def _beside(differences: Floats) -> Floats:
    """Largest absolute second difference among the three on each side of every inner pair."""
    reach = NEIGHBORS - 1
    padded = np.pad(np.abs(differences), ((0, 0), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBORS + 2, axis=1)
    outer = [*range(NEIGHBORS), *range(NEIGHBORS + 2, 2 * NEIGHBORS + 2)]
    return np.asarray(windows[:, :, outer].max(axis=2))


def _pair_rounding(values: Floats) -> Floats:
    """Bound on the effect of rounding on the sum of every inner pair of second differences."""
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(values), 4, axis=1)
    return np.asarray(ROUNDING * windows[:, 1:-1].sum(axis=2))

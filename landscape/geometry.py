"""Scale-free measures of the lines of a slice: how far the risk rises, and how rough it is.

Losses have different units, so neither measure changes when a loss is multiplied by a positive
number or shifted by a constant.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Differences below this share of the values themselves are rounding in float32, not shape.
ROUNDING = 1e-6


def relative_rise(lines: ArrayLike, center: float, initial: float) -> NDArray[np.float64]:
    """(mean risk of a line's two ends - risk at the center) / (initial risk - risk at the center).

    `lines` has shape (directions, points); the result has shape (directions,). `center` is the
    risk of the trained point, `initial` the risk of the same run before training, both over the
    same examples as the lines. 1 means that walking to the end of the line undoes, on average,
    all that training achieved; a flat line gives 0 and a line that leads further down less.

    The drop achieved by training is the unit because it is the one scale that every run has in
    its own loss: dividing by the center alone would explode for losses that reach zero and turn
    around for losses below it. Where training achieved no drop the rise has no unit: NaN.
    An end that is NaN makes its line NaN; an infinite end makes it infinite.
    """
    ends = np.asarray(lines, dtype=np.float64)[:, [0, -1]]
    drop = float(initial) - float(center)
    if not drop > ROUNDING * max(abs(initial), abs(center)) or not np.isfinite(drop):
        return np.full(len(ends), np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray((ends.mean(axis=1) - center) / drop)


def roughness(lines: ArrayLike) -> NDArray[np.float64]:
    """(total variation - (first + last - 2 min)) / (max - min): 0 for a line with one valley.

    `lines` has shape (directions, points); the result has shape (directions,). Total variation is
    the sum of the absolute differences of neighboring points. What a single valley needs to come
    down from the first point to the minimum and up to the last is taken off, so that 0 means that
    the line falls and then rises (every convex line does), or only falls, or only rises. Each
    further dip of depth h adds 2 h / (max - min); a lone hill between two low ends gives 2.

    Points added between the old ones never lower the value, as long as they lie between the
    line's minimum and maximum; compare lines on the same grid. A line whose range is rounding
    (below 1e-6 of its largest absolute value) is constant: 0. A line with a value that is not
    finite has no roughness: NaN.
    """
    lines = np.asarray(lines, dtype=np.float64)
    result = np.full(len(lines), np.nan)
    finite = np.isfinite(lines).all(axis=1)
    values = lines[finite]
    low, high = values.min(axis=1), values.max(axis=1)
    variation = np.abs(np.diff(values, axis=1)).sum(axis=1)
    beyond = variation - (values[:, 0] + values[:, -1] - 2 * low)
    constant = high - low <= ROUNDING * np.abs(values).max(axis=1)
    span = np.where(constant, 1.0, high - low)
    result[finite] = np.where(constant, 0.0, np.maximum(beyond, 0.0) / span)
    return result

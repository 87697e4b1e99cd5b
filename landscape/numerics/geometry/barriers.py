"""The risk between two solutions."""

import numpy as np
from numpy.typing import ArrayLike

from landscape.numerics.geometry.line_arrays import Floats, checked_coordinates


def barrier_height(
    values: ArrayLike, coordinates: ArrayLike, drop: ArrayLike | None = None
) -> Floats:
    """max over t of f(t) - ((1 - t) f(0) + t f(1)): the hill between two solutions, at least 0.

    `values` (P,) or (K, P) is the risk on the path from one solution to another, `coordinates` (P,)
    runs from 0 to 1; the result has shape () or (K,). With a `drop`, initial risk - risk of a
    solution, () or (K,), the height is in units of it, and NaN if it is not positive. The chord
    between the ends is subtracted, so that a worse solution at one end does not count as a barrier.
    An infinite value in between is an infinite barrier; an end that is not finite, or any NaN,
    gives NaN.

    Unit: loss, or drops of training
    Unchanged by: offset, axis, reversal; scale if a drop is given
    Changed by: scale without a drop; grid: can only grow as points are added
    Source: chord of Entezari et al., The Role of Permutation Invariance in Linear Mode Connectivity
        of Neural Networks, 2022; Frankle et al., Linear Mode Connectivity and the Lottery Ticket
        Hypothesis, 2020, subtract the mean of the ends; Draxler et al., Essentially No Barriers in
        Neural Network Energy Landscape, 2018, look for paths without a barrier
    """
    values = np.asarray(values, dtype=np.float64)
    x = checked_coordinates(values, coordinates)
    first, last = values[..., :1], values[..., -1:]
    # An end that is not finite meets a zero weight at the other end, which makes NaN.
    with np.errstate(invalid="ignore", over="ignore"):
        t = (x - x[0]) / (x[-1] - x[0])
        height = np.max(values - ((1 - t) * first + t * last), axis=-1)
        if drop is not None:
            unit = np.asarray(drop, dtype=np.float64)
            height = height / np.where(np.isfinite(unit) & (unit > 0), unit, np.nan)
    return np.asarray(height)

"""How much a line and its slope vary, and how much of the line is flat."""

import numpy as np
from numpy.typing import ArrayLike

from landscape.numerics.geometry.line_arrays import Floats, of_finite, value_range
from landscape.numerics.geometry.persistence import ROUNDING


def roughness(lines: ArrayLike) -> Floats:
    """(total variation - (first + last - 2 min)) / (max - min): 0 for a line with a single valley.

    Total variation is the sum of the absolute differences of neighboring points. The descent of a
    single valley from the first point to the minimum and its ascent to the last are subtracted, so
    0 means that the line falls and then rises (every convex line does), or only falls, or only
    rises. Each further dip of depth h adds 2 h / (max - min); a lone hill between two low ends
    gives 2. Added points never lower the value as long as they lie between the line's minimum and
    maximum, and on a smooth line it converges; compare lines on the same grid.

    Unit: ranges of the line
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: noise: grows with the number of points
    Source: this project
    """

    def number(values: Floats) -> Floats:
        variation = np.abs(np.diff(values, axis=1)).sum(axis=1)
        beyond = variation - (values[:, 0] + values[:, -1] - 2 * values.min(axis=1))
        return np.maximum(beyond, 0.0) / value_range(values)

    return of_finite(lines, number)


def normalized_variation(lines: ArrayLike) -> Floats:
    """Total variation / (max - min): 1 for a monotone line, 2 for an even valley.

    k valleys as deep as the range give 2 k. `roughness` is this minus what one valley needs. On a
    smooth line it converges from below as the grid gets finer. The source builds its index from the
    mean and variance over random directions of such a normalized total variation.

    Unit: ranges of the line
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: noise: grows with the number of points
    Source: Wu et al., Roughness Index for Loss Landscapes of Neural Network Models of Partial
        Differential Equations, 2023
    """
    return of_finite(lines, lambda v: np.abs(np.diff(v, axis=1)).sum(axis=1) / value_range(v))


def second_difference_energy(lines: ArrayLike) -> Floats:
    """length^3 * integral of (d2f/dx2)^2 dx / (max - min)^2, by second differences.

    On P points this is (P - 1)^4 times the mean square of the second differences over the range
    squared: exact for a parabola (64 over its symmetric range, 4 for one side), 2 (k pi)^4 for k
    full periods of a cosine, 0 for a straight line. Rounding of the values adds about (P - 1)^4
    times its share of the range squared. NaN on fewer than three points. It is the roughness
    penalty of smoothing splines, made free of units.

    Unit: none
    Unchanged by: scale, offset, axis, reversal
    Changed by: grid: converges if the line is twice differentiable, grows like 1 / spacing at a
        kink
    Source: penalty of smoothing splines, Reinsch, 1967
    """

    def number(values: Floats) -> Floats:
        points = values.shape[1]
        if points < 3:
            return np.full(len(values), np.nan)
        differences = np.diff(values, n=2, axis=1) / value_range(values)[:, None]
        return np.asarray((points - 1) ** 4 * np.mean(differences**2, axis=1))

    return of_finite(lines, number)


def plateau_share(lines: ArrayLike, zero_gradient: ArrayLike | None = None) -> Floats:
    """Share of points with zero gradient; if not measured, of intervals with equal ends.

    With `zero_gradient` (K, P), whether the gradient is zero at each point: the share of those
    points, whatever their values. Without it the line itself decides: the share of the intervals
    whose ends differ by at most 1e-6 of the line's largest absolute value. Risks are computed in
    float32, so smaller differences carry no information; but such a gentle slope counts as flat
    too, and a flat line does not determine the gradient across it. Without `zero_gradient`, NaN for
    a single point.

    Unit: 0 to 1
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: whether gradients were measured; the length of the line
    Source: this project
    """
    if zero_gradient is not None:
        return np.asarray(np.mean(np.asarray(zero_gradient, dtype=np.float64), axis=1))

    def number(values: Floats) -> Floats:
        if values.shape[1] < 2:
            return np.full(len(values), np.nan)
        rounding = ROUNDING * np.abs(values).max(axis=1, keepdims=True)
        return np.asarray(np.mean(np.abs(np.diff(values, axis=1)) <= rounding, axis=1))

    return of_finite(lines, number)

"""Numbers of the lines of a slice: how far the risk rises, how wide, how even, how rough.

Losses have different units, so nothing here depends on the unit of the loss: no number changes
when a loss is multiplied by a positive number or shifted by a constant (as long as the constant
does not drown the shape in rounding), nor when a line is walked backwards. Heights are in units of
the drop that training achieved, or of the line's own range.

`lines` is (K, P): K lines of P points each; `coordinates` is (P,), uniformly spaced and symmetric
around an exact 0 in the middle. Every function returns float64 of shape (K,). Unless a docstring
says otherwise, a line with a value that is not finite has no such number: NaN; and a line whose
range is rounding (below 1e-6 of its largest absolute value) is constant: 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.numerics.geometry.persistence import ROUNDING, SHARE, lesser_heights, minima_count

Floats = NDArray[np.float64]

# The rise, in drops, up to which a point still belongs to the basin.
LEVEL = 0.1
# A kink stands out this many times from the second differences of this many samples on each side.
# A sinusoid of 10 samples a period stands out 3.2 times at its crests.
STANDS_OUT = 5.0
NEIGHBORS = 3
# Fewest points on which a kink with a neighbor on each side fits.
KINK_POINTS = 6


class Width(NamedTuple):
    """Width of a basin, and whether the line ends outside of it on both sides."""

    width: Floats
    bounded: NDArray[np.bool_]


class Kinks(NamedTuple):
    """Number of jumps of slope, and the largest over the range of the slopes."""

    number: Floats
    largest: Floats


def achieved_drop(center: float, initial: float) -> float:
    """Initial risk - risk at the center: the unit of height. NaN where training achieved none.

    It is the one scale that every run has in its own loss: dividing by the risk at the center
    alone would explode for losses that reach zero and turn around for losses below it. A drop
    that is rounding is none.
    """
    drop = float(initial) - float(center)
    found = np.isfinite(drop) and drop > ROUNDING * max(abs(initial), abs(center))
    return drop if found else np.nan


def relative_rise(
    lines: ArrayLike,
    center: float,
    initial: float,
    *,
    coordinates: ArrayLike | None = None,
    radius: float | None = None,
) -> Floats:
    """(mean risk of a line's two ends - risk at the center) / (initial risk - risk at the center).

    `center` is the risk of the trained point, `initial` the risk of the same run before training,
    both over the same examples as the lines. 1 means that walking to the end of the line undoes,
    on average, all that training achieved; a flat line gives 0 and a line that leads further down
    less. With `coordinates` and a `radius` the two points at -radius and radius stand in for the
    ends, between samples by linear interpolation; beyond the line there is no such rise: NaN.

    Unit: the drop of training; NaN where training achieved none. A finer grid does not change it
    at the ends, and little in between; stretching the axis does not change it at the ends. It
    changes with the length of the line. An end that is NaN makes its line NaN; an infinite end
    makes it infinite.
    """
    lines = np.asarray(lines, dtype=np.float64)
    if radius is None:
        ends = lines[:, [0, -1]]
    else:
        if coordinates is None:
            raise ValueError("a rise at a radius needs the coordinates of the line")
        ends = np.stack([_risk_at(lines, coordinates, end) for end in (-radius, radius)], axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray((ends.mean(axis=1) - center) / achieved_drop(center, initial))


def basin_width(
    lines: ArrayLike, coordinates: ArrayLike, center: float, initial: float, level: float = LEVEL
) -> Width:
    """Length around the center on which the risk has risen by at most `level` of the drop.

    From the center outwards, each side on its own, to where (risk - center) / (initial - center)
    first exceeds `level`, by linear interpolation between samples; the two reaches are added. It is
    measured from the center even where the line has its minimum elsewhere. A side that never rises
    that far counts up to the end of the line: the width is then a lower bound and `bounded` False.

    Unit: that of the coordinates, so stretching the axis stretches it. A finer grid changes it
    little (for a parabola, by at most spacing^2 / (8 reach) a side). Where training
    achieved no drop, or a value that is NaN is met before the rise, the width is NaN and not
    bounded; an infinite value lies above every level. In the spirit of the flat minima of
    Hochreiter and Schmidhuber (1997).
    """
    lines = np.asarray(lines, dtype=np.float64)
    drop = achieved_drop(center, initial)
    with np.errstate(invalid="ignore", over="ignore"):
        rises = (lines - center) / drop
        reaches, met = zip(
            *(_reach(side, distance, level) for side, distance in _sides(rises, coordinates)),
            strict=True,
        )
        width = np.asarray(sum(reaches))
    return Width(width, np.logical_and(*met) & ~np.isnan(width))


def asymmetry(lines: ArrayLike, coordinates: ArrayLike) -> Floats:
    """|A - B| / (|A| + |B|), A and B the mean rise over the center on either side of it.

    Mean rise of a side: integral of (risk - risk at the center) by the trapezoid rule over the
    side's length. 0 for an even line, 1 where one side is flat on average while the other rises, or
    falls while it rises. The sides are not told apart, since the sign of a random direction is
    arbitrary. Where both mean rises are rounding the line leans nowhere: 0.

    No unit, between 0 and 1. A finer grid changes it little, stretching the axis not at all; the
    length of the line and the point taken as its center do change it. Motivated by He, Huang,
    Yuan: Asymmetric Valleys (2019).
    """

    def number(values: Floats) -> Floats:
        means = []
        for side, distance in _sides(values, coordinates):
            area = np.trapezoid(side - side[:, :1], distance, axis=1)
            means.append(area / (distance[-1] or 1.0))
        total = np.abs(means[0]) + np.abs(means[1])
        even = total <= ROUNDING * np.abs(values).max(axis=1)
        return np.abs(means[0] - means[1]) / np.where(even, np.inf, total)

    return _of_finite(lines, number)


def roughness(lines: ArrayLike) -> Floats:
    """(total variation - (first + last - 2 min)) / (max - min): 0 for a line with one valley.

    Total variation is the sum of the absolute differences of neighboring points. What a single
    valley needs to come down from the first point to the minimum and up to the last is taken off,
    so that 0 means that the line falls and then rises (every convex line does), or only falls, or
    only rises. Each further dip of depth h adds 2 h / (max - min); a lone hill between two low
    ends gives 2.

    Unit: the range of the line. Points added between the old ones never lower the value, as long
    as they lie between the line's minimum and maximum, and on a smooth line it converges; compare
    lines on the same grid. Stretching the axis does not change it.
    """

    def number(values: Floats) -> Floats:
        variation = np.abs(np.diff(values, axis=1)).sum(axis=1)
        beyond = variation - (values[:, 0] + values[:, -1] - 2 * values.min(axis=1))
        return np.maximum(beyond, 0.0) / _range(values)

    return _of_finite(lines, number)


def normalized_variation(lines: ArrayLike) -> Floats:
    """Total variation / (max - min): 1 for a monotone line, 2 for an even valley.

    k valleys as deep as the range give 2 k. `roughness` is this less what one valley needs.

    Unit: the range of the line. On a smooth line it converges as the grid gets finer, from below;
    stretching the axis does not change it. Wu et al.: Roughness Index for Loss Landscapes of
    Neural Network Models of Partial Differential Equations (2023) build their index from the mean
    and variance over random directions of such a normalized total variation.
    """
    return _of_finite(lines, lambda v: np.abs(np.diff(v, axis=1)).sum(axis=1) / _range(v))


def second_difference_energy(lines: ArrayLike) -> Floats:
    """length^3 * integral of (d2f/dx2)^2 dx / (max - min)^2, by second differences.

    On P points this is (P - 1)^4 times the mean square of the second differences over the range
    squared: exact for a parabola (64 over its symmetric range, 4 for one side), 2 (k pi)^4 for k
    full periods of a cosine. 0 for a straight line.

    No unit; stretching the axis does not change it. As the grid gets finer it converges where the
    line is twice differentiable, but grows like 1 / spacing where it has a kink: doubling the
    points then doubles it. Rounding of the values adds about (P - 1)^4 times its share of the range
    squared. Fewer than three points have no second difference: NaN. It is the roughness penalty of
    smoothing splines (Reinsch 1967), made free of units.
    """

    def number(values: Floats) -> Floats:
        points = values.shape[1]
        if points < 3:
            return np.full(len(values), np.nan)
        bends = np.diff(values, n=2, axis=1) / _range(values)[:, None]
        return np.asarray((points - 1) ** 4 * np.mean(bends**2, axis=1))

    return _of_finite(lines, number)


def smad(lines: ArrayLike) -> Floats:
    """Mean of (saddle - minimum) / (max - min) over the minima other than the global one.

    On a line the saddle of a minimum is the lowest pass to a deeper one, so (saddle - minimum) is
    its persistence. 0 where there is one minimum. Minima whose persistence is rounding (below
    1e-6 of the line's largest absolute value) are left out. An end that lies lower than its
    neighbor is a minimum.

    Unit: the range of the line. A finer grid changes it little once every dip has samples of its
    own; stretching the axis does not change it. After the Saddle-Minimum Average Distance of the
    package Landscaper (Chen et al. 2026), which averages over the lowest pass out of every
    minimum, the global one included.
    """
    return _of_finite(lines, lambda v: _each(v, lambda line: _mean(lesser_heights(line))))


def local_minima(lines: ArrayLike, share: float = SHARE) -> Floats:
    """Number of local minima whose persistence exceeds `share` of the range.

    The global minimum counts (its persistence is the range), so there is at least one on a line
    that is not constant; a constant line has none: 0. An end that lies lower than its neighbor is a
    minimum. Persistence as in `persistence` (Edelsbrunner, Letscher, Zomorodian 2002).

    A count. A finer grid does not change it once every dip has samples of its own, stretching the
    axis never does; it changes with `share` and with the length of the line.
    """
    return _of_finite(lines, lambda v: _each(v, lambda line: minima_count(line, share)))


def negative_curvature_share(lines: ArrayLike) -> Floats:
    """Share of the interior points where f(x - h) - 2 f(x) + f(x + h) is below zero.

    Below what rounding could do, that is: below -1e-6 (|f(x - h)| + 2 |f(x)| + |f(x + h)|). 0 for
    every convex line.

    No unit, between 0 and 1. On a smooth line it converges as the grid gets finer, until second
    differences, which shrink like the square of the spacing, are lost in rounding. Stretching the
    axis does not change it. Fewer than three points have no second difference: NaN.
    """

    def number(values: Floats) -> Floats:
        if values.shape[1] < 3:
            return np.full(len(values), np.nan)
        size = np.abs(values)
        rounding = ROUNDING * (size[:, :-2] + 2 * size[:, 1:-1] + size[:, 2:])
        return np.asarray(np.mean(np.diff(values, n=2, axis=1) < -rounding, axis=1))

    return _of_finite(lines, number)


def kinks(lines: ArrayLike, share: float = SHARE) -> Kinks:
    """Number of jumps of slope, and the largest of them over (largest - smallest slope).

    A jump of slope leaves one large second difference, or shares it between two where it lies
    between samples. So a kink is counted, once, where two neighboring second differences together
    exceed 5 times the largest of the three on each side (and of what rounding could make), and the
    jump, less the curvature beside it, exceeds `share` of the range of slopes.

    What a grid can tell: a bend within about two intervals is a kink on it, and none on a finer
    one; a jump of less than about 3 times what curvature changes the slope within an interval is
    lost until the grid is finer. Kinks fewer than five samples apart may hide each other, as they
    do in noise, and none is seen within two samples of an end. A sinusoid is never counted, at
    whatever number of samples a period. A jump of the value itself between two samples looks like a
    steep ramp: two kinks.

    `number` is a count; the unit of `largest` is the range of slopes, between 0 and 1, and 0 where
    there is no kink. Neither changes with the axis; a finer grid leaves the kinks of a piecewise
    smooth line and brings `largest` closer to its limit. Fewer than six points can show none: NaN.
    """

    def number(values: Floats) -> Floats:
        if values.shape[1] < KINK_POINTS:
            return np.full((len(values), 2), np.nan)
        bends = np.diff(values, n=2, axis=1)
        before, first, second, after = (bends[:, i : i - 3 or None] for i in range(4))
        limit = STANDS_OUT * np.maximum(_beside(bends), _pair_rounding(values))
        ramp = (first * second < 0) & (np.minimum(np.abs(first), np.abs(second)) > limit)
        bend = ~ramp & (np.abs(first + second) > limit)
        either = np.maximum(np.abs(first), np.abs(second))
        jump = np.where(ramp, either, np.abs(first + second - before - after))
        slopes = np.ptp(np.diff(values, axis=1), axis=1)[:, None]
        size = np.where(ramp | bend, jump, 0.0) / np.where(slopes > 0, slopes, 1.0)
        ramp, bend = ramp & (size > share), bend & (size > share)
        # A kink on a sample stands out in two pairs, the one before it and the one after.
        again = np.pad(bend[:, :-1], ((0, 0), (1, 0)))
        count = np.sum(bend & ~again, axis=1) + 2 * np.sum(ramp, axis=1)
        largest = np.max(np.where(size > share, size, 0.0), axis=1)
        return np.stack([count, np.minimum(largest, 1.0)], axis=1)

    found = _of_finite(lines, number, 2)
    return Kinks(found[:, 0], found[:, 1])


def plateau_share(lines: ArrayLike, zero_gradient: ArrayLike | None = None) -> Floats:
    """Share of the line on which the gradient is zero.

    With `zero_gradient` (K, P), whether the gradient is zero at each point: the share of the points
    where it is, whatever their values. Without it the line itself must tell: the share of the
    intervals whose ends differ by rounding, that is by at most 1e-6 of the line's largest absolute
    value. A risk is computed in float32, so smaller differences say nothing; but a slope so gentle
    counts as flat too, and a flat line says nothing of the gradient across it.

    No unit, between 0 and 1. With `zero_gradient` a finer grid changes it by about 1 / P for each
    edge of a plateau; without it, also where intervals get so short that slopes are lost in
    rounding. Stretching the axis does not change it; the length of the line does. A single point
    has no interval: NaN without `zero_gradient`.
    """
    if zero_gradient is not None:
        return np.asarray(np.mean(np.asarray(zero_gradient, dtype=np.float64), axis=1))

    def number(values: Floats) -> Floats:
        if values.shape[1] < 2:
            return np.full(len(values), np.nan)
        rounding = ROUNDING * np.abs(values).max(axis=1, keepdims=True)
        return np.asarray(np.mean(np.abs(np.diff(values, axis=1)) <= rounding, axis=1))

    return _of_finite(lines, number)


def barrier_height(
    values: ArrayLike, coordinates: ArrayLike, drop: ArrayLike | None = None
) -> Floats:
    """max over t of f(t) - ((1 - t) f(0) + t f(1)): the hill between two solutions, at least 0.

    `values` (P,) or (K, P) is the risk on the way from one solution to another, `coordinates` (P,)
    runs from 0 to 1; the result has shape () or (K,). The chord between the ends is taken off, so
    that a worse solution at one end is no barrier; Frankle et al.: Linear Mode Connectivity and the
    Lottery Ticket Hypothesis (2020) take off the mean of the ends, which is the same where these
    are equal, and Draxler et al.: Essentially No Barriers in Neural Network Energy Landscape (2018)
    look for paths on which there is none. The chord is that of Entezari et al.: The Role of
    Permutation Invariance in Linear Mode Connectivity of Neural Networks (2022).

    Unit: that of the loss, so multiplying the loss multiplies it; with a `drop`, initial risk -
    risk of a solution, () or (K,), the drop, and NaN where that is not positive. A constant, the
    direction of travel and stretching the axis do not change it. It is looked for on the grid, so
    that it can only grow as points are added. An infinite value in between is an infinite barrier;
    an end that is not finite, or any NaN, gives NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    x = np.asarray(coordinates, dtype=np.float64)
    _check(values, x)
    first, last = values[..., :1], values[..., -1:]
    # An end that is not finite meets a zero weight at the other end, which makes NaN.
    with np.errstate(invalid="ignore", over="ignore"):
        t = (x - x[0]) / (x[-1] - x[0])
        height = np.max(values - ((1 - t) * first + t * last), axis=-1)
        if drop is not None:
            unit = np.asarray(drop, dtype=np.float64)
            height = height / np.where(np.isfinite(unit) & (unit > 0), unit, np.nan)
    return np.asarray(height)


def describe_lines(
    lines: ArrayLike,
    coordinates: ArrayLike,
    center: float,
    initial: float,
    zero_gradient: ArrayLike | None = None,
) -> dict[str, Floats]:
    """Every number of every line, (K,) each, under the names that `DEFINITIONS` explains.

    `center` and `initial` are the risk of the trained and of the untrained point.
    """
    width, bounded = basin_width(lines, coordinates, center, initial)
    number, largest = kinks(lines)
    return {
        "relative_rise": relative_rise(lines, center, initial),
        "basin_width": width,
        "basin_bounded": np.where(np.isnan(width), np.nan, bounded),
        "asymmetry": asymmetry(lines, coordinates),
        "roughness": roughness(lines),
        "normalized_variation": normalized_variation(lines),
        "second_difference_energy": second_difference_energy(lines),
        "smad": smad(lines),
        "local_minima": local_minima(lines),
        "negative_curvature_share": negative_curvature_share(lines),
        "kinks": number,
        "largest_kink": largest,
        "plateau_share": plateau_share(lines, zero_gradient),
    }


DEFINITIONS = {
    "relative_rise": (
        "(mean risk of the line's two ends - risk at the center) / (initial risk - risk at the "
        "center), in drops of training."
    ),
    "basin_width": (
        f"Length around the center on which the risk rises by at most {LEVEL:g} of the drop of "
        "training, both sides added, in units of the axis; a lower bound where the line ends first."
    ),
    "basin_bounded": (
        "1 where the risk rises above that level on both sides, so that the basin width is exact, "
        "0 where it is a lower bound; over several lines, the share."
    ),
    "asymmetry": (
        "|A - B| / (|A| + |B|) with A and B the mean rise over the center on either side, from 0 "
        "for an even line to 1."
    ),
    "roughness": (
        "(total variation - (first + last - 2 min)) / (max - min), in ranges of the line: 0 for a "
        "single valley, 2 h / (max - min) more for each further dip of depth h."
    ),
    "normalized_variation": (
        "Total variation / (max - min), in ranges of the line: 1 for a monotone line, 2 for an "
        "even valley."
    ),
    "second_difference_energy": (
        "length^3 * integral of the squared second derivative / (max - min)^2 by second "
        "differences, without unit: 64 for a parabola, growing like 1 / spacing at a kink."
    ),
    "smad": (
        "Mean of (saddle - minimum) / (max - min) over the minima other than the global one, in "
        "ranges of the line: 0 where there is one minimum."
    ),
    "local_minima": (
        f"Number of local minima whose persistence exceeds {SHARE:g} of the range, ends and the "
        "global minimum included: 0 only for a constant line."
    ),
    "negative_curvature_share": (
        "Share of the interior points whose second difference is below zero by more than rounding, "
        "from 0 (every convex line) to 1."
    ),
    "kinks": (
        f"Number of places where two neighboring second differences exceed {STANDS_OUT:g} times "
        "those beside them: jumps of slope, as far as the grid can tell them from tight bends."
    ),
    "largest_kink": (
        "Largest jump of slope / (largest - smallest slope of the line), from 0 (no kink) to 1."
    ),
    "plateau_share": (
        "Share of the points where the gradient is zero, from 0 to 1; where gradients were not "
        "measured, share of the intervals whose ends differ by less than 1e-6 of the largest "
        "absolute value of the line."
    ),
    "barrier_height": (
        "max over t of f(t) - ((1 - t) f(0) + t f(1)) on the way from one solution to another, in "
        "units of the loss, or in drops of training where one is given."
    ),
}


def _of_finite(
    lines: ArrayLike, number: Callable[[Floats], Floats], *columns: int
) -> NDArray[np.float64]:
    """`number` of the lines that are finite throughout, NaN for the others."""
    lines = np.asarray(lines, dtype=np.float64)
    result = np.full((len(lines), *columns), np.nan)
    finite = np.isfinite(lines).all(axis=1)
    if finite.any():
        with np.errstate(over="ignore", invalid="ignore"):
            result[finite] = number(lines[finite])
    return result


def _range(values: Floats) -> Floats:
    """max - min of each line; infinite where it is rounding, so that what it divides becomes 0."""
    span = np.ptp(values, axis=1)
    return np.where(span <= ROUNDING * np.abs(values).max(axis=1), np.inf, span)


def _each(values: Floats, number: Callable[[Floats], float]) -> Floats:
    return np.array([number(line) for line in values])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def _check(lines: Floats, coordinates: Floats) -> None:
    if coordinates.shape != lines.shape[-1:]:
        raise ValueError(f"{lines.shape[-1]} points a line, but coordinates {coordinates.shape}")


def _sides(lines: Floats, coordinates: ArrayLike) -> tuple[tuple[Floats, Floats], ...]:
    """Values and distances of the left and the right side, both from the center outwards."""
    x = np.asarray(coordinates, dtype=np.float64)
    _check(lines, x)
    middle = len(x) // 2
    left, right = lines[:, middle::-1], lines[:, middle:]
    return (left, x[middle] - x[middle::-1]), (right, x[middle:] - x[middle])


def _reach(rises: Floats, distance: Floats, level: float) -> tuple[Floats, NDArray[np.bool_]]:
    """How far one may walk before the rise exceeds the level, and whether it ever does."""
    # NaN is not within any level, so the walk ends there.
    outside = ~(rises <= level)
    met = np.asarray(outside.any(axis=1))
    after = outside.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(rises))
    low, high = rises[rows, before], rises[rows, after]
    share = np.where(after == 0, 0.0, (level - low) / np.where(after == 0, 1.0, high - low))
    reach = distance[before] + share * (distance[after] - distance[before])
    return np.where(met, np.where(np.isnan(high), np.nan, reach), distance[-1]), met


def _risk_at(lines: Floats, coordinates: ArrayLike, position: float) -> Floats:
    """Values at a coordinate by linear interpolation, NaN outside of the line."""
    x = np.asarray(coordinates, dtype=np.float64)
    _check(lines, x)
    # Coordinates are float32: 0.1 is met although it is not hit.
    near = ROUNDING * np.ptp(x)
    sample = int(np.argmin(np.abs(x - position)))
    if abs(x[sample] - position) <= near:
        return lines[:, sample]
    if not x[0] < position < x[-1]:
        return np.full(len(lines), np.nan)
    after = int(np.searchsorted(x, position))
    share = (position - x[after - 1]) / (x[after] - x[after - 1])
    with np.errstate(invalid="ignore"):
        return (1 - share) * lines[:, after - 1] + share * lines[:, after]


def _beside(bends: Floats) -> Floats:
    """Largest absolute second difference among the three on each side of every inner pair."""
    reach = NEIGHBORS - 1
    padded = np.pad(np.abs(bends), ((0, 0), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBORS + 2, axis=1)
    outer = [*range(NEIGHBORS), *range(NEIGHBORS + 2, 2 * NEIGHBORS + 2)]
    return np.asarray(windows[:, :, outer].max(axis=2))


def _pair_rounding(values: Floats) -> Floats:
    """What rounding of the values can make of the sum of every inner pair of second differences."""
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(values), 4, axis=1)
    return np.asarray(ROUNDING * windows[:, 1:-1].sum(axis=2))

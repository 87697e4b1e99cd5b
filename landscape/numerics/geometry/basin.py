"""How far the risk rises around the trained point, and how wide and how even its basin is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from landscape.numerics.geometry.line_arrays import Floats, checked_coordinates, of_finite
from landscape.numerics.geometry.persistence import ROUNDING

# The rise, in drops of training, up to which a point belongs to the basin.
LEVEL = 0.1


class Basin(NamedTuple):
    """Width of the basin of each line, and whether the line leaves it on both sides."""

    width: Floats
    bounded: NDArray[np.bool_]


def achieved_drop(center: float, initial: float) -> float:
    """Initial risk - risk at the center: the unit of height. NaN if training achieved no drop.

    It is the one scale that every run has in its own loss: dividing by the risk at the center
    alone would explode for losses that reach zero and change sign for losses below it. A drop that
    is rounding counts as no drop.
    """
    drop = float(initial) - float(center)
    achieved = np.isfinite(drop) and drop > ROUNDING * max(abs(initial), abs(center))
    return drop if achieved else np.nan


def relative_rise(
    lines: ArrayLike,
    center: float,
    initial: float,
    *,
    coordinates: ArrayLike | None = None,
    radius: float | None = None,
) -> Floats:
    """(mean risk at both ends - risk at the center) / (initial risk - risk at the center).

    `center` is the risk of the trained point, `initial` the risk of the same run before training,
    both over the same examples as the lines. 1 means that moving to the end of the line undoes, on
    average, all that training achieved; 0 is a flat line, and below 0 the line leads further down.
    With `coordinates` and a `radius` the points at -radius and radius replace the ends, by linear
    interpolation between samples. NaN if training achieved no drop or the radius exceeds the line.

    Unit: drops of training
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: values at the two ends alone; NaN or infinite if they are
    Source: this project
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


def basin(
    lines: ArrayLike, coordinates: ArrayLike, center: float, initial: float, level: float = LEVEL
) -> Basin:
    """Returns the interval around the center on which the rise is at most `level` drops.

    From the center outwards, each side separately, to where (risk - center) / (initial - center)
    first exceeds `level`, by linear interpolation between samples; the two distances are added. It
    is measured from the center even if the line has its minimum elsewhere. A side that never rises
    that far counts up to the end of the line, and `bounded` is False. The width is NaN and not
    bounded if training achieved no drop or a NaN comes before the rise; an infinite value lies
    above every level. A finer grid changes the width of a parabola by at most
    spacing^2 / (8 distance) per side.
    """
    lines = np.asarray(lines, dtype=np.float64)
    drop = achieved_drop(center, initial)
    with np.errstate(invalid="ignore", over="ignore"):
        rises = (lines - center) / drop
        distances, exits = zip(
            *(_exit(side, distance, level) for side, distance in _sides(rises, coordinates)),
            strict=True,
        )
        width = np.asarray(sum(distances))
    return Basin(width, np.logical_and(*exits) & ~np.isnan(width))


def basin_width(
    lines: ArrayLike, coordinates: ArrayLike, center: float, initial: float, level: float = LEVEL
) -> Floats:
    """Length around the center on which the risk rises by at most 0.1 of the drop of training.

    Both sides of the center added, by linear interpolation between samples; see `basin`. A lower
    bound if the line ends first.

    Unit: coordinates
    Unchanged by: scale, offset, grid, reversal
    Changed by: axis: in proportion; NaN if a NaN comes before the rise
    Source: in the spirit of Hochreiter and Schmidhuber, Flat Minima, 1997
    """
    return basin(lines, coordinates, center, initial, level).width


def basin_bounded(
    lines: ArrayLike, coordinates: ArrayLike, center: float, initial: float, level: float = LEVEL
) -> Floats:
    """1 if the risk rises above the level of the basin on both sides, 0 if the line ends first.

    0 means that `basin_width` is a lower bound.

    Unit: share of lines
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: the length of the line
    Source: this project
    """
    width, bounded = basin(lines, coordinates, center, initial, level)
    return np.where(np.isnan(width), np.nan, bounded)


def asymmetry(lines: ArrayLike, coordinates: ArrayLike) -> Floats:
    """|A - B| / (|A| + |B|) with A and B the mean rise over the center on either side of it.

    Mean rise of a side: integral of (risk - risk at the center) by the trapezoid rule over the
    side's length. 0 for an even line, 1 if one side is flat on average while the other rises, or
    one falls while the other rises. The sides are interchangeable, since the sign of a random
    direction is arbitrary. If both mean rises are rounding, 0.

    Unit: 0 to 1
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: the position of the center; the length of the line
    Source: motivated by He, Huang, Yuan, Asymmetric Valleys, 2019
    """

    def number(values: Floats) -> Floats:
        means = []
        for side, distance in _sides(values, coordinates):
            area = np.trapezoid(side - side[:, :1], distance, axis=1)
            means.append(area / (distance[-1] or 1.0))
        total = np.abs(means[0]) + np.abs(means[1])
        even = total <= ROUNDING * np.abs(values).max(axis=1)
        return np.abs(means[0] - means[1]) / np.where(even, np.inf, total)

    return of_finite(lines, number)


def border_rise(plane: ArrayLike, center: float, initial: float) -> float:
    """(mean risk of the border cells - risk at the center) / (initial risk - risk at the center).

    The `relative_rise` of a plane: 1 means that moving to the border undoes, on average, all that
    training achieved. NaN if training achieved no drop.

    Unit: drops of training
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: the border cells alone; NaN or infinite if they are
    Source: this project
    """
    plane = np.asarray(plane, dtype=np.float64)
    inner = np.zeros(plane.shape, dtype=bool)
    inner[1:-1, 1:-1] = True
    with np.errstate(invalid="ignore", over="ignore"):
        return float((plane[~inner].mean() - center) / achieved_drop(center, initial))


def basin_share(plane: ArrayLike, center: float, initial: float, level: float = LEVEL) -> float:
    """Share of the cells reachable from the center without rising by more than 0.1 of the drop.

    Cells with (risk - center) / (initial - center) <= level that are connected to the center over
    any of 8 neighbors; cells that are not finite never are. The `basin_width` of a plane. NaN if
    training achieved no drop or the center is NaN.

    Unit: 0 to 1
    Unchanged by: scale, offset, grid, axis, reversal
    Changed by: the level
    Source: this project
    """
    plane = np.asarray(plane, dtype=np.float64)
    middle = plane.shape[0] // 2, plane.shape[1] // 2
    with np.errstate(invalid="ignore", over="ignore"):
        rises = (plane - center) / achieved_drop(center, initial)
    if np.isnan(rises[middle]):
        return np.nan
    pools, _ = ndimage.label(np.isfinite(rises) & (rises <= level), structure=np.ones((3, 3)))
    return float(np.mean(pools == pools[middle])) if pools[middle] else 0.0


def _sides(lines: Floats, coordinates: ArrayLike) -> tuple[tuple[Floats, Floats], ...]:
    """Values and distances of the left and the right side, both from the center outwards."""
    x = checked_coordinates(lines, coordinates)
    middle = len(x) // 2
    left, right = lines[:, middle::-1], lines[:, middle:]
    return (left, x[middle] - x[middle::-1]), (right, x[middle:] - x[middle])


def _exit(rises: Floats, distance: Floats, level: float) -> tuple[Floats, NDArray[np.bool_]]:
    """The distance at which the rise first exceeds the level, and whether it ever does."""
    # NaN is not within any level, so the basin ends there.
    outside = ~(rises <= level)
    exits = np.asarray(outside.any(axis=1))
    after = outside.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(rises))
    low, high = rises[rows, before], rises[rows, after]
    share = np.where(after == 0, 0.0, (level - low) / np.where(after == 0, 1.0, high - low))
    reach = distance[before] + share * (distance[after] - distance[before])
    return np.where(exits, np.where(np.isnan(high), np.nan, reach), distance[-1]), exits


def _risk_at(lines: Floats, coordinates: ArrayLike, position: float) -> Floats:
    """Values at a coordinate by linear interpolation, NaN outside of the line."""
    x = checked_coordinates(lines, coordinates)
    # Coordinates are float32, so 0.1 is only nearly a sample.
    tolerance = ROUNDING * np.ptp(x)
    sample = int(np.argmin(np.abs(x - position)))
    if abs(x[sample] - position) <= tolerance:
        return lines[:, sample]
    if not x[0] < position < x[-1]:
        return np.full(len(lines), np.nan)
    after = int(np.searchsorted(x, position))
    share = (position - x[after - 1]) / (x[after] - x[after - 1])
    with np.errstate(invalid="ignore"):
        return (1 - share) * lines[:, after - 1] + share * lines[:, after]

"""Reads the curves of an audit, breaks them at jumps and kinks, and frames them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.report.figures.view import Array
from landscape.storage.audit_records import (
    Audit,
    AuditRecord,
    CurveMark,
    Interval,
    LossCurve,
    LossShapes,
)

QUANTITIES = ("value", "gradient")
# Findings at which the value or the gradient has no two-sided limit, so that the line is broken.
BREAKS = {
    "value": frozenset({"D101", "N301", "N302"}),
    "gradient": frozenset({"D101", "D102", "N301", "N302"}),
}
# Larger numbers are clipped to this, so that differences and slopes do not overflow.
_MAX_DRAWABLE = 1e200
# A curve is cut if it deviates from its median by more than this many typical deviations ...
_OUTLIER = 15.0
# ... and then shown up to this many.
_CUT = 12.0
# No curve of several may stretch the frame beyond this many times the median extent.
_EXTENT_FACTOR = 2.5
# Neighboring panels share a frame, unless one of them would fill less than this share of it.
_MIN_FILL = 0.2
_PADDING = 0.1
# How far beyond the frame lines are drawn, in frame heights: enough to look vertical.
_OVERSHOOT = 20.0


class Curve(NamedTuple):
    """Value and gradient against one prediction, with the spans and marks of the audit."""

    label: str
    x_label: str
    x: Array
    value: Array
    gradient: Array
    spans: Mapping[str, tuple[Interval, ...]]
    marks: tuple[CurveMark, ...]

    def of(self, quantity: str) -> Array:
        """Returns the value or the gradient."""
        return self.value if quantity == "value" else self.gradient

    def cuts(self, quantity: str) -> list[float]:
        """Returns where the line of the quantity (`value` or `gradient`) is broken."""
        return sorted({mark.x for mark in self.marks if mark.code in BREAKS[quantity]})


class GapCircle(NamedTuple):
    """A circle at a gap: a one-sided limit, or the value of the function there (`sampled`)."""

    x: float
    y: float
    sampled: bool


def drawable(values: ArrayLike) -> Array:
    """Converts to float64 and clips finite values to what can be drawn."""
    array = np.asarray(values, np.float64)
    return np.where(np.isfinite(array), np.clip(array, -_MAX_DRAWABLE, _MAX_DRAWABLE), array)


def curves(audit: AuditRecord) -> list[Curve]:
    """Returns one curve per target, in the order of the audit; none below two points."""
    shapes = audit.shapes if isinstance(audit, Audit) else None
    if shapes is None or len(shapes.x) < 2:
        return []
    return [_curve(line, shapes) for line in shapes.lines]


def _curve(line: LossCurve, shapes: LossShapes) -> Curve:
    x = drawable(shapes.x)
    spans = {}
    for name in ("dead", "idle", "saturated"):
        ends = np.clip(np.reshape(getattr(line, name), (-1, 2)).astype(float), x[0], x[-1])
        spans[name] = tuple((float(low), float(high)) for low, high in ends)
    marks = tuple(mark for mark in line.marks if x[0] <= mark.x <= x[-1])
    value, gradient = drawable(line.value), drawable(line.gradient)
    return Curve(line.label, shapes.x_label, x, value, gradient, spans, marks)


def _is_at(x: Array, point: float) -> NDArray[np.bool_]:
    """Returns which samples equal this point up to rounding."""
    return np.abs(x - point) <= 1e-9 * (x[-1] - x[0])


def _pieces(x: Array, y: Array, cuts: Sequence[float]) -> tuple[list[Array], list[Array]]:
    """Splits the samples at the cuts; samples at a cut belong to neither side."""
    at_cut = np.zeros(len(x), dtype=bool)
    for cut in cuts:
        at_cut |= _is_at(x, cut)
    indices = np.searchsorted(x[~at_cut], cuts)
    return np.split(x[~at_cut], indices), np.split(y[~at_cut], indices)


def _limit(x: Array, y: Array, cut: float) -> float:
    """Extrapolates to the cut from the last two samples, the nearest one last."""
    known = np.isfinite(y[-2:])
    if not len(y) or not known[-1]:
        return np.nan
    if not known.all() or len(y) < 2:
        return float(y[-1])
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    return float(y[-1] + slope * (cut - x[-1]))


def with_gaps(x: Array, y: Array, cuts: Sequence[float]) -> tuple[Array, Array]:
    """Returns the line extrapolated to each cut from both sides, with NaN between the sides."""
    ends = [np.nan, *cuts, np.nan]
    parts_x, parts_y = [np.empty(0)], [np.empty(0)]
    for part_x, part_y, start, end in zip(*_pieces(x, y, cuts), ends, ends[1:], strict=False):
        if len(part_x):
            first = _limit(part_x[::-1], part_y[::-1], start)
            parts_x.append(np.concatenate([[start], part_x, [end, np.nan]]))
            parts_y.append(np.concatenate([[first], part_y, [_limit(part_x, part_y, end), np.nan]]))
    line_x, line_y = np.concatenate(parts_x), np.concatenate(parts_y)
    drawn = np.isfinite(line_x) & np.isfinite(line_y)
    return np.where(drawn, line_x, np.nan), np.where(drawn, line_y, np.nan)


def gap_circles(curve: Curve, quantity: str) -> list[GapCircle]:
    """Returns the circles at the gaps, as in textbooks; a limit that is attained has none."""
    y, cuts = curve.of(quantity), curve.cuts(quantity)
    pieces = list(zip(*_pieces(curve.x, y, cuts), strict=True))
    low, high = axis_limits([y])
    circles = []
    for cut, (left_x, left), (right_x, right) in zip(cuts, pieces, pieces[1:], strict=False):
        sampled = y[_is_at(curve.x, cut)][:1]
        for limit in _limit(left_x, left, cut), _limit(right_x[::-1], right[::-1], cut):
            attained = len(sampled) and abs(limit - sampled[0]) <= 0.01 * (high - low)
            if np.isfinite(limit) and not attained:
                circles.append(GapCircle(cut, limit, False))
        circles += [GapCircle(cut, float(value), True) for value in sampled if np.isfinite(value)]
    return [circle for circle in circles if low <= circle.y <= high]


def axis_limits(lines: Sequence[Array]) -> Interval:
    """Returns axis limits that show the shape of every line despite outliers and infinities.

    A line is cut at 12 typical deviations from its median (third quartile of the nonzero ones) if
    it exceeds 15, and at 2.5 times the median extent of all lines.
    """
    return _padded(_extent(lines))


def common_frames(rows: Sequence[Sequence[Array]], zero: bool) -> list[Interval]:
    """Returns limits for neighboring panels: common ones, unless they would flatten a panel.

    With `zero`, all limits contain zero.
    """
    extents = [_extent(lines) for lines in rows]
    if zero:
        extents = [(min(low, 0.0), max(high, 0.0)) for low, high in extents]
    low, high = min(extent[0] for extent in extents), max(extent[1] for extent in extents)
    if all(not 0 < extent[1] - extent[0] < _MIN_FILL * (high - low) for extent in extents):
        return [_padded((low, high))] * len(extents)
    return [_padded(extent) for extent in extents]


def _padded(limits: Interval) -> Interval:
    low, high = limits
    padding = _PADDING * (high - low) or max(0.5 * abs(high), 1.0)
    return low - padding, high + padding


def _extent(lines: Sequence[Array]) -> Interval:
    """Returns the range to show for all lines together."""
    ranges = [_range_and_median(line) for line in lines if np.isfinite(line).any()]
    if not ranges:
        return 0.0, 0.0
    low, high = min(bounds[0] for bounds in ranges), max(bounds[1] for bounds in ranges)
    center = float(np.median([bounds[2] for bounds in ranges]))
    extent = _EXTENT_FACTOR * float(
        np.median([max(bounds[1] - center, center - bounds[0]) for bounds in ranges])
    )
    if len(ranges) > 2 and extent > 0:
        low, high = max(low, center - extent), min(high, center + extent)
    return low, high


def _range_and_median(line: Array) -> tuple[float, float, float]:
    """Returns the lowest and highest value of a line to show, and its median."""
    finite = line[np.isfinite(line)]
    middle = float(np.median(finite))
    deviation = np.abs(finite - middle)
    low, high = float(finite.min()), float(finite.max())
    if not deviation.any():
        return low, high, middle
    typical = float(np.percentile(deviation[deviation > 0], 75))
    if deviation.max() > _OUTLIER * typical:
        reach = _CUT * typical
        low, high = max(low, middle - reach), min(high, middle + reach)
    return low, high, middle


def share_outside(lines: Sequence[Array], limits: Interval) -> float:
    """Returns the share of the points beyond the limits, without NaN."""
    all_values = np.concatenate([line[~np.isnan(line)] for line in lines])
    if not len(all_values):
        return 0.0
    return float(np.mean((all_values < limits[0]) | (all_values > limits[1])))


def clip_line(line: Array, limits: Interval) -> Array:
    """Clips a line far outside the frame, where renderers would overflow."""
    height = limits[1] - limits[0]
    return np.clip(line, limits[0] - _OVERSHOOT * height, limits[1] + _OVERSHOOT * height)

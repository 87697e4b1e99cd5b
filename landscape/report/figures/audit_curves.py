"""The curves of an audit: read from its plain JSON, broken at jumps and kinks, and framed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from landscape.report.figures.view import Array

Interval = tuple[float, float]
# Where the value and the gradient have no limit from both sides, so that no line may cross.
BREAKS = {
    "value": frozenset({"D101", "N301", "N302"}),
    "gradient": frozenset({"D101", "D102", "N301", "N302"}),
}
# Larger numbers are drawn as this one, so that differences and slopes do not overflow.
_HUGE = 1e200
# A curve is cut where it runs further from its median than this many typical deviations ...
_FAR = 15.0
# ... and then shown up to this many.
_SHOWN = 12.0
# Of several curves none may stretch the frame beyond this many reaches of the middle one.
_TALLER = 2.5
# Panels side by side share a frame, unless one of them would fill less than this share of it.
_FLAT = 0.2
_PADDING = 0.1
# How far beyond the frame a line is drawn, in heights of the frame: enough to look vertical.
_BEYOND = 20.0


class Mark(NamedTuple):
    """A suspect point, with the code of its finding."""

    x: float
    code: str


class Curve(NamedTuple):
    """Value and gradient against one prediction, and the intervals that the audit found."""

    label: str
    x_label: str
    x: Array
    value: Array
    gradient: Array
    spans: Mapping[str, tuple[Interval, ...]]
    marks: tuple[Mark, ...]

    def cuts(self, what: str) -> list[float]:
        """Where the line of `what` (value or gradient) is broken."""
        return sorted({mark.x for mark in self.marks if mark.code in BREAKS[what]})


class End(NamedTuple):
    """A circle at a gap: the limit of one side, or (`sampled`) what the function gives there."""

    x: float
    y: float
    sampled: bool


def numbers(entries: Iterable[Any]) -> Array:
    """Floats; JSON has no infinity and no NaN, so they arrive as text or as null."""
    found = np.array([np.nan if entry is None else float(entry) for entry in entries], np.float64)
    return np.where(np.isfinite(found), np.clip(found, -_HUGE, _HUGE), found)


def curves(audit: Mapping[str, Any]) -> list[Curve]:
    """One curve a target, in the order of the audit; none where there are not two points."""
    shapes = audit.get("shapes") or {}
    if len(shapes.get("x") or ()) < 2:
        return []
    return [_curve(line, shapes) for line in shapes.get("lines") or []]


def _curve(line: Mapping[str, Any], shapes: Mapping[str, Any]) -> Curve:
    x = numbers(shapes["x"])
    spans = {
        name: tuple(
            (float(low), float(high)) for low, high in np.clip(_pairs(line, name), x[0], x[-1])
        )
        for name in ("dead", "idle", "saturated")
    }
    marks = (Mark(float(mark["x"]), str(mark["code"])) for mark in line.get("marks") or ())
    inside = tuple(mark for mark in marks if x[0] <= mark.x <= x[-1])
    value, gradient = numbers(line["value"]), numbers(line["gradient"])
    return Curve(
        str(line["label"]), str(shapes.get("x_label", "")), x, value, gradient, spans, inside
    )


def _pairs(line: Mapping[str, Any], name: str) -> Array:
    return np.array([numbers(pair) for pair in line.get(name) or ()]).reshape(-1, 2)


def _at(x: Array, point: float) -> NDArray[np.bool_]:
    """Which samples are this point, but for rounding."""
    return np.abs(x - point) <= 1e-9 * (x[-1] - x[0])


def _pieces(x: Array, y: Array, cuts: Sequence[float]) -> list[tuple[Array, Array]]:
    """The samples strictly between the cuts; those at a cut belong to neither side."""
    at = np.zeros(len(x), dtype=bool)
    for cut in cuts:
        at |= _at(x, cut)
    places = np.searchsorted(x[~at], cuts)
    return list(zip(np.split(x[~at], places), np.split(y[~at], places), strict=True))


def _limit(x: Array, y: Array, cut: float) -> float:
    """The value toward which the two samples next to the cut lead, the nearest one last."""
    known = np.isfinite(y[-2:])
    if not len(y) or not known[-1]:
        return np.nan
    if not known.all() or len(y) < 2:
        return float(y[-1])
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    return float(y[-1] + slope * (cut - x[-1]))


def gapped(x: Array, y: Array, cuts: Sequence[float]) -> tuple[Array, Array]:
    """The line to draw: led up to each cut from both sides, NaN between, NaN where not finite."""
    ends = [np.nan, *cuts, np.nan]
    parts_x, parts_y = [np.empty(0)], [np.empty(0)]
    for index, (there, heights) in enumerate(_pieces(x, y, cuts)):
        start, end = ends[index], ends[index + 1]
        if len(there):
            first, last = _limit(there[::-1], heights[::-1], start), _limit(there, heights, end)
            parts_x.append(np.concatenate([[start], there, [end, np.nan]]))
            parts_y.append(np.concatenate([[first], heights, [last, np.nan]]))
    line_x, line_y = np.concatenate(parts_x), np.concatenate(parts_y)
    drawn = np.isfinite(line_x) & np.isfinite(line_y)
    return np.where(drawn, line_x, np.nan), np.where(drawn, line_y, np.nan)


def ends(curve: Curve, what: str) -> list[End]:
    """As in textbooks: where a side leads at each gap, unless the point itself lies there too."""
    y, cuts = getattr(curve, what), curve.cuts(what)
    pieces = _pieces(curve.x, y, cuts)
    low, high = frame([y])
    found = []
    for index, cut in enumerate(cuts):
        (left_x, left), (right_x, right) = pieces[index], pieces[index + 1]
        sampled = y[_at(curve.x, cut)][:1]
        for limit in _limit(left_x, left, cut), _limit(right_x[::-1], right[::-1], cut):
            taken = len(sampled) and abs(limit - sampled[0]) <= 0.01 * (high - low)
            if np.isfinite(limit) and not taken:
                found.append(End(cut, limit, False))
        found += [End(cut, float(at), True) for at in sampled if np.isfinite(at)]
    return [end for end in found if low <= end.y <= high]


def frame(lines: Sequence[Array]) -> Interval:
    """Limits of an axis that show every line's shape, whatever runs away or is not finite.

    A line is cut where it goes more than 15 typical deviations (the third quartile of those that
    are not zero) from its median, and one that is 2.5 times as tall as the middle one is cut too.
    """
    return _padded(_extent(lines))


def framed(rows: Sequence[Sequence[Array]], zero: bool) -> list[Interval]:
    """Limits for panels side by side: the same for all, unless that would flatten one of them.

    Where `zero`, zero is always in sight.
    """
    own = [_extent(lines) for lines in rows]
    if zero:
        own = [(min(low, 0.0), max(high, 0.0)) for low, high in own]
    low, high = min(one[0] for one in own), max(one[1] for one in own)
    if all(not 0 < one[1] - one[0] < _FLAT * (high - low) for one in own):
        return [_padded((low, high))] * len(own)
    return [_padded(one) for one in own]


def _padded(limits: Interval) -> Interval:
    low, high = limits
    room = _PADDING * (high - low) or max(0.5 * abs(high), 1.0)
    return low - room, high + room


def _extent(lines: Sequence[Array]) -> Interval:
    """What to show of all lines together."""
    seen = [_shown(line) for line in lines if np.isfinite(line).any()]
    if not seen:
        return 0.0, 0.0
    low, high = min(one[0] for one in seen), max(one[1] for one in seen)
    center = float(np.median([one[2] for one in seen]))
    reach = _TALLER * float(np.median([max(one[1] - center, center - one[0]) for one in seen]))
    if len(seen) > 2 and reach > 0:
        low, high = max(low, center - reach), min(high, center + reach)
    return low, high


def _shown(line: Array) -> tuple[float, float, float]:
    """The lowest and highest value to show of a line, and its median."""
    finite = line[np.isfinite(line)]
    middle = float(np.median(finite))
    away = np.abs(finite - middle)
    low, high = float(finite.min()), float(finite.max())
    if not away.any():
        return low, high, middle
    typical = float(np.percentile(away[away > 0], 75))
    if away.max() > _FAR * typical:
        low, high = max(low, middle - _SHOWN * typical), min(high, middle + _SHOWN * typical)
    return low, high, middle


def outside(lines: Sequence[Array], limits: Interval) -> float:
    """The share of the points of all lines that lie beyond the limits; NaN lies nowhere."""
    everything = np.concatenate([line[~np.isnan(line)] for line in lines])
    if not len(everything):
        return 0.0
    return float(np.mean((everything < limits[0]) | (everything > limits[1])))


def held(line: Array, limits: Interval) -> Array:
    """The line at most some heights of the frame outside it: renderers overflow further out."""
    height = limits[1] - limits[0]
    return np.clip(line, limits[0] - _BEYOND * height, limits[1] + _BEYOND * height)

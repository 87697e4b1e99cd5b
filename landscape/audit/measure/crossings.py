"""Finds where operations switch, and how smooth the function is at each switch.

Walks a line until a state changes, bisects the change down to neighboring float64 numbers, and
compares the value and three derivatives on both sides. How a difference shrinks with the step
decides: a jump keeps its height, a steep slope does not.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.probes import Derivatives, Probe
from landscape.audit.measure.walks import Line

Array = np.ndarray
STEPS = 10.0 ** -np.arange(1.0, 10.0)  # 1e-1 … 1e-9
JUMP, KINK, SECOND, THIRD, SMOOTH = 0, 1, 2, 3, 4
UNCLEAR, EDGE = -1, -2  # between a jump and a slope; a side on which the function is not finite
CODES = {JUMP: "D101", KINK: "D102", SECOND: "D103", THIRD: "D103"}  # of the orders that break it
_MAX_PER_SITE = 6  # crossings per site and target,
_MAX_PER_LINE = 3  # per state and line,
_MAX_TOTAL = 160  # and per search
_PARTS = 8  # of an interval per round of the bisection


class Candidate(NamedTuple):
    """A point at which a site may switch along a unit direction.

    `tie`: the state at the point itself is that of neither side.
    """

    site: int
    point: Array
    tie: bool
    unit: Array


class Crossing(NamedTuple):
    """A switch of a site, and the function on its two sides.

    `order` is that of the lowest derivative that jumps, 0 for the value, and `size` the height of
    that jump. `left` and `right` are value and derivatives at `point -+ STEPS * unit`, `center`
    those that autodiff gives at the point, which is met exactly if it is a `tie`. `switched` are
    all sites whose states differ between the two sides.
    """

    site: int
    point: Array
    tie: bool
    unit: Array
    target: Target
    left: Array
    right: Array
    center: Array
    order: int
    size: float
    switched: frozenset[int]


class Scale(NamedTuple):
    """Typical magnitudes of the value and its first three derivatives along a direction."""

    levels: Array

    def level(self, order: int) -> float:
        """Returns the magnitude to compare a derivative with, never less than a typical slope."""
        return float(max(self.levels[order], self.levels[1] if order else 0.0))


def typical_scale(derivatives: Derivatives) -> Scale:
    """Returns the spread of the values of a sample, and the medians of the derivatives."""
    value = derivatives.value[np.isfinite(derivatives.value)]
    spread = _median(np.abs(value - _median(value)))
    slopes = derivatives.first, derivatives.second, derivatives.third
    return Scale(np.array([spread, *(_median(np.abs(d)) for d in slopes)]))


def _median(values: Array) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else 0.0


class _Change(NamedTuple):
    """Two steps of a line between which a state changes."""

    line: Line
    state: int
    low: float
    high: float

    @property
    def target(self) -> Target:
        return self.line.target


def find_crossings(
    probe: Probe, lines: Sequence[Line], scale: Scale, *, trusted: bool
) -> tuple[list[Crossing], set[int]]:
    """Returns the crossings along the lines, and the positions of all sites that changed state.

    If autodiff is not `trusted`, slopes are taken from values: only jumps and kinks are found.
    """
    changes, moved = _changes(probe, lines)
    crossings = []
    for target, group in _by_target(changes):
        low, high = _bisect(probe, target, group)
        points, ties = _ties(probe, target, group, low, high)
        candidates = [
            Candidate(
                int(probe.owners[change.state]),
                point,
                bool(tie),
                change.line.direction / np.linalg.norm(change.line.direction),
            )
            for change, point, tie in zip(group, points, ties, strict=True)
        ]
        crossings += classify(probe, target, candidates, scale, trusted=trusted)
    return crossings, moved


def _changes(probe: Probe, lines: Sequence[Line]) -> tuple[list[_Change], set[int]]:
    changes: list[_Change] = []
    moved: set[int] = set()
    counts: dict[tuple[int, str], int] = {}
    for target, group in _by_target(lines):
        points = np.concatenate([line.points_at(line.steps) for line in group])
        ends = np.cumsum([len(line.steps) for line in group])
        states = np.split(probe.scan(points, target)[1], ends[:-1])
        for line, along_line in zip(group, states, strict=True):
            changed = along_line[1:] != along_line[:-1]
            for state in np.flatnonzero(changed.any(0)):
                site = int(probe.owners[state])
                moved.add(site)
                room = min(_MAX_PER_SITE - counts.get((site, target.name), 0), _MAX_PER_LINE)
                gaps = _spread_out(np.flatnonzero(changed[:, state]), line.steps, room)
                counts[site, target.name] = counts.get((site, target.name), 0) + len(gaps)
                changes += [_Change(line, int(state), *line.steps[i : i + 2]) for i in gaps]
    return _fair(changes, probe), moved


def _spread_out(gaps: Array, steps: Array, count: int) -> list[int]:
    """Returns some of the gaps between steps: the innermost ones and the outermost."""
    if count <= 0:
        return []
    inner = gaps[np.argsort(np.abs(steps[gaps]), kind="stable")]
    return list(dict.fromkeys([*inner[: max(count - 1, 1)], inner[-1]]))[:count]


def _fair(changes: list[_Change], probe: Probe) -> list[_Change]:
    """Limits the number of changes, fairly per site."""
    if len(changes) <= _MAX_TOTAL:
        return changes
    counts: dict[int, int] = {}
    ranks = []
    for change in changes:
        site = int(probe.owners[change.state])
        counts[site] = counts.get(site, 0) + 1
        ranks.append(counts[site])
    return [changes[i] for i in np.argsort(ranks, kind="stable")[:_MAX_TOTAL]]


def _by_target(items: Sequence[Any]) -> list[tuple[Target, list[Any]]]:
    """Groups lines or changes by target, in order of the first of each."""
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(item.target.name, []).append(item)
    return [(group[0].target, group) for group in groups.values()]


def _points(group: Sequence[_Change], steps: Array) -> Array:
    """Returns the points of each line at its own column of steps, `(rows, lines, *shape)`."""
    columns = np.atleast_2d(steps).T
    pairs = zip(group, columns, strict=True)
    return np.stack([change.line.points_at(column) for change, column in pairs], axis=1)


def _states(probe: Probe, target: Target, group: Sequence[_Change], points: Array) -> Array:
    """Returns the state of each change at each of its points, `(rows, lines)`."""
    states = probe.scan(points.reshape(-1, *points.shape[2:]), target)[1]
    columns = [change.state for change in group]
    return states.reshape(*points.shape[:2], -1)[:, np.arange(len(group)), columns]


def _bisect(probe: Probe, target: Target, group: list[_Change]) -> tuple[Array, Array]:
    """Returns neighboring steps between which each state changes first."""
    low = np.array([change.low for change in group])
    high = np.array([change.high for change in group])
    start = _states(probe, target, group, _points(group, low))
    shares = np.arange(1, _PARTS) / _PARTS
    for _ in range(24):
        inside = low + (high - low) * shares[:, None]
        same = _states(probe, target, group, _points(group, inside)) == start
        first = np.where(same.all(0), _PARTS - 1, np.argmin(same, axis=0))
        edges = np.concatenate([low[None], inside, high[None]])
        rows = np.arange(len(group))
        low, high = edges[first, rows], edges[first + 1, rows]
        if np.all(high - low <= 4e-16 * np.maximum(np.abs(low), np.abs(high))):
            break
    return low, high


def _ties(
    probe: Probe, target: Target, group: list[_Change], low: Array, high: Array
) -> tuple[Array, Array]:
    """Returns the point of each switch, and whether its state is that of neither side.

    Rounding can extend a tie to neighboring numbers: a round number among them is preferred.
    """
    middle = (low + high) / 2
    rounded = np.round(middle * 2**20) / 2**20
    is_near = np.abs(rounded - middle) < 1e-9 * np.maximum(1, np.abs(middle))
    apart = 1e-13 * np.maximum(np.maximum(np.abs(low), np.abs(high)), 1.0)
    steps = np.stack([np.where(is_near, rounded, low), low, high, low - apart, high + apart])
    points = _points(group, steps)
    states = _states(probe, target, group, points)
    neither = (states[:3] != states[3]) & (states[:3] != states[4])
    chosen = np.where(neither.any(0), np.argmax(neither, axis=0), 1)
    return points[chosen, np.arange(len(group))], neither.any(0)


def classify(
    probe: Probe,
    target: Target,
    candidates: Sequence[Candidate],
    scale: Scale,
    *,
    trusted: bool,
) -> list[Crossing]:
    """Returns a crossing for each candidate, from comparing its two sides."""
    points = np.stack([candidate.point for candidate in candidates])
    units = np.stack([candidate.unit for candidate in candidates])
    sizes = np.maximum(1.0, np.abs(points).reshape(len(points), -1).max(1))
    moves = (sizes[:, None] * STEPS).reshape(len(points), -1, *(1,) * (points.ndim - 1))
    neighbors = np.stack([points[:, None] + sign * moves * units[:, None] for sign in (-1, 1)])
    flat = neighbors.reshape(-1, *points.shape[1:])
    directions = np.broadcast_to(units[:, None], neighbors.shape).reshape(flat.shape)
    sides = _stacked(probe.derivatives(flat, directions, target))
    sides = sides.reshape(4, 2, len(points), len(STEPS))
    centers = _stacked(probe.derivatives(points, units, target))
    before, after = (probe.scan(neighbors[side, :, 8], target)[1] for side in (0, 1))
    crossings = []
    for i, candidate in enumerate(candidates):
        left, right = sides[:, 0, i], sides[:, 1, i]
        if not (trusted and np.isfinite(left[1]).all() and np.isfinite(right[1]).all()):
            left, right = _from_values(left, -sizes[i]), _from_values(right, sizes[i])
        order, size = _order(left, right, centers[0, i] if candidate.tie else None, scale)
        switched = frozenset(map(int, probe.owners[before[i] != after[i]]))
        sides_and_center = left, right, centers[:, i]
        crossings.append(Crossing(*candidate, target, *sides_and_center, order, size, switched))
    return crossings


def _stacked(derivatives: Derivatives) -> Array:
    """Returns the value and the three derivatives along the direction as one array."""
    first, second, third = derivatives.first, derivatives.second, derivatives.third
    return np.stack([derivatives.value, first, second, third])


def _from_values(side: Array, size: float) -> Array:
    """Returns slopes from neighboring values, and NaN for higher derivatives.

    `size` is the scale of STEPS, negative on the left.
    """
    values, steps = side[0], STEPS * size
    missing = np.full_like(values, np.nan)
    slopes = missing.copy()
    slopes[1:] = (values[:-1] - values[1:]) / (steps[:-1] - steps[1:])
    return np.stack([values, slopes, missing, missing])


# For each order: indices into STEPS of a coarse and a fine step, and the relative difference that
# counts as none.
_COMPARISONS = ((5, 7, 1e-7), (4, 6, 1e-6), (3, 5, 1e-5), (2, 4, 1e-4))


def _order(left: Array, right: Array, value: float | None, scale: Scale) -> tuple[int, float]:
    """Returns the lowest order that jumps and the height of the jump, inf if a side diverges.

    For UNCLEAR the order from which on the comparison fails takes the place of the height.
    """
    if not (np.isfinite(left[0, 3:8]).all() and np.isfinite(right[0, 3:8]).all()):
        return EDGE, float("nan")
    if value is not None and np.isinf(value):
        return JUMP, float(value)
    unclear: int | None = None
    for order, (coarse, fine, tolerance) in enumerate(_COMPARISONS):
        a, b = left[order], right[order]
        level = max(scale.level(order), abs(a[coarse]), abs(b[coarse]))
        if not np.isfinite([a[coarse], a[fine], b[coarse], b[fine]]).all():
            return UNCLEAR, float(order)
        differences = b - a
        before, after = differences[coarse], differences[fine]
        if order == 0 and value is not None and np.isfinite(value):
            alone = _isolated(a, b, value)
            after, before = (alone, alone) if abs(alone) > abs(after) else (after, before)
        if any(_diverges(side, coarse, fine, scale.level(order)) for side in (a, b)):
            return order, float("inf")
        if abs(after) <= tolerance * level:
            continue
        if abs(after) >= 0.5 * max(abs(before), abs(differences[(coarse + fine) // 2])):
            return order, float(after)
        if abs(after) > 0.2 * abs(before) and unclear is None:
            unclear = order
    return (SMOOTH, 0.0) if unclear is None else (UNCLEAR, float(unclear))


def _isolated(left: Array, right: Array, value: float) -> float:
    """Returns how far the value at the point lies from both sides, 0 if a side tends to it."""
    fine = value - left[8], value - right[8]
    coarse = value - left[6], value - right[6]
    if min(map(abs, fine)) < 0.5 * min(map(abs, coarse)):
        return 0.0
    return min(fine, key=abs)


def _diverges(side: Array, coarse: int, fine: int, level: float) -> bool:
    """Whether a side grows without bound toward the point."""
    return abs(side[fine]) > 3 * abs(side[coarse]) and abs(side[fine]) > 100 * level

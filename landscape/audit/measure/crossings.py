"""Where switching operations switch, found exactly, and how smooth the function is there.

A line is walked until a state changes; the change is bisected to neighboring float64 numbers; value
and first three derivatives are compared on its two sides. What decides is how a difference shrinks
with the step: a jump keeps its height, a steep slope does not.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.probes import Derivatives, Probe
from landscape.audit.measure.walks import Line

Array = np.ndarray
STEPS = 10.0 ** -np.arange(1.0, 10.0)  # 1e-1 … 1e-9
JUMP, KINK, SECOND, THIRD, SMOOTH = 0, 1, 2, 3, 4
UNCLEAR, EDGE = -1, -2  # between a jump and a slope; a side on which the function is not finite
CODES = {JUMP: "D101", KINK: "D102", SECOND: "D103", THIRD: "D103"}  # of the orders that break it
_EACH = 6  # crossings looked at for each state and target
_MOST = 160
_PARTS = 8


class Crossing(NamedTuple):
    """One switch: which site, between which points of a line, and what is found on its sides.

    `order` is the lowest derivative that jumps: 0 the value, …, 4 none of the first three. `left`
    and `right` hold value and derivatives at `point -+ STEPS * unit`. `tie` says that the point
    itself is met exactly; `at` are value and derivatives there, as autodiff gives them. `switched`
    are all sites whose states differ between the two sides.
    """

    site: int
    target: Target
    point: Array
    unit: Array
    tie: bool
    left: Array
    right: Array
    at: Array
    order: int
    size: float
    switched: frozenset[int]


class Scale(NamedTuple):
    """Typical magnitudes of the value and its first three derivatives along a direction."""

    levels: Array

    def at(self, order: int) -> float:
        """What a derivative is compared with: never less than a typical slope."""
        return float(max(self.levels[order], self.levels[1] if order else 0.0))


def typical(found: Derivatives) -> Scale:
    """The scale of a sample: the spread of the values, the medians of the derivatives."""
    value = found.value[np.isfinite(found.value)]
    spread = float(np.median(np.abs(value - np.median(value)))) if len(value) else 0.0
    rest = [_median(np.abs(d)) for d in (found.first, found.second, found.third)]
    return Scale(np.array([spread, *rest]))


def _median(values: Array) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else 0.0


class _Task(NamedTuple):
    line: Line
    state: int
    low: float
    high: float


def find(
    probe: Probe, lines: Sequence[Line], scale: Scale, *, trusted: bool
) -> tuple[list[Crossing], set[int]]:
    """The crossings along the lines, and the positions of all sites whose state ever changed.

    `trusted`: the gradients of autodiff are those of the function; else slopes are taken from
    values and only jumps and kinks are told.
    """
    tasks, moved = _changes(probe, lines)
    found = []
    for target, group in _by_target(tasks):
        low, high = _bisect(probe, target, group)
        points, ties = _ties(probe, target, group, low, high)
        units = np.stack([_unit(task.line.direction) for task in group])
        sites = [int(probe.owners[task.state]) for task in group]
        found += classify(probe, target, sites, points, units, ties, scale, trusted=trusted)
    return found, moved


def _changes(probe: Probe, lines: Sequence[Line]) -> tuple[list[_Task], set[int]]:
    tasks: list[_Task] = []
    moved: set[int] = set()
    taken: dict[tuple[int, str], int] = {}
    for target, group in _lines_by_target(lines):
        points = np.concatenate([line.at(line.steps) for line in group])
        states = probe.scan(points, target)[1]
        start = 0
        for line in group:
            here = states[start : start + len(line.steps)]
            start += len(line.steps)
            changed = here[1:] != here[:-1]
            for state in np.flatnonzero(changed.any(0)):
                site = int(probe.owners[state])
                moved.add(site)
                key = (site, target.name)
                room = _EACH - taken.get(key, 0)
                spots = _spread_out(np.flatnonzero(changed[:, state]), line.steps, min(room, 3))
                taken[key] = taken.get(key, 0) + len(spots)
                tasks += [_Task(line, int(state), line.steps[i], line.steps[i + 1]) for i in spots]
    return _fair(tasks, probe), moved


def _spread_out(spots: Array, steps: Array, count: int) -> list[int]:
    """A few of the places: the innermost first, then the outermost."""
    if count <= 0:
        return []
    inner = spots[np.argsort(np.abs(steps[spots]), kind="stable")]
    return list(dict.fromkeys([*inner[: max(count - 1, 1)], inner[-1]]))[:count]


def _fair(tasks: list[_Task], probe: Probe) -> list[_Task]:
    """At most so many tasks, each site with its share."""
    if len(tasks) <= _MOST:
        return tasks
    rank: dict[int, int] = {}
    ranked = []
    for task in tasks:
        site = int(probe.owners[task.state])
        rank[site] = rank.get(site, 0) + 1
        ranked.append((rank[site], task))
    return [task for _, task in sorted(ranked, key=lambda pair: pair[0])[:_MOST]]


def _lines_by_target(lines: Sequence[Line]) -> Iterable[tuple[Target, list[Line]]]:
    names = list(dict.fromkeys(line.target.name for line in lines))
    for name in names:
        group = [line for line in lines if line.target.name == name]
        yield group[0].target, group


def _by_target(tasks: Sequence[_Task]) -> Iterable[tuple[Target, list[_Task]]]:
    names = list(dict.fromkeys(task.line.target.name for task in tasks))
    for name in names:
        group = [task for task in tasks if task.line.target.name == name]
        yield group[0].line.target, group


def _at(group: Sequence[_Task], steps: Array) -> Array:
    """The points of each task's line at its own steps, `(tasks, *shape)`."""
    return np.stack([task.line.at(np.array([s]))[0] for task, s in zip(group, steps, strict=True)])


def _bisect(probe: Probe, target: Target, group: list[_Task]) -> tuple[Array, Array]:
    """Neighboring steps between which each task's state changes first."""
    low = np.array([task.low for task in group])
    high = np.array([task.high for task in group])
    rows = np.arange(len(group))
    columns = np.array([task.state for task in group])
    start = probe.scan(_at(group, low), target)[1][rows, columns]
    shares = np.arange(1, _PARTS) / _PARTS
    for _ in range(24):
        inside = low + (high - low) * shares[:, None]
        points = np.concatenate([_at(group, steps) for steps in inside])
        states = probe.scan(points, target)[1].reshape(_PARTS - 1, len(group), -1)
        same = states[:, rows, columns] == start
        first = np.where(same.all(0), _PARTS - 1, np.argmin(same, axis=0))
        edges = np.concatenate([low[None], inside, high[None]])
        low, high = edges[first, rows], edges[first + 1, rows]
        if np.all(high - low <= 4e-16 * np.maximum(np.abs(low), np.abs(high))):
            break
    return low, high


def _ties(
    probe: Probe, target: Target, group: list[_Task], low: Array, high: Array
) -> tuple[Array, Array]:
    """The point of each switch, and whether it is the very point at which the state is neither."""
    columns = np.array([task.state for task in group])
    rows = np.arange(len(group))
    middle = (low + high) / 2
    rounded = np.round(middle * 2**20) / 2**20
    rounded = np.where(
        np.abs(rounded - middle) < 1e-9 * np.maximum(1, np.abs(middle)), rounded, low
    )
    apart = 1e-13 * np.maximum(np.maximum(np.abs(low), np.abs(high)), 1.0)
    candidates = np.stack([low, high, rounded])
    sides = np.stack([low - apart, high + apart])
    every = np.concatenate([candidates, sides])
    points = np.stack([_at(group, steps) for steps in every])
    states = probe.scan(points.reshape(-1, *points.shape[2:]), target)[1]
    states = states.reshape(len(every), len(group), -1)[:, rows, columns]
    neither = (states[:3] != states[3]) & (states[:3] != states[4])
    chosen = np.where(neither.any(0), np.argmax(neither, axis=0), 0)
    return points[chosen, rows], neither.any(0)


def _unit(direction: Array) -> Array:
    return direction / np.linalg.norm(direction)


def classify(
    probe: Probe,
    target: Target,
    sites: Sequence[int],
    points: Array,
    units: Array,
    ties: Array,
    scale: Scale,
    *,
    trusted: bool,
) -> list[Crossing]:
    """Compares the two sides of each point along its unit direction."""
    sizes = np.maximum(1.0, np.abs(points).reshape(len(points), -1).max(1))
    moves = (sizes[:, None] * STEPS).reshape(len(points), -1, *(1,) * (points.ndim - 1))
    around = np.stack(
        [points[:, None] - moves * units[:, None], points[:, None] + moves * units[:, None]]
    )
    flat = around.reshape(-1, *points.shape[1:])
    directions = np.broadcast_to(units[:, None], around.shape).reshape(flat.shape)
    sided = _stacked(probe.derivatives(flat, directions, target))
    sided = sided.reshape(4, 2, len(points), len(STEPS))
    at = _stacked(probe.derivatives(points, units, target))
    before, after = (probe.scan(around[s, :, 8], target)[1] for s in (0, 1))
    found = []
    for i, site in enumerate(sites):
        left, right = sided[:, 0, i], sided[:, 1, i]
        if not (trusted and np.isfinite(left[1]).all() and np.isfinite(right[1]).all()):
            left, right = _from_values(left, sizes[i], -1), _from_values(right, sizes[i], 1)
        order, size = _order(left, right, at[0, i] if ties[i] else None, scale)
        found.append(
            Crossing(
                site,
                target,
                points[i],
                units[i],
                bool(ties[i]),
                left,
                right,
                at[:, i],
                order,
                size,
                frozenset(map(int, probe.owners[before[i] != after[i]])),
            )
        )
    return found


def _stacked(found: Derivatives) -> Array:
    return np.stack([found.value, found.first, found.second, found.third])


def _from_values(side: Array, size: float, sign: int) -> Array:
    """Slopes from neighboring values; higher derivatives unknown."""
    values, steps = side[0], STEPS * size * sign
    slopes = np.full_like(values, np.nan)
    slopes[1:] = (values[:-1] - values[1:]) / (steps[:-1] - steps[1:])
    return np.stack([values, slopes, np.full_like(values, np.nan), np.full_like(values, np.nan)])


# For each order: indices into STEPS of a coarse and a fine step, and what counts as no difference.
_LOOK = ((5, 7, 1e-7), (4, 6, 1e-6), (3, 5, 1e-5), (2, 4, 1e-4))


def _order(left: Array, right: Array, value: float | None, scale: Scale) -> tuple[int, float]:
    """The lowest order that jumps and the height of the jump, infinite where a side runs away.

    For UNCLEAR the order from which on nothing can be told stands in place of the height.
    """
    if not (np.isfinite(left[0, 3:8]).all() and np.isfinite(right[0, 3:8]).all()):
        return EDGE, float("nan")
    if value is not None and np.isinf(value):
        return JUMP, float(value)
    unclear: int | None = None
    for order, (coarse, fine, small) in enumerate(_LOOK):
        sides = left[order], right[order]
        level = max(scale.at(order), abs(sides[0][coarse]), abs(sides[1][coarse]))
        if not np.isfinite([side[[coarse, fine]] for side in sides]).all():
            return UNCLEAR, float(order)
        before = sides[1][coarse] - sides[0][coarse]
        after = sides[1][fine] - sides[0][fine]
        if order == 0 and value is not None and np.isfinite(value):
            alone = _alone(left[0], right[0], value)
            after, before = (alone, alone) if abs(alone) > abs(after) else (after, before)
        if _grows(sides, coarse, fine, scale.at(order)):
            return order, float("inf")
        if abs(after) <= small * level:
            continue
        middle = sides[1][(coarse + fine) // 2] - sides[0][(coarse + fine) // 2]
        if abs(after) >= 0.5 * max(abs(before), abs(middle)):
            return order, float(after)
        if abs(after) > 0.2 * abs(before) and unclear is None:
            unclear = order
    return (SMOOTH, 0.0) if unclear is None else (UNCLEAR, float(unclear))


def _alone(left: Array, right: Array, value: float) -> float:
    """How far the value at the point itself lies from both sides, where they agree."""
    fine = value - left[8], value - right[8]
    coarse = value - left[6], value - right[6]
    if min(map(abs, fine)) < 0.5 * min(map(abs, coarse)):
        return 0.0
    return min(fine, key=abs)


def _grows(sides: tuple[Array, Array], coarse: int, fine: int, level: float) -> bool:
    """Whether a side runs away as the point is approached."""
    return any(
        abs(side[fine]) > 3 * abs(side[coarse]) and abs(side[fine]) > 100 * level for side in sides
    )

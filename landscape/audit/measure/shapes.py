"""Computes what a figure of an audit draws: curves, a plane and the limit table."""

import numpy as np

from landscape.audit.measure.crossings import CODES, STEPS
from landscape.audit.measure.domains import Target, is_degenerate
from landscape.audit.measure.drawn_axes import (
    axis_label,
    component_label,
    drawn_line,
    plane_center,
)
from landscape.audit.measure.subject import Subject
from landscape.audit.measure.survey import Survey, norms
from landscape.audit.measure.switching import crossings, lowest_values
from landscape.audit.measure.walks import Line
from landscape.storage.audit_records import (
    CurveMark,
    Interval,
    LimitTable,
    LossCurve,
    LossPlane,
    LossShapes,
)

Array = np.ndarray
_POINTS = 401
_SIDE = 41


def shapes(survey: Survey) -> LossShapes:
    """Returns curves over one prediction, a plane over two, and quotients as the step shrinks."""
    subject = survey.subject
    low, high = _window(survey)
    x = np.linspace(low, high, _POINTS)
    drawn = _drawn_targets(subject)[: 1 if subject.goal == "classes" else 3]
    lines = [drawn_line(subject, target, x) for target in drawn]
    marks = [_marks(survey, line) for line in lines]
    x = np.unique(np.concatenate([x, *([mark.x for mark in row] for row in marks)]))
    return LossShapes(
        x_label=axis_label(subject),
        x=tuple(x.tolist()),
        lines=tuple(
            _curve(survey, line._replace(steps=x), row)
            for line, row in zip(lines, marks, strict=True)
        ),
        plane=_plane(survey) if subject.size > 1 else None,
        limit=_limit(survey),
    )


def _drawn_targets(subject: Subject) -> list[Target]:
    """Returns the targets to draw: no batch without anything to compare, if there is another."""
    is_batch = subject.kind == "loss" and subject.rows > 1
    judged = [t for t in subject.targets if not (t.ignored or (is_batch and is_degenerate(t)))]
    return judged or subject.targets


def _window(survey: Survey) -> tuple[float, float]:
    """Returns the drawn interval: wide enough for the switches, or the domain."""
    name = survey.subject.domain.name
    if name in ("unit", "simplex"):
        return 0.0, 1.0
    spots = [float(np.abs(c.point).max()) for c in crossings(survey) if c.order in CODES]
    spots = spots if survey.subject.size == 1 else []
    wide = max([6.0, *(1.25 * s for s in spots if s < 25)])
    return (1e-6, 2 * wide) if name == "positive" else (-wide, wide)


def _curve(survey: Survey, line: Line, marks: tuple[CurveMark, ...]) -> LossCurve:
    subject, target, x = survey.subject, line.target, line.steps
    points = line.points_at(x)
    unit = np.broadcast_to(line.direction, points.shape)
    derivatives = survey.probe.derivatives(points, unit, target)
    value = derivatives.value
    zero = ~np.any(derivatives.gradient.reshape(len(x), -1), axis=1)
    lowest, spread = lowest_values(survey)[target.name], survey.scale.levels[0]
    above = value > lowest + 1e-6 * max(spread, 1e-9)
    faded = (norms(derivatives.gradient) < 1e-2 * survey.steepest) & ~zero & above
    idle = zero & ~above & (not zero.all()) & (subject.kind == "loss")
    return LossCurve(
        label=target.name or survey.subject.name,
        value=tuple(value.tolist()),
        gradient=tuple(derivatives.first.tolist()),
        dead=_runs(x, zero & ~idle),
        idle=_runs(x, idle),
        saturated=_runs(x, faded & (value > lowest + 0.1 * spread) & (subject.goal != "free")),
        marks=marks,
    )


def _runs(x: Array, chosen: Array) -> tuple[Interval, ...]:
    """Returns the intervals of at least three values of x that are all chosen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(int), [0]])))
    pairs = edges.reshape(-1, 2)
    return tuple((float(x[a]), float(x[b - 1])) for a, b in pairs if b - a >= 3)


def _marks(survey: Survey, line: Line) -> tuple[CurveMark, ...]:
    """Returns the marks of the switches that lie on a line."""
    marks: dict[tuple[str, float], CurveMark] = {}
    direction, x = line.direction, line.steps
    for crossing in crossings(survey):
        if crossing.order not in CODES or crossing.target.name != line.target.name:
            continue
        step = float(np.vdot(crossing.point - line.base, direction) / np.vdot(direction, direction))
        off = np.abs(line.points_at(np.array([step]))[0] - crossing.point).max()
        if off > 1e-9 * max(1.0, abs(step)) or not x[0] <= step <= x[-1]:
            continue
        key = (CODES[crossing.order], round(step, 9))
        marks[key] = CurveMark(step, key[0])
    return tuple(sorted(marks.values(), key=lambda mark: mark.x)[:24])


def _plane(survey: Survey) -> LossPlane:
    """Returns the loss over the two components that matter most; the others are fixed."""
    subject = survey.subject
    target = subject.targets[0]
    low, high = _window(survey)
    if subject.domain.name == "real":
        low, high = max(low, -6.0), min(high, 6.0)
    axis = np.linspace(low, high, _SIDE)
    x, y = np.meshgrid(axis, axis)
    center = plane_center(subject, target)
    points = np.tile(np.ravel(center), (x.size, 1))
    first, second = _steepest_components(survey)
    is_shifted = subject.domain.name == "real"
    points[:, first] = x.ravel() + (points[0, first] if is_shifted else 0)
    points[:, second] = y.ravel() + (points[0, second] if is_shifted else 0)
    points = points.reshape(-1, *subject.shape)
    value, gradient = survey.probe.gradients(points, target)
    slopes = gradient.reshape(len(points), -1)
    return LossPlane(
        label=target.name or subject.name,
        x_label=component_label(subject, first),
        y_label=component_label(subject, second),
        x=tuple(axis.tolist()),
        y=tuple(axis.tolist()),
        value=_rows(value.reshape(x.shape)),
        gradient_x=_rows(slopes[:, first].reshape(x.shape)),
        gradient_y=_rows(slopes[:, second].reshape(x.shape)),
    )


def _steepest_components(survey: Survey) -> tuple[int, int]:
    """Returns the two components with the largest mean gradient, in their order; else 0 and 1."""
    if survey.subject.goal in ("classes", "sides") or survey.subject.kind != "loss":
        return 0, 1
    sample = survey.plausible[0]
    slopes = np.abs(sample.derivatives.gradient.reshape(len(sample.points), -1))
    sizes = np.nan_to_num(slopes, posinf=0.0).mean(0)
    first, second = np.sort(np.argsort(-sizes, kind="stable")[:2])
    return int(first), int(second)


def _rows(grid: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, grid.tolist()))


def _limit(survey: Survey) -> LimitTable | None:
    """Returns one-sided difference quotients at the switch of the lowest order, at a tie if any."""
    broken = [c for c in crossings(survey) if c.order in CODES]
    if not broken:
        return None
    crossing = min(broken, key=lambda c: (not c.tie, c.order, float(np.abs(c.point).max())))
    middle = float(crossing.center[0])
    steps = STEPS[:7] * max(1.0, float(np.abs(crossing.point).max()))
    left = (crossing.left[0][:7] - middle) / -steps
    right = (crossing.right[0][:7] - middle) / steps
    point = np.ravel(crossing.point)
    where = f"x = {point[0]:.4g}" if point.size == 1 else "a switch"
    return LimitTable(
        label=", ".join(part for part in (crossing.target.name, where) if part),
        code=CODES[crossing.order],
        steps=tuple(steps.tolist()),
        left=tuple(left.tolist()),
        right=tuple(right.tolist()),
        autodiff=float(crossing.center[1]),
    )

"""Computes what a figure of an audit draws: curves, a plane and the limit table."""

import numpy as np

from landscape.audit.measure.crossings import CODES, STEPS, Crossing
from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey, along, norms, route
from landscape.audit.measure.switching import crossings, lowest_values
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
    """Curves against one prediction, a plane over two, and quotients as the step shrinks."""
    subject = survey.subject
    low, high = _window(survey)
    x = np.linspace(low, high, _POINTS)
    targets = subject.targets[:2] if subject.task == "multiclass" else subject.targets[:3]
    targets = targets[:1] if subject.task == "multiclass" else targets
    marks = {t.name: _marks(survey, t, *_through(survey, t), x) for t in targets}
    x = np.unique(np.concatenate([x, *([mark.x for mark in row] for row in marks.values())]))
    return LossShapes(
        x_label=_label(survey),
        x=tuple(x.tolist()),
        lines=tuple(_line(survey, target, x, marks[target.name]) for target in targets),
        plane=_plane(survey) if subject.size > 1 else None,
        limit=_limit(survey),
    )


def _label(survey: Survey) -> str:
    subject = survey.subject
    if subject.kind != "loss":
        return "input"
    if subject.size == 1:
        return (
            "logit" if subject.task == "binary" and subject.domain.name == "real" else "prediction"
        )
    return {
        "multiclass": "margin of the true class",
        "segmentation": "margin of every pixel",
    }.get(str(subject.task), "all predictions together")


def _window(survey: Survey) -> tuple[float, float]:
    """The interval that is drawn: as wide as the switches need, or the domain."""
    name = survey.subject.domain.name
    if name in ("unit", "simplex"):
        return 0.0, 1.0
    spots = [float(np.abs(c.point).max()) for c in crossings(survey) if c.order in CODES]
    spots = spots if survey.subject.size == 1 else []
    wide = max([6.0, *(1.25 * s for s in spots if s < 25)])
    return (1e-6, 2 * wide) if name == "positive" else (-wide, wide)


def _through(survey: Survey, target: Target) -> tuple[Array, Array]:
    """Base and direction of the drawn line: increasing toward the right prediction."""
    subject = survey.subject
    base, direction, _ = route(subject, target)
    if subject.size == 1:
        return np.zeros(subject.shape), np.ones(subject.shape)
    if subject.domain.name == "real" and subject.task in ("multiclass", "segmentation", "binary"):
        return np.zeros(subject.shape), -np.asarray(direction) / (
            2 if subject.task == "multiclass" else 1
        )
    if subject.domain.name in ("unit", "simplex"):
        return base + direction, -direction
    return np.zeros(subject.shape), np.ones(subject.shape)


def _line(survey: Survey, target: Target, x: Array, marks: tuple[CurveMark, ...]) -> LossCurve:
    base, direction = _through(survey, target)
    points = along(base, direction, x)
    unit = np.broadcast_to(direction, points.shape)
    found = survey.probe.derivatives(points, unit, target)
    zero = ~np.any(found.gradient.reshape(len(x), -1), axis=1)
    lowest = lowest_values(survey)[target.name]
    room = 1e-6 * max(survey.scale.levels[0], 1e-9)
    above = found.value > lowest + room
    constant = bool(zero.all())
    faded = (norms(found.gradient) < 1e-2 * survey.steepest) & ~zero & above
    return LossCurve(
        label=target.name or survey.subject.name,
        value=tuple(found.value.tolist()),
        gradient=tuple(found.first.tolist()),
        dead=_runs(x, zero & (above | constant | (survey.subject.kind != "loss"))),
        idle=_runs(x, zero & ~above & (not constant) & (survey.subject.kind == "loss")),
        saturated=_runs(x, faded & (found.value > lowest + 0.1 * survey.scale.levels[0])),
        marks=marks,
    )


def _runs(x: Array, chosen: Array) -> tuple[Interval, ...]:
    """The intervals of x in which `chosen` holds, from three samples on."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(int), [0]])))
    pairs = edges.reshape(-1, 2)
    return tuple((float(x[a]), float(x[b - 1])) for a, b in pairs if b - a >= 3)


def _marks(
    survey: Survey, target: Target, base: Array, direction: Array, x: Array
) -> tuple[CurveMark, ...]:
    """Where the drawn line breaks: switches that lie on it."""
    marks: dict[tuple[str, float], CurveMark] = {}
    for crossing in crossings(survey):
        if crossing.order not in CODES or crossing.target.name != target.name:
            continue
        step = float(np.vdot(crossing.point - base, direction) / np.vdot(direction, direction))
        off = np.abs(along(base, direction, np.array([step]))[0] - crossing.point).max()
        if off > 1e-9 * max(1.0, abs(step)) or not x[0] <= step <= x[-1]:
            continue
        key = (CODES[crossing.order], round(step, 9))
        marks[key] = CurveMark(step, key[0])
    return tuple(sorted(marks.values(), key=lambda mark: mark.x)[:24])


def _plane(survey: Survey) -> LossPlane:
    """The loss over the first two components, the others at rest."""
    subject = survey.subject
    target = subject.targets[0]
    low, high = _window(survey)
    if subject.domain.name == "real":
        low, high = max(low, -6.0), min(high, 6.0)
    axis = np.linspace(low, high, _SIDE)
    x, y = np.meshgrid(axis, axis)
    points = np.zeros((x.size, subject.size))
    if subject.domain.name != "real":
        points += 0.5 if subject.domain.name == "unit" else 0.1
    points[:, 0], points[:, 1] = x.ravel(), y.ravel()
    points = points.reshape(-1, *subject.shape)
    value, gradient = survey.probe.gradients(points, target)
    slopes = gradient.reshape(len(points), -1)
    name = {"multiclass": "logit of class {}", "segmentation": "logit of pixel {}"}
    label = name.get(str(subject.task), "component {}")
    return LossPlane(
        label=target.name or subject.name,
        x_label=label.format(0),
        y_label=label.format(1),
        x=tuple(axis.tolist()),
        y=tuple(axis.tolist()),
        value=_rows(value.reshape(x.shape)),
        gradient_x=_rows(slopes[:, 0].reshape(x.shape)),
        gradient_y=_rows(slopes[:, 1].reshape(x.shape)),
    )


def _rows(grid: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, grid.tolist()))


def _limit(survey: Survey) -> LimitTable | None:
    """One-sided difference quotients at the switch that matters most."""
    broken = [c for c in crossings(survey) if c.order in CODES and c.tie]
    broken = broken or [c for c in crossings(survey) if c.order in CODES]
    if not broken:
        return None
    crossing = min(broken, key=lambda c: (c.order, float(np.abs(c.point).max())))
    middle = float(crossing.at[0])
    left, right = (
        (crossing.left[0][:7] - middle) / -_steps(crossing),
        (crossing.right[0][:7] - middle) / _steps(crossing),
    )
    point = np.ravel(crossing.point)
    where = f"x = {point[0]:.4g}" if point.size == 1 else "a switch"
    return LimitTable(
        label=", ".join(part for part in (crossing.target.name, where) if part),
        code=CODES[crossing.order],
        steps=tuple(_steps(crossing).tolist()),
        left=tuple(left.tolist()),
        right=tuple(right.tolist()),
        autodiff=float(crossing.at[1]),
    )


def _steps(crossing: Crossing) -> Array:
    return STEPS[:7] * max(1.0, float(np.abs(crossing.point).max()))

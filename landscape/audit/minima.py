"""Where the loss leads: convexity, bounds, minimizers, the way to the target (S4xx)."""

from typing import NamedTuple

import numpy as np

from landscape.audit.convexity import not_convex
from landscape.audit.findings import Finding, Where
from landscape.audit.measure.domains import EXTREME, Target
from landscape.audit.measure.survey import Path, Survey, along, brief, quote

Array = np.ndarray


def findings(survey: Survey) -> list[Finding]:
    """S401 to S404; none of the last three for a function without a target."""
    if survey.subject.kind != "loss":
        return []
    if survey.subject.rows > 1 and survey.subject.task == "multiclass":
        # Rows that are compared with each other may be embeddings: no class is right of itself.
        return [f for f in (not_convex(survey), unbounded(survey)) if f is not None]
    minimizer = wrong_minimizer(survey)
    link = minimizer is not None and minimizer.severity == "note"
    found = [not_convex(survey), unbounded(survey), minimizer, not_monotone(survey, link=link)]
    return [f for f in found if f is not None]


def unbounded(survey: Survey) -> Finding | None:
    """S402: the value falls without end along a path."""
    if survey.subject.domain.name in ("unit", "simplex"):
        return None
    found = []
    for path in survey.paths:
        for sign in (1, -1):
            steps = sign * np.array([1e2, 1e4, 1e6, 1e8])
            points = along(path.base, path.direction, steps)
            if np.any(points < survey.subject.domain.low):
                continue
            values = survey.probe.values(points, path.target)
            drops = -np.diff(values)
            if np.isneginf(values).any() or ((drops > 1e-6).all() and drops[2] > 0.5 * drops[1]):
                found.append((path, sign, points, values))
    if not found:
        return None
    regression = survey.subject.task == "regression"
    negative = regression and all(np.min(path.target.value) <= 0 for path, *_ in found)
    away = regression or any(sign > 0 for _, sign, _, _ in found)
    path, sign, points, values = next((f for f in found if regression or f[1] > 0), found[0])
    severity = "note" if negative else "error" if away else "warning"
    toward = "away from the target" if away and not negative else "in one direction"
    message = (
        f"unbounded below: {values[1]:.4g} at {brief(points[1])}, {values[2]:.4g} at "
        f"{brief(points[2])} ({path.target.name}), falling without end {toward}: the optimizer "
        "follows it to minus infinity"
    )
    evidence = {
        "target": path.target.name,
        "at": [quote(p) for p in points],
        "values": [quote(v) for v in values],
    }
    suggestion = "check the sign of each term; a loss needs a lower bound, such as 0 at the target"
    return Finding("S402", severity, message, _last(survey), evidence, suggestion)  # type: ignore[arg-type]


def _last(survey: Survey) -> Where | None:
    """The place of the last operation, most often the return."""
    names = (
        "neg",
        "sub",
        "add",
        "mul",
        "div",
        "reduce_sum",
        "select_n",
        "sin",
        "cos",
        "max",
        "min",
    )
    return survey.operation(names, last=True) or survey.definition


def wrong_minimizer(survey: Survey) -> Finding | None:
    """S403."""
    if survey.subject.task == "regression":
        return _regression_minimizer(survey) or _lower_nearby(survey)
    for path in survey.paths:
        fine = np.isfinite(path.value)
        inside = fine & (np.abs(path.steps) <= EXTREME)
        bounded = survey.subject.domain.name in ("unit", "simplex")
        wrong = inside & (path.steps > (0.5 if bounded else 0.0))
        right = inside & (path.steps < (0.5 if bounded else 0.0))
        if not wrong.any() or not right.any():
            continue
        best_wrong, best_right = path.value[wrong].min(), path.value[right].min()
        room = 1e-6 * max(np.ptp(path.value[inside]), abs(best_right) * 1e-6)
        if best_wrong < best_right - room:
            i = int(np.flatnonzero(wrong)[np.argmin(path.value[wrong])])
            message = (
                f"the minimum is on the wrong side: {best_wrong:.4g} at {brief(path.points[i])}, "
                f"but no less than {best_right:.4g} for right predictions ({path.target.name}): "
                "training moves predictions away from their targets"
            )
            evidence = {
                "target": path.target.name,
                "wrong": quote(path.points[i]),
                "value": quote(best_wrong),
                "best_right": quote(best_right),
            }
            suggestion = "check the sign, the order of arguments (--order) and the form of targets"
            return Finding("S403", "error", message, _last(survey), evidence, suggestion)
    return None


def _regression_minimizer(survey: Survey) -> Finding | None:
    pairs = [_lowest(path) for path in survey.paths if np.ptp(path.target.value) == 0]
    pairs = [pair for pair in pairs if np.isfinite(pair[3])]
    off = [pair for pair in pairs if pair[3] > pair[2] + _room(pair[0]) and _apart(pair)]
    if not off:
        return None
    targets = np.array([float(np.ravel(p.target.value)[0]) for p, *_ in pairs])
    minimizers = np.array([at for _, at, _, _ in pairs])
    order = np.argsort(targets)
    steps = np.diff(minimizers[order])
    path, at, low, there = off[0]
    gaps = minimizers - targets
    biased = len(off) == len(pairs) and np.ptp(gaps) < 0.3 * np.abs(gaps).max()
    increasing = len(steps) > 0 and bool((steps > 0.05).all())
    if increasing and not biased:
        severity, effect = "note", "it grows with the target, as for a link such as the logarithm"
    elif increasing:
        severity, effect = "warning", "predictions will be off by as much"
    else:
        severity, effect = "error", "predictions are not led to their targets"
        if bool((steps >= -1e-9).all()) and len(off) < len(pairs):
            severity, effect = "warning", "some targets are not led to"
    message = (
        f"the target is not the minimizer: {low:.4g} at {at:.4g}, but {there:.4g} at the target "
        f"({path.target.name}); {effect}"
    )
    evidence = {
        "targets": quote(targets[order]),
        "minimizers": quote(minimizers[order]),
        "value": quote(low),
        "value_at_target": quote(there),
    }
    suggestion = "check the sign of the error and constants added to it"
    return Finding("S403", severity, message, _last(survey), evidence, suggestion)  # type: ignore[arg-type]


def _apart(pair: tuple[Path, float, float, float]) -> bool:
    """Whether the minimizer and its value can be told from the target's."""
    path, at, low, there = pair
    target = float(np.ravel(path.target.value)[0])
    return abs(at - target) > 1e-6 and there - low > 1e-6 * (abs(there) + abs(low))


def _lower_nearby(survey: Survey) -> Finding | None:
    """Predictions close to their targets, or at their mean, that cost less than the targets."""
    subject = survey.subject
    if subject.size == 1 or subject.domain.name != "real":
        return None
    target = subject.targets[0]
    rng = np.random.default_rng([survey.seed, 403])
    ways = rng.normal(size=(120, *subject.shape))
    away = np.concatenate([0.03 * ways, 0.3 * ways, (target.value.mean() - target.value)[None]])
    points = np.concatenate([target.value[None], target.value + away])
    values = survey.probe.values(points, target)
    low = int(np.nanargmin(values))
    if not values[0] > values[low] + 1e-6 * np.nanmedian(np.abs(values - values[0])):
        return None
    message = (
        f"the targets are not the minimizer: {values[0]:.4g} at the targets, but {values[low]:.4g} "
        f"at {brief(points[low])}: predictions are not led to their targets"
    )
    evidence = {
        "targets": quote(target.value),
        "lower": quote(points[low]),
        "value": quote(values[low]),
        "value_at_target": quote(values[0]),
    }
    suggestion = "compare each prediction with its own target"
    severity = "warning" if subject.rows > 1 else "error"  # a ranking may mean it
    return Finding("S403", severity, message, _last(survey), evidence, suggestion)  # type: ignore[arg-type]


def _room(path: Path) -> float:
    near = path.value[np.isfinite(path.value) & (np.abs(path.steps) <= 2)]
    return 1e-6 * float(np.median(np.abs(near - np.median(near)))) if len(near) else 0.0


def _lowest(path: Path) -> tuple[Path, float, float, float]:
    """The minimizer nearest to the target, its value, and the value at the target."""
    value = np.where(np.isfinite(path.value), path.value, np.inf)
    low = float(value.min())
    level = 1e-9 * max(abs(low), _room(path))
    near = np.flatnonzero(value <= low + level)
    i = near[np.argmin(np.abs(path.steps[near]))]
    zero = int(np.argmin(np.abs(path.steps)))
    return path, float(np.ravel(path.points[i])[0]), low, float(value[zero])


def not_monotone(survey: Survey, *, link: bool) -> Finding | None:
    """S404: on the way from wrong to right the loss rises.

    With a `link`, or for classes, only until the minimum is reached: beyond it, rising is right.
    """
    for path in _ways(survey, link):
        rise = _rise(path.value, 1e-9 * survey.scale.levels[0])
        if rise is None:
            continue
        low, high = rise
        message = (
            f"not monotone toward the target: from {brief(path.points[low])} to "
            f"{brief(path.points[high])}, nearer to {path.target.name}, the loss rises from "
            f"{path.value[low]:.4g} to {path.value[high]:.4g}: training can stop short, in a wrong "
            "minimum"
        )
        evidence = {
            "target": path.target.name,
            "from": quote(path.points[low]),
            "to": quote(path.points[high]),
            "values": [quote(path.value[low]), quote(path.value[high])],
        }
        suggestion = "a loss that falls all the way to its target leaves no wrong minimum"
        return Finding("S404", "warning", message, _wave(survey), evidence, suggestion)
    return None


def _wave(survey: Survey) -> Where | None:
    return survey.operation(("sin", "cos", "rem", "floor", "round")) or _last(survey)


class _Way(NamedTuple):
    """Points from far to near, and the values there."""

    target: Target
    points: Array
    value: Array


def _ways(survey: Survey, link: bool) -> list[_Way]:
    """The ways from wrong to right, near and far; paths are cut in two for regression."""
    ways = []
    regression = survey.subject.task == "regression"
    middle = 0.5 if survey.subject.domain.name in ("unit", "simplex") else 0.0
    for path in survey.paths:
        for width in (12.0, 1e3):
            near = (np.abs(path.steps) <= width) & np.isfinite(path.value)
            for sign in (1, -1) if regression else (0,):
                chosen = np.flatnonzero(near & ((path.steps * sign >= 0) if sign else True))
                keys = path.steps[chosen] if sign == 0 else np.abs(path.steps[chosen])
                order = chosen[np.argsort(-keys)]
                if regression:
                    last = order if link else order[:0]
                else:
                    last = order[path.steps[order] <= middle]
                if len(last):
                    end = last[np.argmin(path.value[last])]
                    order = order[: int(np.flatnonzero(order == end)[0]) + 1]
                ways.append(_Way(path.target, path.points[order], path.value[order]))
    return ways + _random_ways(survey)


def _random_ways(survey: Survey) -> list[_Way]:
    """Straight from random predictions to the target, or on and on to the right side of it."""
    subject = survey.subject
    if subject.size == 1 or subject.domain.name == "simplex":
        return []
    ways = []
    shares = np.linspace(0, 1, 33)
    for sample in survey.plausible:
        goal = _goal(survey, sample.target)
        for start in sample.points[:6]:
            end = goal if subject.task == "regression" or goal.max() <= 1 else start + goal
            points = along(start, end - start, shares)
            value = survey.probe.values(points, sample.target)
            if np.isfinite(value).all():
                last = len(value) if subject.task == "regression" else int(np.argmin(value)) + 1
                ways.append(_Way(sample.target, points[:last], value[:last]))
    return ways


def _goal(survey: Survey, target: Target) -> Array:
    """Where predictions should go: the target, or 40 logits to its side."""
    shape = survey.subject.shape
    if survey.subject.task == "regression":
        return np.broadcast_to(target.value, shape)
    if survey.subject.domain.name == "unit":
        return (np.broadcast_to(target.away, shape) < 0).astype(float)
    toward = -40 * np.broadcast_to(target.away, shape)
    return np.maximum(toward, 0.0) if survey.subject.task == "multiclass" else toward


def _rise(value: Array, rounding: float) -> tuple[int, int] | None:
    """Two positions between which a value rises most, if it rises by more than rounding."""
    if len(value) < 3:
        return None
    risen = value - np.minimum.accumulate(value)
    if risen.max() <= 1e-7 * np.ptp(value) + 1e-12 * np.abs(value).max() + rounding:
        return None
    high = int(np.argmax(risen))
    return int(np.argmin(value[: high + 1])), high

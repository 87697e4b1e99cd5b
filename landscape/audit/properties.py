"""The seven properties of an audit, each proved by the rules or measured."""

import math
from collections.abc import Callable

import numpy as np

from landscape.audit.findings import Finding, Property
from landscape.audit.measure.crossings import SMOOTH, UNCLEAR
from landscape.audit.measure.domains import Target
from landscape.audit.measure.midpoints import proved_convex, refuting_midpoint
from landscape.audit.measure.quotients import is_trusted
from landscape.audit.measure.survey import Path, Sample, Survey, along, norms
from landscape.audit.measure.switching import crossings

Array = np.ndarray
CLASSES = ("discontinuous", "C0", "C1", "C2", "smooth")
_FAR = np.array([1e2, 1e4, 1e6, 1e8])


def properties(survey: Survey, findings: list[Finding]) -> dict[str, Property]:
    """By name; `value` None where it could not be told."""
    zero = next((f for f in findings if f.code == "G201"), None)
    proved = zero is not None and zero.evidence["how"] == "proved"
    flat = Property(0.0, "proved") if proved else None
    return {
        "smoothness": _smoothness(survey),
        "convex": _convex(survey, findings),
        "lipschitz": _lipschitz(survey),
        "curvature": _curvature(survey),
        "range": _range(survey),
        "dead_fraction": Property(1.0, "proved") if proved else _dead(survey),
        "coverage": flat or Property(round(survey.coverage, 4), "measured"),
    }


def _smoothness(survey: Survey) -> Property:
    """The class of the function of the prediction, by the lowest derivative that jumps."""
    (output,) = survey.reading.outputs
    if output.smooth or not output.varies:
        return Property("smooth", "proved")
    orders = [int(c.size) if c.order == UNCLEAR else c.order for c in crossings(survey)]
    orders = [order for order in orders if order >= 0]
    return Property(CLASSES[min(orders, default=SMOOTH)], "measured")


def _convex(survey: Survey, findings: list[Finding]) -> Property:
    if proved_convex(survey):
        return Property(True, "proved")
    if survey.subject.kind == "loss":
        return Property(not any(f.code == "S401" for f in findings), "measured")
    return Property(refuting_midpoint(survey) is None, "measured")


def _finite(values: list[Array]) -> Array:
    joined = np.concatenate([np.ravel(v) for v in values])
    return joined[np.isfinite(joined)]


def _far_values(survey: Survey, slopes: bool) -> list[Array]:
    """Values, or norms of gradients, at 1e2, 1e4, 1e6 and 1e8 along each way of each path."""
    found = []
    for path in survey.paths:
        for points in _far_points(survey, path):
            value, gradient = survey.probe.gradients(points, path.target)
            found.append(norms(gradient) if slopes else value)
    return found


def _far_points(survey: Survey, path: Path) -> list[Array]:
    """Points of a path at 1e2, 1e4, 1e6 and 1e8, both ways where the domain allows it."""
    ways = [along(path.base, path.direction, sign * _FAR) for sign in (1, -1)]
    domain = survey.subject.domain
    return [points for points in ways if np.all((points >= domain.low) & (points <= domain.high))]


def _grows(far: Array) -> bool:
    """Whether a quantity at 1e2, 1e4, 1e6, 1e8 grows without bound."""
    if not np.isfinite(far).all():
        return bool(np.isposinf(far).any())
    steps = np.diff(far)
    rising = (steps > 1e-9 * np.abs(far[:-1])).all() and steps[2] > 1e-12
    return bool(rising and steps[2] > 0.5 * steps[1])


def _edges(survey: Survey) -> Array:
    """Norms of gradients close to the ends of a bounded domain, in decades."""
    near = []
    for path in survey.paths:
        for end in (0.0, 1.0):
            steps = np.abs(end - 10.0 ** -np.arange(2.0, 13.0, 2.0))
            points = along(path.base, path.direction, steps)
            if survey.subject.domain.name == "positive":
                points = along(np.zeros(survey.subject.shape), np.ones(survey.subject.shape), steps)
            gradient = survey.probe.gradients(points, path.target)[1]
            near.append(norms(gradient))
    return np.stack(near)


def _lipschitz(survey: Survey) -> Property:
    """The supremum of the norm of the gradient: of the value's steepest slope."""
    if any(c.order == 0 or (c.order == 1 and math.isinf(c.size)) for c in crossings(survey)):
        return Property(math.inf, "measured")
    measured = [s.norms for s in survey.samples] + [p.norms for p in survey.paths]
    sides = [np.abs(side[1]) for c in crossings(survey) for side in (c.left, c.right)]
    measured += sides if survey.subject.size == 1 else []
    values = _finite(measured)
    if any(_grows(far) for far in _far_values(survey, True)):
        return Property(math.inf, "measured")
    top = float(values.max()) if len(values) else math.nan
    if survey.subject.domain.name in ("unit", "simplex", "positive"):
        edges = _edges(survey)
        last, before = edges[:, -1], edges[:, -3]
        if np.any(np.isfinite(last) & (last > 10 * before) & (last > 1e3)):
            return Property(math.inf, "measured")
    top = max(top, _climb(survey))
    if not is_trusted(survey):
        return Property(_short(_from_quotients(survey)), "measured")
    bound = _proved_slope(survey)
    if bound is not None and top >= (1 - 1e-4) * bound:
        return Property(bound, "proved")
    return Property(_short(top), "measured")


def _climb(survey: Survey) -> float:
    """The steepest slope found by following random predictions toward steeper ones."""

    def measure(points: Array, ways: Array, target: Target) -> Array:
        return norms(survey.probe.gradients(points, target)[1])

    return max(_ascend(survey, sample, sample.norms, measure) for sample in _two(survey))


def _two(survey: Survey) -> list[Sample]:
    return [survey.plausible[0], survey.plausible[-1]]


def _ascend(
    survey: Survey,
    sample: Sample,
    heights: Array,
    measure: Callable[[Array, Array, Target], Array],
) -> float:
    """The largest measure near a sample, by random steps that shrink."""
    domain, rng = survey.subject.domain, np.random.default_rng([survey.seed, 7])
    best = np.argsort(-_ordered(heights))[:16]
    points, ways = sample.points[best], sample.directions[best]
    width, top = (2.0 if domain.name == "real" else 0.1), 0.0
    for _ in range(14):
        tries = np.concatenate([points, np.repeat(points, 15, 0)])
        turned = np.concatenate([ways, np.repeat(ways, 15, 0)])
        tries[16:] += rng.normal(size=tries[16:].shape) * width
        turned[16:] += rng.normal(size=turned[16:].shape) * min(width, 0.7)
        if domain.name == "simplex":
            tries = np.abs(tries) / np.abs(tries).sum(-1, keepdims=True)
        tries = np.clip(tries, domain.low, domain.high)
        turned /= norms(turned).reshape(-1, *(1,) * (turned.ndim - 1))
        heights = _ordered(measure(tries, turned, sample.target))
        best = np.argsort(-heights)[:16]
        points, ways = tries[best], turned[best]
        top, width = max(top, float(heights[best[0]])), width * 0.7
    return top


def _ordered(values: Array) -> Array:
    return np.where(np.isfinite(values), values, -1.0)


def _from_quotients(survey: Survey) -> float:
    """The steepest difference quotient of neighbors on the paths: autodiff's slopes are others."""
    found = [0.0]
    for path in survey.paths:
        near = np.abs(path.steps) <= 100
        moves = np.diff(path.steps[near]) * np.linalg.norm(path.direction)
        quotients = np.abs(np.diff(path.value[near]) / moves)
        found += list(quotients[np.isfinite(quotients)])
        far = [survey.probe.values(p, path.target) for p in _far_points(survey, path)]
        if any(_grows(np.abs(np.append(0.0, np.diff(f) / np.diff(_FAR)))) for f in far):
            return math.inf
    return max(found)


def _proved_slope(survey: Survey) -> float | None:
    """A bound from the ranges of the gradient's program; None where they give none."""
    low, high = survey.slopes.outputs[1].range
    bound = max(abs(low), abs(high)) * math.sqrt(survey.subject.size)
    return bound if math.isfinite(bound) else None


def _curvature(survey: Survey) -> Property:
    """The supremum of the second derivative along any direction, where it exists."""
    if any(c.order == 0 for c in crossings(survey)):
        return Property(math.inf, "measured")

    def measure(points: Array, ways: Array, target: Target) -> Array:
        return survey.probe.derivatives(points, ways, target).second

    if any(c.order == 1 for c in crossings(survey) if math.isinf(c.size)) or _bends(survey):
        return Property(math.inf, "measured")
    tops = [s.derivatives.second for s in survey.samples]
    for path in survey.paths:
        unit = path.direction / np.linalg.norm(path.direction)
        for points in _far_points(survey, path):
            second = measure(points, np.broadcast_to(unit, points.shape), path.target)
            if _grows(second) and not np.isnan(second).any():
                return Property(math.inf, "measured")
        tops.append(_along(survey, path, unit, measure))
    values = _finite(tops)
    if not len(values):
        return Property(None, "measured")
    top = max(float(values.max()), 0.0)
    if survey.subject.size > 1:
        for sample in _two(survey):
            top = max(top, _ascend(survey, sample, sample.derivatives.second, measure))
    return Property(_short(top), "measured")


def _bends(survey: Survey) -> bool:
    """Whether the slope grows without end toward an end of a bounded domain."""
    if survey.subject.domain.name not in ("unit", "simplex"):
        return False
    slopes = _edges(survey)
    return bool(np.any(np.isfinite(slopes[:, -1]) & (slopes[:, -1] > 1e3 * slopes[:, 0])))


def _along(
    survey: Survey, path: Path, unit: Array, measure: Callable[[Array, Array, Target], Array]
) -> Array:
    """A measure along a path, looked at more closely around its largest value.

    Steps are odd numbers: at a tie of the program autodiff's second derivative is arbitrary.
    """
    steps = path.steps[np.abs(path.steps) < 100] * (1 + 1.3e-4) + 1.1e-7
    found = []
    for _ in range(3):
        points = along(path.base, path.direction, steps)
        points = np.clip(points, survey.subject.domain.low, survey.subject.domain.high)
        heights = _ordered(measure(points, np.broadcast_to(unit, points.shape), path.target))
        found.append(heights)
        i = int(np.argmax(heights))
        low, high = steps[max(i - 1, 0)], steps[min(i + 1, len(steps) - 1)]
        steps = np.linspace(low, high, 64)
    return np.concatenate(found)


def _range(survey: Survey) -> Property:
    met = [p.value for p in survey.paths] + [s.derivatives.value for s in survey.samples]
    values = _finite(met)
    if not len(values):
        return Property(None, "measured")
    low, high = _extremes(survey, float(values.min()), float(values.max()))
    far = _far_values(survey, False)
    if any(_grows(f) for f in far) or any(np.isposinf(v).any() for v in met):
        high = math.inf
    if any(_grows(-f) for f in far) or any(np.isneginf(v).any() for v in met):
        low = -math.inf
    bounds = survey.reading.outputs[0].range
    level = 1e-6 * max(1.0, abs(low) if math.isfinite(low) else 1.0)
    tight = [_close(low, bounds[0], level), _close(high, bounds[1], level)]
    if all(tight):
        return Property([_short(_shown(bounds[0])), _short(bounds[1])], "proved")
    return Property([_short(low), _short(high)], "measured")


def _extremes(survey: Survey, low: float, high: float) -> tuple[float, float]:
    """Both ends, after random predictions were followed toward them."""

    def up(points: Array, ways: Array, target: Target) -> Array:
        return survey.probe.values(points, target)

    def down(points: Array, ways: Array, target: Target) -> Array:
        return high - survey.probe.values(points, target)

    for sample in _two(survey):
        high = max(high, _ascend(survey, sample, sample.derivatives.value, up))
        low = min(low, high - _ascend(survey, sample, -sample.derivatives.value, down))
    return low, high


def _shown(bound: float) -> float:
    return 0.0 if 0 < bound < 1e-300 else bound


def _close(a: float, b: float, level: float) -> bool:
    return a == b or (math.isfinite(a) and math.isfinite(b) and abs(a - b) <= level)


def _dead(survey: Survey) -> Property:
    """The share of plausible predictions without any gradient, harmful or not."""
    gradients = np.concatenate([sample.derivatives.gradient for sample in survey.plausible])
    dead = ~np.any(gradients.reshape(len(gradients), -1), axis=1)
    return Property(round(float(dead.mean()), 4), "measured")


def _short(value: float) -> float:
    return 0.0 if abs(value) < 1e-12 else float(f"{value:.9g}")

"""The seven properties of an audit, each proved by the rules or measured."""

import functools
import math
from collections.abc import Sequence

import numpy as np

from landscape.audit.measure import suprema
from landscape.audit.measure.crossings import JUMP, KINK, SMOOTH, UNCLEAR
from landscape.audit.measure.domains import Target
from landscape.audit.measure.exact import exact_values
from landscape.audit.measure.midpoints import proved_convex, refuting_midpoint
from landscape.audit.measure.quotients import is_trusted
from landscape.audit.measure.survey import Survey, norms, once
from landscape.audit.measure.switching import crossings
from landscape.storage.audit_records import Property

Array = np.ndarray
CLASSES = ("discontinuous", "C0", "C1", "C2", "smooth")
# Near an edge the slope is infinite if at distance 1e-12 it exceeds POLE and POLE_GROWTH times its
# norm at 1e-8; the curvature is infinite if that slope is POLE times its norm at 1e-2.
POLE = 1e3
POLE_GROWTH = 10.0
TIGHT = 1 - 1e-4  # share of a proved slope that a measured one must reach


def properties(survey: Survey) -> dict[str, Property]:
    """Returns the properties by name, with the value None if no measurement is finite."""
    return {name: measure(survey) for name, measure in _MEASURES.items()}


def _smoothness(survey: Survey) -> Property:
    """The class of the function of the prediction, by the lowest derivative that jumps."""
    (output,) = survey.reading.outputs
    if output.smooth or not output.varies:
        return Property("smooth", "proved")
    orders = [int(c.size) if c.order == UNCLEAR else c.order for c in crossings(survey)]
    orders = [order for order in orders if order >= 0]
    return Property(CLASSES[min(orders, default=SMOOTH)], "measured")


def _convex(survey: Survey) -> Property:
    if proved_convex(survey):
        return Property(True, "proved")
    return Property(refuting_midpoint(survey) is None, "measured")


def _lipschitz(survey: Survey) -> Property:
    """The supremum of the norm of the gradient."""
    if _has_infinite_slope(survey):
        return Property(math.inf, "measured")
    if not is_trusted(survey):
        return Property(_rounded(suprema.steepest_quotient(survey)), "measured")

    def slope(points: Array, directions: Array, target: Target) -> Array:
        return norms(survey.probe.gradients(points, target)[1])

    rows = [s.norms for s in survey.samples] + [p.norms for p in survey.paths]
    if survey.subject.size == 1:
        rows += [np.abs(side[1]) for c in crossings(survey) for side in (c.left, c.right)]
    values = _finite(rows)
    top = float(values.max()) if len(values) else math.nan
    top = max(top, suprema.ascend_all(survey, slope, lambda sample: sample.norms))
    low, high = survey.slopes.outputs[1].range
    bound = max(abs(low), abs(high)) * math.sqrt(survey.subject.size)
    if math.isfinite(bound) and top >= TIGHT * bound:
        return Property(bound, "proved")
    return Property(_rounded(top), "measured")


def _has_infinite_slope(survey: Survey) -> bool:
    """Whether the value jumps, or its slope grows without bound: at a kink, far away or an edge."""
    if _jumps_or_has_cusps(survey) or any(suprema.grows(slopes) for _, slopes in _far(survey)):
        return True
    if survey.subject.domain.name not in ("unit", "simplex", "symmetric", "positive"):
        return False
    edges = suprema.edge_gradients(survey)
    last, before = edges[:, -1], edges[:, -3]
    return bool(np.any(np.isfinite(last) & (last > POLE_GROWTH * before) & (last > POLE)))


def _jumps_or_has_cusps(survey: Survey) -> bool:
    return any(
        crossing.order == JUMP or (crossing.order == KINK and math.isinf(crossing.size))
        for crossing in crossings(survey)
    )


def _curvature(survey: Survey) -> Property:
    """The supremum of the second derivative along any direction, where it exists."""
    if _jumps_or_has_cusps(survey) or _steepens(survey):
        return Property(math.inf, "measured")

    def second(points: Array, directions: Array, target: Target) -> Array:
        return survey.probe.derivatives(points, directions, target).second

    rows = [s.derivatives.second for s in survey.samples]
    for path in survey.paths:
        unit = path.direction / np.linalg.norm(path.direction)
        for points in suprema.far_points(survey, path):
            far = second(points, np.broadcast_to(unit, points.shape), path.target)
            if suprema.grows(far) and not np.isnan(far).any():
                return Property(math.inf, "measured")
        rows.append(suprema.along_path(survey, path, second))
    values = _finite(rows)
    if not len(values):
        return Property(None, "measured")
    top = max(float(values.max()), 0.0)
    if survey.subject.size > 1:
        top = max(top, suprema.ascend_all(survey, second, lambda s: s.derivatives.second))
    return Property(_rounded(top), "measured")


def _steepens(survey: Survey) -> bool:
    """Whether the slope grows without bound toward an end of a bounded domain."""
    if not survey.subject.domain.bounded:
        return False
    edges = suprema.edge_gradients(survey)
    return bool(np.any(np.isfinite(edges[:, -1]) & (edges[:, -1] > POLE * edges[:, 0])))


def _range(survey: Survey) -> Property:
    rows = [p.value for p in survey.paths] + [s.derivatives.value for s in survey.samples]
    values = _finite(rows)
    if not len(values):
        return Property(None, "measured")
    low, high = _extremes(survey, float(values.min()), float(values.max()))
    far = [values for values, _ in _far(survey)]
    if any(map(suprema.grows, far)) or any(np.isposinf(row).any() for row in rows):
        high = math.inf
    if any(suprema.grows(-row) for row in far if np.isfinite(row).all()) or _reaches_minus_inf(
        survey
    ):
        low = -math.inf
    least, most = survey.reading.outputs[0].range
    tolerance = 1e-6 * max(1.0, abs(low) if math.isfinite(low) else 1.0)
    close = functools.partial(math.isclose, rel_tol=0.0, abs_tol=tolerance)
    if close(low, least) and close(high, most):
        least = 0.0 if 0 < least < 1e-300 else least
        return Property([_rounded(least), _rounded(most)], "proved")
    return Property([_rounded(low), _rounded(high)], "measured")


def _reaches_minus_inf(survey: Survey) -> bool:
    """Whether a value is minus infinity, also in a computation with many digits."""
    groups = [(p.points, p.value, p.target) for p in survey.paths]
    groups += [(s.points, s.derivatives.value, s.target) for s in survey.samples]
    groups += [
        (points, survey.probe.values(points, path.target), path.target)
        for path in survey.paths
        for points in suprema.far_points(survey, path)
    ]
    for points, values, target in groups:
        infinite = points[np.isneginf(values)]
        if len(infinite) and exact_values(survey, infinite[[0, -1]], target) is None:
            return True
    return False


def _extremes(survey: Survey, low: float, high: float) -> tuple[float, float]:
    """Extends both ends by following random predictions toward them."""

    def value(points: Array, directions: Array, target: Target) -> Array:
        return survey.probe.values(points, target)

    def depth(points: Array, directions: Array, target: Target) -> Array:
        return high - survey.probe.values(points, target)

    for sample in (survey.plausible[0], survey.plausible[-1]):
        starts = sample.derivatives.value
        high = max(high, suprema.ascend(survey, sample, starts, value))
        low = min(low, high - suprema.ascend(survey, sample, -starts, depth))
        low = min(low, suprema.descend(survey, sample))
    return low, high


def _dead_fraction(survey: Survey) -> Property:
    """The share of plausible predictions without any gradient, harmful or not."""
    if survey.gradient_proved_zero:
        return Property(1.0, "proved")
    gradients = np.concatenate([sample.derivatives.gradient for sample in survey.plausible])
    dead = ~np.any(gradients.reshape(len(gradients), -1), axis=1)
    return Property(round(float(dead.mean()), 4), "measured")


def _coverage(survey: Survey) -> Property:
    if survey.gradient_proved_zero:
        return Property(0.0, "proved")
    return Property(round(survey.coverage, 4), "measured")


@once
def _far(survey: Survey) -> list[tuple[Array, Array]]:
    """Values and norms of gradients far away, per side of each path."""
    far = [
        survey.probe.gradients(points, path.target)
        for path in survey.paths
        for points in suprema.far_points(survey, path)
    ]
    return [(values, norms(gradients)) for values, gradients in far]


def _finite(rows: Sequence[Array]) -> Array:
    joined = np.concatenate([np.ravel(row) for row in rows])
    return joined[np.isfinite(joined)]


def _rounded(value: float) -> float:
    return 0.0 if abs(value) < 1e-12 else float(f"{value:.9g}")


_MEASURES = {
    "smoothness": _smoothness,
    "convex": _convex,
    "lipschitz": _lipschitz,
    "curvature": _curvature,
    "range": _range,
    "dead_fraction": _dead_fraction,
    "coverage": _coverage,
}
PROPERTIES = tuple(_MEASURES)

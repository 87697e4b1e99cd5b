"""The seven properties of an audit, each proved by the rules or measured."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from landscape.audit.findings import Finding, Property
from landscape.audit.measure.crossings import JUMP, KINK, SMOOTH, UNCLEAR, Crossing
from landscape.audit.measure.domains import Target
from landscape.audit.measure.midpoints import proved_convex, refuting_midpoint
from landscape.audit.measure.quotients import is_trusted
from landscape.audit.measure.suprema import (
    Quantity,
    along_path,
    ascend,
    ascend_all,
    edge_gradients,
    far_points,
    grows,
    steepest_quotient,
)
from landscape.audit.measure.survey import Survey, norms, once
from landscape.audit.measure.switching import crossings

Array = np.ndarray
CLASSES = ("discontinuous", "C0", "C1", "C2", "smooth")
# Near an edge the slope is infinite if at distance 1e-12 it exceeds POLE and POLE_GROWTH times its
# norm at 1e-8; the curvature is infinite if that slope is POLE times its norm at 1e-2.
POLE = 1e3
POLE_GROWTH = 10.0
TIGHT = 1 - 1e-4  # share of a proved slope that a measured one must reach


def properties(survey: Survey, findings: Sequence[Finding]) -> dict[str, Property]:
    """Returns the properties by name, with the value None if there is no finite measurement."""
    zero = next((f for f in findings if f.code == "G201"), None)
    proved = zero is not None and zero.evidence["how"] == "proved"
    return {
        "smoothness": _smoothness(survey),
        "convex": _convex(survey, findings),
        "lipschitz": _lipschitz(survey),
        "curvature": _curvature(survey),
        "range": _range(survey),
        "dead_fraction": Property(1.0, "proved") if proved else _dead_fraction(survey),
        "coverage": (
            Property(0.0, "proved") if proved else Property(round(survey.coverage, 4), "measured")
        ),
    }


def _smoothness(survey: Survey) -> Property:
    """The class of the function of the prediction, by the lowest derivative that jumps."""
    (output,) = survey.reading.outputs
    if output.smooth or not output.varies:
        return Property("smooth", "proved")
    orders = [int(c.size) if c.order == UNCLEAR else c.order for c in crossings(survey)]
    orders = [order for order in orders if order >= 0]
    return Property(CLASSES[min(orders, default=SMOOTH)], "measured")


def _convex(survey: Survey, findings: Sequence[Finding]) -> Property:
    if proved_convex(survey):
        return Property(True, "proved")
    if survey.subject.kind == "loss":
        return Property(not any(f.code == "S401" for f in findings), "measured")
    return Property(refuting_midpoint(survey) is None, "measured")


def _lipschitz(survey: Survey) -> Property:
    """The supremum of the norm of the gradient."""
    if _has_infinite_slope(survey):
        return Property(math.inf, "measured")
    rows = [s.norms for s in survey.samples] + [p.norms for p in survey.paths]
    if survey.subject.size == 1:
        rows += [np.abs(side[1]) for c in crossings(survey) for side in (c.left, c.right)]
    values = _finite(rows)
    top = float(values.max()) if len(values) else math.nan
    top = max(top, ascend_all(survey, _slope(survey), lambda sample: sample.norms))
    if not is_trusted(survey):
        return Property(_rounded(steepest_quotient(survey)), "measured")
    bound = _proved_slope(survey)
    if bound is not None and top >= TIGHT * bound:
        return Property(bound, "proved")
    return Property(_rounded(top), "measured")


def _has_infinite_slope(survey: Survey) -> bool:
    """Whether the value jumps, or its slope grows without bound: at a kink, far away or an edge."""
    if any(c.order == JUMP or _is_cusp(c) for c in crossings(survey)):
        return True
    if any(grows(far) for far in _far(survey).slopes):
        return True
    if survey.subject.domain.name not in ("unit", "simplex", "positive"):
        return False
    edges = edge_gradients(survey)
    last, before = edges[:, -1], edges[:, -3]
    return bool(np.any(np.isfinite(last) & (last > POLE_GROWTH * before) & (last > POLE)))


def _is_cusp(crossing: Crossing) -> bool:
    """Whether the slope is infinite at a kink."""
    return crossing.order == KINK and math.isinf(crossing.size)


def _slope(survey: Survey) -> Quantity:
    def slope(points: Array, directions: Array, target: Target) -> Array:
        return norms(survey.probe.gradients(points, target)[1])

    return slope


def _proved_slope(survey: Survey) -> float | None:
    """A bound from the ranges of the gradient's program; None if they give none."""
    low, high = survey.slopes.outputs[1].range
    bound = max(abs(low), abs(high)) * math.sqrt(survey.subject.size)
    return bound if math.isfinite(bound) else None


def _curvature(survey: Survey) -> Property:
    """The supremum of the second derivative along any direction, where it exists."""
    if any(c.order == JUMP or _is_cusp(c) for c in crossings(survey)) or _steepens(survey):
        return Property(math.inf, "measured")

    def second_derivative(points: Array, directions: Array, target: Target) -> Array:
        return survey.probe.derivatives(points, directions, target).second

    rows = [s.derivatives.second for s in survey.samples]
    for path in survey.paths:
        unit = path.direction / np.linalg.norm(path.direction)
        for points in far_points(survey, path):
            second = second_derivative(points, np.broadcast_to(unit, points.shape), path.target)
            if grows(second) and not np.isnan(second).any():
                return Property(math.inf, "measured")
        rows.append(along_path(survey, path, second_derivative))
    values = _finite(rows)
    if not len(values):
        return Property(None, "measured")
    top = max(float(values.max()), 0.0)
    if survey.subject.size > 1:
        top = max(top, ascend_all(survey, second_derivative, lambda s: s.derivatives.second))
    return Property(_rounded(top), "measured")


def _steepens(survey: Survey) -> bool:
    """Whether the slope grows without bound toward an end of a bounded domain."""
    if survey.subject.domain.name not in ("unit", "simplex"):
        return False
    edges = edge_gradients(survey)
    return bool(np.any(np.isfinite(edges[:, -1]) & (edges[:, -1] > POLE * edges[:, 0])))


def _range(survey: Survey) -> Property:
    rows = [p.value for p in survey.paths] + [s.derivatives.value for s in survey.samples]
    values = _finite(rows)
    if not len(values):
        return Property(None, "measured")
    low, high = _extremes(survey, float(values.min()), float(values.max()))
    far = _far(survey).values
    if any(map(grows, far)) or any(np.isposinf(row).any() for row in rows):
        high = math.inf
    if any(grows(-row) for row in far) or any(np.isneginf(row).any() for row in rows):
        low = -math.inf
    least, most = survey.reading.outputs[0].range
    tolerance = 1e-6 * max(1.0, abs(low) if math.isfinite(low) else 1.0)
    if _close(low, least, tolerance) and _close(high, most, tolerance):
        least = 0.0 if 0 < least < 1e-300 else least
        return Property([_rounded(least), _rounded(most)], "proved")
    return Property([_rounded(low), _rounded(high)], "measured")


def _extremes(survey: Survey, low: float, high: float) -> tuple[float, float]:
    """Both ends, after random predictions were followed toward them."""

    def up(points: Array, directions: Array, target: Target) -> Array:
        return survey.probe.values(points, target)

    def down(points: Array, directions: Array, target: Target) -> Array:
        return high - survey.probe.values(points, target)

    for sample in (survey.plausible[0], survey.plausible[-1]):
        value = sample.derivatives.value
        high = max(high, ascend(survey, sample, value, up))
        low = min(low, high - ascend(survey, sample, -value, down))
    return low, high


def _dead_fraction(survey: Survey) -> Property:
    """The share of plausible predictions without any gradient, harmful or not."""
    gradients = np.concatenate([sample.derivatives.gradient for sample in survey.plausible])
    dead = ~np.any(gradients.reshape(len(gradients), -1), axis=1)
    return Property(round(float(dead.mean()), 4), "measured")


class _Far(NamedTuple):
    """Values and norms of gradients far out, one row for each side of each path."""

    values: list[Array]
    slopes: list[Array]


@once
def _far(survey: Survey) -> _Far:
    rows = [
        survey.probe.gradients(points, path.target)
        for path in survey.paths
        for points in far_points(survey, path)
    ]
    return _Far([value for value, _ in rows], [norms(gradient) for _, gradient in rows])


def _finite(rows: Sequence[Array]) -> Array:
    joined = np.concatenate([np.ravel(row) for row in rows])
    return joined[np.isfinite(joined)]


def _close(a: float, b: float, tolerance: float) -> bool:
    return a == b or (math.isfinite(a) and math.isfinite(b) and abs(a - b) <= tolerance)


def _rounded(value: float) -> float:
    return 0.0 if abs(value) < 1e-12 else float(f"{value:.9g}")

"""Interval arithmetic and curvature rules: what is known of a value without evaluating it.

Curvature follows disciplined convex programming (Grant, Boyd and Ye 2006) and its log-log relative
for exponentials (Agrawal, Diamond and Boyd 2019): the sum of log-convex values is log-convex.
"""

import math
from collections.abc import Callable, Iterable

Interval = tuple[float, float]

CONSTANT, AFFINE, CONVEX, CONCAVE = "constant", "affine", "convex", "concave"
LOG_CONVEX, LOG_CONCAVE, UNKNOWN = "log-convex", "log-concave", "unknown"
EVERYTHING: Interval = (-math.inf, math.inf)
TINY = 5e-324  # stands for "above zero, however close": exp(x) and sigmoid(x) never reach 0
BELOW_ONE = math.nextafter(1.0, 0.0)

_IS_CONVEX = {CONSTANT, AFFINE, CONVEX, LOG_CONVEX}
_IS_CONCAVE = {CONSTANT, AFFINE, CONCAVE}


def times(a: float, b: float) -> float:
    """The product of two bounds; bounds of finite numbers, so 0 times infinity is 0."""
    return 0.0 if a == 0 or b == 0 else a * b


def added(a: Interval, b: Interval) -> Interval:
    return _bounds(a[0] + b[0], a[1] + b[1])


def negated(a: Interval) -> Interval:
    return -a[1], -a[0]


def multiplied(a: Interval, b: Interval) -> Interval:
    corners = [times(x, y) for x in a for y in b]
    return min(corners), max(corners)


def inverted(a: Interval) -> Interval:
    """1 / a; everything where a may be zero."""
    if a[0] > 0 or a[1] < 0:
        return (1 / a[1], 1 / a[0] if a[0] != TINY else math.inf)
    return EVERYTHING


def powered(a: Interval, exponent: float) -> Interval:
    """a ** exponent for a whole exponent, or for a base that is not negative."""
    if exponent == 0:
        return 1.0, 1.0
    if exponent < 0:
        return inverted(powered(a, -exponent))
    even = exponent == int(exponent) and int(exponent) % 2 == 0
    ends = [_power(x, exponent) for x in a]
    if even and a[0] < 0 < a[1]:
        return 0.0, max(ends)
    return min(ends), max(ends)


def _power(x: float, exponent: float) -> float:
    try:
        return math.copysign(abs(x) ** exponent, 1 if exponent % 2 != 1 else x)
    except OverflowError:
        return math.copysign(math.inf, x if exponent % 2 == 1 else 1)


def monotone(a: Interval, function: Callable[[float], float], low: float, high: float) -> Interval:
    """The image under an increasing function whose limits at the ends of its domain are given."""
    return _at(a[0], function, low, high), _at(a[1], function, low, high)


def _at(x: float, function: Callable[[float], float], low: float, high: float) -> float:
    if math.isinf(x):
        return low if x < 0 else high
    try:
        return min(max(function(x), low), high)
    except (OverflowError, ValueError):
        return high if x > 0 else low


def hull(intervals: Iterable[Interval]) -> Interval:
    found = list(intervals)
    return min(a for a, _ in found), max(b for _, b in found)


def _bounds(low: float, high: float) -> Interval:
    return (-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)


def sum_curve(a: str, b: str) -> str:
    """The curvature of a sum."""
    if CONSTANT in (a, b):
        other = b if a == CONSTANT else a
        if a == b:
            return CONSTANT
        return {LOG_CONVEX: CONVEX, LOG_CONCAVE: UNKNOWN}.get(other, other)
    if a == b and a in (AFFINE, LOG_CONVEX, CONCAVE):
        return a
    if {a, b} <= _IS_CONVEX:
        return CONVEX
    return CONCAVE if {a, b} <= _IS_CONCAVE else UNKNOWN


def negated_curve(a: str) -> str:
    return {CONVEX: CONCAVE, CONCAVE: CONVEX, LOG_CONVEX: CONCAVE, LOG_CONCAVE: UNKNOWN}.get(a, a)


def scaled_curve(a: str, factor: Interval) -> str:
    """The curvature of a value times a factor that does not move, known by its range."""
    if factor[0] >= 0:
        return a if factor[0] > 0 or a not in (LOG_CONVEX, LOG_CONCAVE) else _weaker(a)
    if factor[1] <= 0:
        return negated_curve(a)
    return a if a in (CONSTANT, AFFINE) else UNKNOWN


def _weaker(a: str) -> str:
    return CONVEX if a == LOG_CONVEX else UNKNOWN


def joined_curve(curves: Iterable[str]) -> str:
    """The curvature of an array whose elements have these."""
    found = set(curves) - {CONSTANT}
    if not found:
        return CONSTANT
    if len(found) == 1:
        return found.pop()
    if found <= _IS_CONVEX:
        return CONVEX
    return CONCAVE if found <= _IS_CONCAVE else UNKNOWN


def composed(outer: str, increasing: bool, curve: str) -> str:
    """A convex or concave function that is increasing, or decreasing, of a value."""
    if curve == CONSTANT:
        return CONSTANT
    fits = _IS_CONVEX if (outer == CONVEX) == increasing else _IS_CONCAVE
    return outer if curve in fits else UNKNOWN


def is_convex(curve: str) -> bool:
    """Whether this curvature is a convex one."""
    return curve in _IS_CONVEX


def is_concave(curve: str) -> bool:
    """Whether this curvature is a concave one."""
    return curve in _IS_CONCAVE

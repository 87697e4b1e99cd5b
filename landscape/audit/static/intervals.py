"""Interval arithmetic and curvature rules: what is known of a value without evaluating it.

Curvature follows disciplined convex programming (Grant, Boyd and Ye 2006) and its log-log relative
for exponentials (Agrawal, Diamond and Boyd 2019): the sum of log-convex values is log-convex.
"""

import math
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction

Interval = tuple[float, float]

CONSTANT, AFFINE, CONVEX, CONCAVE = "constant", "affine", "convex", "concave"
LOG_CONVEX, LOG_CONCAVE, UNKNOWN = "log-convex", "log-concave", "unknown"
EVERYTHING: Interval = (-math.inf, math.inf)
# As a lower bound "above zero, however close", as exp(x) is; negated, an upper bound.
TINY = 5e-324
# As an upper bound "below one, however close", as sigmoid(x) is; negated, a lower bound.
BELOW_ONE = math.nextafter(1.0, 0.0)

_LOW, _HIGH = -1, 1
_CLOSED = {_LOW: {TINY: 0.0, -BELOW_ONE: -1.0}, _HIGH: {-TINY: 0.0, BELOW_ONE: 1.0}}
_OPENED = {way: {end: value for value, end in ends.items()} for way, ends in _CLOSED.items()}
_MAX = sys.float_info.max
_IS_CONVEX = {CONSTANT, AFFINE, CONVEX, LOG_CONVEX}
_IS_CONCAVE = {CONSTANT, AFFINE, CONCAVE}


def _closed(bound: float, way: int) -> float:
    """The number that an end does not quite reach, or the end itself."""
    return _CLOSED[way].get(bound, bound)


def _opened(value: float, way: int, is_open: bool) -> float:
    return _OPENED[way].get(value, value) + 0.0 if is_open else value + 0.0


def _outward(value: float, way: int, exact: Fraction | None = None) -> float:
    """A rounded bound moved outward until it holds; `exact` is what was rounded, if known."""
    if math.isinf(value):
        return value if value * way > 0 else -way * _MAX
    if exact is not None and (Fraction(value) - exact) * way >= 0:
        return value
    return math.nextafter(value, way * math.inf)


def added(a: Interval, b: Interval) -> Interval:
    return _sum(a[0], b[0], _LOW), _sum(a[1], b[1], _HIGH)


def _sum(a: float, b: float, way: int) -> float:
    x, y = _closed(a, way), _closed(b, way)
    if math.isinf(x) or math.isinf(y):
        return way * math.inf if math.isnan(x + y) else x + y
    return _opened(_outward(x + y, way, Fraction(x) + Fraction(y)), way, x != a or y != b)


def negated(a: Interval) -> Interval:
    return -a[1], -a[0]


def multiplied(a: Interval, b: Interval) -> Interval:
    return _product(a, b, _LOW), _product(a, b, _HIGH)


def _product(a: Interval, b: Interval, way: int) -> float:
    """The outermost product of two ends, kept open where it is not reached."""
    ends = [(x, _closed(x, side)) for x, side in zip(a, (_LOW, _HIGH), strict=True)]
    others = [(y, _closed(y, side)) for y, side in zip(b, (_LOW, _HIGH), strict=True)]
    corners = [
        (_times(x, y, way), 0 not in (open_x, open_y) and (open_x, open_y) != (x, y))
        for open_x, x in ends
        for open_y, y in others
    ]
    value = max((corner for corner, _ in corners), key=lambda corner: corner * way)
    return _opened(value, way, all(is_open for corner, is_open in corners if corner == value))


def _times(x: float, y: float, way: int) -> float:
    """The product of two bounds; bounds of finite numbers, so 0 times infinity is 0."""
    if x == 0 or y == 0:
        return 0.0
    if math.isinf(x) or math.isinf(y):
        return x * y
    return _outward(x * y, way, Fraction(x) * Fraction(y))


def inverted(a: Interval) -> Interval:
    """1 / a for finite numbers; everything where a may be zero."""
    if a[1] < 0:
        return negated(inverted(negated(a)))
    if a[0] <= 0:
        return EVERYTHING
    if math.isinf(a[0]):
        return 0.0, 0.0
    return _inverse(a[1], _HIGH), _inverse(a[0], _LOW)


def _inverse(bound: float, way: int) -> float:
    """The other bound of 1 / a from this one of a, which is above zero."""
    x = _closed(bound, way)
    if x == 0:
        return math.inf
    if math.isinf(x):
        return TINY if way == _HIGH else 0.0
    return _outward(1 / x, -way, 1 / Fraction(x))


def powered(a: Interval, exponent: float) -> Interval:
    """a ** exponent for a whole exponent, or for a base that is not negative."""
    if exponent == 0:
        return 1.0, 1.0
    if exponent < 0:
        return inverted(powered(a, -exponent))
    if exponent % 2 == 0 and a[0] < 0:
        flipped = negated(a)
        if a[1] <= 0:
            return powered(flipped, exponent)
        return 0.0, max(_power(x, exponent, _HIGH) for x in (flipped[1], a[1]))
    return _power(a[0], exponent, _LOW), _power(a[1], exponent, _HIGH)


def _power(bound: float, exponent: float, way: int) -> float:
    """An end of an increasing power."""
    x = _closed(bound, way)
    try:
        value = math.copysign(abs(x) ** exponent, x)
    except OverflowError:
        value = math.copysign(math.inf, x)
    if math.isinf(x):
        return value
    exact = Fraction(x) if x in (0.0, 1.0) else None
    if exponent == int(exponent) and exponent <= 16:
        exact = Fraction(x) ** int(exponent)
    return _opened(_outward(value, way, exact), way, x != bound)


def monotone(a: Interval, function: Callable[[float], float], low: float, high: float) -> Interval:
    """The image under an increasing function whose limits at the ends of its domain are given."""
    return _at(a[0], function, low, high, _LOW), _at(a[1], function, low, high, _HIGH)


def _at(
    bound: float, function: Callable[[float], float], low: float, high: float, way: int
) -> float:
    x = _closed(bound, way)
    if math.isinf(x):
        return low if x < 0 else high
    try:
        value = function(x)
    except OverflowError:
        value = math.copysign(math.inf, x)
    except ValueError:  # a logarithm of what is not positive
        return low
    # Libraries compute these functions to about one unit in the last place.
    if not (x in (-1.0, 0.0, 1.0) and value in (-1.0, 0.0, 0.5, 1.0)):
        value = _outward(_outward(value, way), way)
    return min(max(_opened(value, way, x != bound), low), high)


def hull(intervals: Iterable[Interval]) -> Interval:
    found = list(intervals)
    return min(a for a, _ in found), max(b for _, b in found)


def below(a: Interval, b: Interval) -> bool:
    """Whether every number of a is below every number of b."""
    x, y = _closed(a[1], _HIGH), _closed(b[0], _LOW)
    return x < y or (x == y and (x, y) != (a[1], b[0]))


def not_above(a: Interval, b: Interval) -> bool:
    """Whether no number of a is above one of b."""
    return _closed(a[1], _HIGH) <= _closed(b[0], _LOW)


def sum_curve(a: str, b: str) -> str:
    """The curvature of a sum."""
    if CONSTANT in (a, b):
        other = b if a == CONSTANT else a
        if a == b:
            return CONSTANT
        return weaker(other)
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
        return a if factor[0] > 0 else weaker(a)
    if factor[1] <= 0:
        return negated_curve(a)
    return a if a in (CONSTANT, AFFINE) else UNKNOWN


def weaker(a: str) -> str:
    """The curvature of a value of which it is not known that it is positive."""
    return {LOG_CONVEX: CONVEX, LOG_CONCAVE: UNKNOWN}.get(a, a)


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

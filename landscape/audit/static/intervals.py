"""Interval arithmetic with open ends, and rules for the convexity of sums and compositions.

An interval holds every value of the exact result: bounds are rounded outward. Convexity follows
disciplined convex programming (Grant, Boyd and Ye 2006) and its log-log variant for exponentials
(Agrawal, Diamond and Boyd 2019): the sum of log-convex values is log-convex.
"""

import math
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction

Interval = tuple[float, float]

CONSTANT, AFFINE, CONVEX, CONCAVE = "constant", "affine", "convex", "concave"
LOG_CONVEX, LOG_CONCAVE, UNKNOWN = "log-convex", "log-concave", "unknown"
EVERYTHING: Interval = (-math.inf, math.inf)
# The open lower bound 0, as of exp(x); negated, an open upper bound.
ABOVE_ZERO = 5e-324
# The open upper bound 1, as of sigmoid(x); negated, an open lower bound.
BELOW_ONE = math.nextafter(1.0, 0.0)

_LOW, _HIGH = -1, 1
_CLOSED = {_LOW: {ABOVE_ZERO: 0.0, -BELOW_ONE: -1.0}, _HIGH: {-ABOVE_ZERO: 0.0, BELOW_ONE: 1.0}}
_OPENED = {
    side: {bound: value for value, bound in bounds.items()} for side, bounds in _CLOSED.items()
}
_MAX = sys.float_info.max
_IS_CONVEX = {CONSTANT, AFFINE, CONVEX, LOG_CONVEX}
_IS_CONCAVE = {CONSTANT, AFFINE, CONCAVE}


def _closed(bound: float, side: int) -> float:
    """Returns the limit that an open bound does not reach, or a closed bound itself."""
    return _CLOSED[side].get(bound, bound)


def _opened(value: float, side: int, is_open: bool) -> float:
    """Returns the open bound at a limit, if it has one and `is_open`, else the closed bound."""
    return _OPENED[side].get(value, value) + 0.0 if is_open else value + 0.0


def _outward(value: float, side: int, exact: Fraction | None = None) -> float:
    """Returns a rounded bound, moved outward unless it already encloses the `exact` result."""
    if math.isinf(value):
        return value if value * side > 0 else -side * _MAX
    if exact is not None and (Fraction(value) - exact) * side >= 0:
        return value
    return math.nextafter(value, side * math.inf)


def add(a: Interval, b: Interval) -> Interval:
    """Returns an enclosure of a + b."""
    return _sum(a[0], b[0], _LOW), _sum(a[1], b[1], _HIGH)


def _sum(a: float, b: float, side: int) -> float:
    x, y = _closed(a, side), _closed(b, side)
    if math.isinf(x) or math.isinf(y):
        return side * math.inf if math.isnan(x + y) else x + y
    return _opened(_outward(x + y, side, Fraction(x) + Fraction(y)), side, x != a or y != b)


def negate(a: Interval) -> Interval:
    """Returns -a."""
    return -a[1], -a[0]


def multiply(a: Interval, b: Interval) -> Interval:
    """Returns an enclosure of a * b for finite numbers, so that 0 * inf is 0."""
    return _product(a, b, _LOW), _product(a, b, _HIGH)


def _product(a: Interval, b: Interval, side: int) -> float:
    """Returns the outermost product of two bounds, open if it is not reached."""
    left, right = (
        [(bound, _closed(bound, end)) for bound, end in zip(c, (_LOW, _HIGH), strict=True)]
        for c in (a, b)
    )
    corners = [
        (_times(x, y, side), 0 not in (open_x, open_y) and (open_x, open_y) != (x, y))
        for open_x, x in left
        for open_y, y in right
    ]
    value = max((corner for corner, _ in corners), key=lambda corner: corner * side)
    return _opened(value, side, all(is_open for corner, is_open in corners if corner == value))


def _times(x: float, y: float, side: int) -> float:
    """Returns x * y rounded outward; these bound finite numbers, so that 0 * inf is 0."""
    if x == 0 or y == 0:
        return 0.0
    if math.isinf(x) or math.isinf(y):
        return x * y
    return _outward(x * y, side, Fraction(x) * Fraction(y))


def reciprocal(a: Interval) -> Interval:
    """Returns an enclosure of 1 / a for finite numbers; everything if a may be zero."""
    if a[1] < 0:
        return negate(reciprocal(negate(a)))
    if a[0] <= 0:
        return EVERYTHING
    if math.isinf(a[0]):
        return 0.0, 0.0
    return _reciprocal(a[1], _HIGH), _reciprocal(a[0], _LOW)


def _reciprocal(bound: float, side: int) -> float:
    """Returns the bound of 1 / a that this bound of a, which is above zero, turns into."""
    x = _closed(bound, side)
    if x == 0:
        return math.inf
    if math.isinf(x):
        return ABOVE_ZERO if side == _HIGH else 0.0
    return _outward(1 / x, -side, 1 / Fraction(x))


def power(a: Interval, exponent: float) -> Interval:
    """Returns an enclosure of a ** exponent for an integer exponent or a nonnegative base."""
    if exponent == 0:
        return 1.0, 1.0
    if exponent < 0:
        return reciprocal(power(a, -exponent))
    if exponent % 2 == 0 and a[0] < 0:
        flipped = negate(a)
        if a[1] <= 0:
            return power(flipped, exponent)
        return 0.0, max(_power(x, exponent, _HIGH) for x in (flipped[1], a[1]))
    return _power(a[0], exponent, _LOW), _power(a[1], exponent, _HIGH)


def _power(bound: float, exponent: float, side: int) -> float:
    """Returns one bound of an increasing power."""
    x = _closed(bound, side)
    try:
        value = math.copysign(abs(x) ** exponent, x)
    except OverflowError:
        value = math.copysign(math.inf, x)
    if math.isinf(x):
        return value
    exact = Fraction(x) if x in (0.0, 1.0) else None
    if exponent == int(exponent) and exponent <= 16:
        exact = Fraction(x) ** int(exponent)
    return _opened(_outward(value, side, exact), side, x != bound)


def image(a: Interval, function: Callable[[float], float], low: float, high: float) -> Interval:
    """Returns an enclosure of function(a) for an increasing function with these limits."""
    return (
        _image_bound(a[0], function, low, high, _LOW),
        _image_bound(a[1], function, low, high, _HIGH),
    )


def _image_bound(
    bound: float, function: Callable[[float], float], low: float, high: float, side: int
) -> float:
    x = _closed(bound, side)
    if math.isinf(x):
        return low if x < 0 else high
    try:
        value = function(x)
    except OverflowError:
        value = math.copysign(math.inf, x)
    except ValueError:  # the logarithm of a number that is not positive
        return low
    # Libraries compute these functions to about one unit in the last place.
    if not (x in (-1.0, 0.0, 1.0) and value in (-1.0, 0.0, 0.5, 1.0)):
        value = _outward(_outward(value, side), side)
    return min(max(_opened(value, side, x != bound), low), high)


def hull(intervals: Iterable[Interval]) -> Interval:
    """Returns the smallest interval that encloses all of these."""
    lows, highs = zip(*intervals, strict=True)
    return min(lows), max(highs)


def below(a: Interval, b: Interval) -> bool:
    """Whether x < y for all x in a and y in b."""
    x, y = _closed(a[1], _HIGH), _closed(b[0], _LOW)
    return x < y or (x == y and (x, y) != (a[1], b[0]))


def not_above(a: Interval, b: Interval) -> bool:
    """Whether x <= y for all x in a and y in b."""
    return _closed(a[1], _HIGH) <= _closed(b[0], _LOW)


def sum_convexity(a: str, b: str) -> str:
    """Returns the convexity of x + y from those of x and y."""
    if CONSTANT in (a, b):
        return CONSTANT if a == b else without_sign(b if a == CONSTANT else a)
    if a == b and a in (AFFINE, LOG_CONVEX, CONCAVE):
        return a
    if {a, b} <= _IS_CONVEX:
        return CONVEX
    return CONCAVE if {a, b} <= _IS_CONCAVE else UNKNOWN


def negated_convexity(a: str) -> str:
    """Returns the convexity of -x."""
    return {CONVEX: CONCAVE, CONCAVE: CONVEX, LOG_CONVEX: CONCAVE, LOG_CONCAVE: UNKNOWN}.get(a, a)


def scaled_convexity(a: str, factor: Interval) -> str:
    """Returns the convexity of c * x, if c in the interval `factor` does not vary."""
    if factor[0] >= 0:
        return a if factor[0] > 0 else without_sign(a)
    if factor[1] <= 0:
        return negated_convexity(a)
    return a if a in (CONSTANT, AFFINE) else UNKNOWN


def without_sign(a: str) -> str:
    """Returns the convexity of x if x may not be positive."""
    return {LOG_CONVEX: CONVEX, LOG_CONCAVE: UNKNOWN}.get(a, a)


def joined_convexity(convexities: Iterable[str]) -> str:
    """Returns the convexity of an array whose elements have these."""
    distinct = set(convexities) - {CONSTANT}
    if len(distinct) <= 1:
        return distinct.pop() if distinct else CONSTANT
    if distinct <= _IS_CONVEX:
        return CONVEX
    return CONCAVE if distinct <= _IS_CONCAVE else UNKNOWN


def composed_convexity(outer: str, increasing: bool, inner: str) -> str:
    """Returns the convexity of f(x) for a convex or concave f that increases or decreases."""
    if inner == CONSTANT:
        return CONSTANT
    required = _IS_CONVEX if (outer == CONVEX) == increasing else _IS_CONCAVE
    return outer if inner in required else UNKNOWN


def is_convex(convexity: str) -> bool:
    """Whether values of this convexity are convex functions of the prediction."""
    return convexity in _IS_CONVEX


def is_concave(convexity: str) -> bool:
    """Whether values of this convexity are concave functions of the prediction."""
    return convexity in _IS_CONCAVE

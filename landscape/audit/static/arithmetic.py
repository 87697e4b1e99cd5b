"""Rules of smooth operations: range, convexity and smoothness of their results.

A rule takes an equation and the abstract values of its operands, and returns that of its result.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from landscape.audit.static import intervals as iv
from landscape.audit.static.abstract import (
    AbstractValue,
    ArrayAxes,
    NonFinite,
    Shift,
    depending_on,
    unknown,
)

Rule = Callable[[Any, Sequence[AbstractValue]], AbstractValue]


def add(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns x + y; adding back the constant of a shift gives the unshifted value."""
    a, b = args
    rank = len(eqn.outvars[0].aval.shape)
    for x, y in ((a, b), (b, a)):
        if x.shift and y.stopped is not None and _undoes(x.shift, y.stopped, rank):
            return x.shift.base
    convexity = iv.sum_convexity(a.convexity, b.convexity)
    for x, y in ((a, b), (b, a)):
        if x.convexity == iv.LOG_CONVEX and not y.varies and y.range[0] >= 0:
            convexity = iv.LOG_CONVEX
    return depending_on(args, iv.add(a.range, b.range), convexity)


def sub(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns x - y; a difference of equal values, or of equal shifts, needs no bound."""
    a, b = args
    if a.id is not None and a.id == b.id and a.nonfinite < NonFinite.BY_PREDICTION:
        return AbstractValue(range=(0.0, 0.0), nonfinite=a.nonfinite)
    rank = len(eqn.outvars[0].aval.shape)
    if a.shift and b.shift and _same_shift(a.shift, b.shift, "difference", rank):
        return sub(eqn, (a.shift.base, b.shift.base))
    convexity = iv.sum_convexity(a.convexity, iv.negated_convexity(b.convexity))
    difference = depending_on(args, iv.add(a.range, iv.negate(b.range)), convexity)
    if b.stopped is not None:
        return replace(difference, shift=Shift("difference", b.stopped.broadcast_to(rank), a))
    return difference


def _undoes(shift: Shift, stopped: ArrayAxes, rank: int) -> bool:
    """Whether adding this stopped value cancels the shift."""
    constant = shift.constant.broadcast_to(rank)
    return shift.kind == "difference" and constant == stopped.broadcast_to(rank)


def _same_shift(a: Shift, b: Shift, kind: str, rank: int) -> bool:
    """Whether two values were shifted by the same constant in this way."""
    constants = a.constant.broadcast_to(rank), b.constant.broadcast_to(rank)
    return constants[0] == constants[1] and a.kind == b.kind == kind


def neg(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns -x."""
    return depending_on(args, iv.negate(args[0].range), iv.negated_convexity(args[0].convexity))


def mul(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns x * y; the product of equal values is a square."""
    a, b = args
    if a.id is not None and a.id == b.id:
        return power(args[:1], 2)
    if not a.varies or not b.varies:
        fixed, varying = (a, b) if not a.varies else (b, a)
        convexity = iv.scaled_convexity(varying.convexity, fixed.range)
    elif a.convexity == b.convexity and a.convexity in (iv.LOG_CONVEX, iv.LOG_CONCAVE):
        convexity = a.convexity
    else:
        convexity = iv.UNKNOWN
    product = depending_on(args, iv.multiply(a.range, b.range), convexity)
    if product.nonfinite:  # 0 * inf is NaN
        return replace(product, nonfinite=NonFinite.possible(product.varies))
    return product


def div(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns x / y; the quotient of a shifted exponential and their sum lies in (0, 1]."""
    a, b = args
    rank = len(eqn.outvars[0].aval.shape)
    if a.shift and b.shift and _same_shift(a.shift, b.shift, "factor", rank):
        quotient = div(eqn, (a.shift.base, b.shift.base))
        if b.shift.sum_of is not None and _is_term_of(a, b.shift.sum_of):
            quotient = replace(quotient, range=(iv.ABOVE_ZERO, 1.0))
        return quotient
    inverse = iv.reciprocal(b.range)
    if b.nonfinite:
        inverse = iv.hull((inverse, (0.0, 0.0)))
    bounds = iv.multiply(a.range, inverse)
    if eqn.outvars[0].aval.dtype.kind in "iu":
        bounds = iv.add(bounds, (-1.0, 1.0))
    nonzero = b.range[0] > 0 or b.range[1] < 0
    quotient = depending_on(args, bounds, _quotient_convexity(a, b, inverse, nonzero))
    smooth = a.smooth and b.smooth and nonzero
    if not b.varies:
        smooth = a.smooth and (nonzero or not (b.uses_target and a.varies))
    nonfinite = _nonfinite_unless(nonzero, quotient, b.varies)
    return replace(quotient, smooth=smooth, nonfinite=nonfinite)


def _quotient_convexity(
    a: AbstractValue, b: AbstractValue, inverse: iv.Interval, nonzero: bool
) -> str:
    if not b.varies:
        return iv.scaled_convexity(a.convexity, inverse) if nonzero else iv.UNKNOWN
    if a.varies:
        return iv.UNKNOWN
    swapped = {iv.LOG_CONVEX: iv.LOG_CONCAVE, iv.LOG_CONCAVE: iv.LOG_CONVEX}
    convex = iv.CONVEX if iv.is_concave(b.convexity) and b.range[0] > 0 else iv.UNKNOWN
    return iv.scaled_convexity(swapped.get(b.convexity, convex), a.range)


def _is_term_of(value: AbstractValue, terms: ArrayAxes) -> bool:
    """Whether each element of a sum is divided into one of its own terms."""
    return terms.id == value.id and all(a in (None, i) for i, a in enumerate(terms.axes))


def _nonfinite_unless(inside: bool, value: AbstractValue, varies: bool) -> NonFinite:
    """Returns what makes a result non-finite; operands `inside` the domain add nothing."""
    return value.nonfinite if inside else max(value.nonfinite, NonFinite.possible(varies))


def power(args: Sequence[AbstractValue], exponent: float) -> AbstractValue:
    """Returns x ** exponent for a constant exponent."""
    a = args[0]
    if not math.isfinite(exponent):
        return unknown(args)
    low, high = a.range
    integer = exponent == int(exponent)
    bounds = iv.power(a.range, exponent) if integer or low >= 0 else iv.EVERYTHING
    value = depending_on(args, bounds, _power_convexity(a, exponent))
    nonzero = low > 0 or (integer and high < 0)
    smooth = nonzero or (integer and exponent >= 0)
    finite = nonzero or (exponent >= 0 and (integer or low >= 0))
    return _inside_domain(value, a.varies, smooth, finite)


def _power_convexity(a: AbstractValue, exponent: float) -> str:
    low, high = a.range
    if exponent == 1:
        return a.convexity
    if exponent > 0 and exponent % 2 == 0:
        convex = low >= 0 and iv.is_convex(a.convexity)
        concave = high <= 0 and iv.is_concave(a.convexity)
        return iv.CONVEX if convex or concave or a.convexity == iv.AFFINE else iv.UNKNOWN
    if low < 0:
        return iv.UNKNOWN
    outer = iv.CONVEX if exponent >= 1 or exponent < 0 else iv.CONCAVE
    return iv.composed_convexity(outer, exponent > 0, a.convexity)


def pow(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns x ** y."""
    base, exponent = args
    if not exponent.varies and exponent.range[0] == exponent.range[1]:
        return power(args[:1], exponent.range[0])
    bounds = (0.0, math.inf) if base.range[0] >= 0 else iv.EVERYTHING
    value = depending_on(args, bounds, iv.UNKNOWN)
    positive = base.range[0] > 0
    return _inside_domain(value, value.varies, positive, positive)


def exp(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns exp(x); a difference becomes a factor."""
    a = args[0]
    shift = None
    if a.shift and a.shift.kind == "difference":
        shift = Shift("factor", a.shift.constant, exp(eqn, (a.shift.base,)))
    low = 0.0 if a.nonfinite else iv.ABOVE_ZERO
    convexity = iv.UNKNOWN
    if a.convexity in (iv.AFFINE, iv.CONVEX, iv.LOG_CONVEX):
        convexity = iv.LOG_CONVEX
    elif a.convexity == iv.CONCAVE:
        convexity = iv.LOG_CONCAVE
    bounds = iv.image(a.range, math.exp, low, math.inf)
    return replace(depending_on(args, bounds, convexity), shift=shift)


def log(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns log(x); a factor becomes a difference."""
    a = args[0]
    shift = None
    if a.shift and a.shift.kind == "factor":
        shift = Shift("difference", a.shift.constant, log(eqn, (a.shift.base,)))
    convexity = {iv.LOG_CONVEX: iv.CONVEX, iv.LOG_CONCAVE: iv.CONCAVE}.get(a.convexity)
    convexity = convexity or iv.composed_convexity(iv.CONCAVE, True, a.convexity)
    bounds = iv.image(a.range, math.log, -math.inf, math.inf)
    positive = a.range[0] > 0
    value = _inside_domain(depending_on(args, bounds, convexity), a.varies, positive, positive)
    return replace(value, shift=shift)


def _inside_domain(value: AbstractValue, varies: bool, smooth: bool, finite: bool) -> AbstractValue:
    """Returns f(a), where f is `smooth` and `finite` at all values of a, which may vary."""
    return replace(
        value,
        smooth=value.smooth and (smooth or not varies),
        nonfinite=_nonfinite_unless(finite, value, varies),
    )


def log1p(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns log(1 + x)."""
    a = args[0]
    composed = iv.composed_convexity(iv.CONCAVE, True, a.convexity)
    convexity = iv.CONVEX if a.convexity == iv.LOG_CONVEX else composed
    bounds = iv.image(a.range, math.log1p, -math.inf, math.inf)
    inside = a.range[0] > -1
    return _inside_domain(depending_on(args, bounds, convexity), a.varies, inside, inside)


def sqrt(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns sqrt(x), which is finite at 0 but not smooth there."""
    a = args[0]
    convexity = a.convexity
    if convexity != iv.LOG_CONCAVE:
        convexity = iv.composed_convexity(iv.CONCAVE, True, convexity)
    bounds = iv.image((max(a.range[0], 0.0), a.range[1]), math.sqrt, 0.0, math.inf)
    value = depending_on(args, bounds, convexity)
    return _inside_domain(value, a.varies, smooth=a.range[0] > 0, finite=a.range[0] >= 0)


def rsqrt(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns 1 / sqrt(x)."""
    a = args[0]
    low, high = max(a.range[0], iv.ABOVE_ZERO), a.range[1]
    roots = iv.image((low, high), math.sqrt, 0.0, math.inf)
    bounds = iv.reciprocal(roots) if high > 0 else (0.0, math.inf)
    value = depending_on(args, bounds, iv.composed_convexity(iv.CONVEX, False, a.convexity))
    return _inside_domain(value, a.varies, a.range[0] > 0, a.range[0] > 0)


def logistic(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns 1 / (1 + exp(-x))."""

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x)) if x > -700 else iv.ABOVE_ZERO

    a = args[0]
    bounds = iv.image(a.range, sigmoid, iv.ABOVE_ZERO, iv.BELOW_ONE)
    concave = iv.is_concave(a.convexity)
    return depending_on(args, bounds, iv.LOG_CONCAVE if concave else iv.UNKNOWN)


def increasing(
    function: Callable[[float], float], low: float, high: float, outer: str = iv.UNKNOWN
) -> Rule:
    """Returns the rule of an increasing smooth function with these limits and convexity `outer`."""

    def rule(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
        convexity = iv.UNKNOWN
        if outer != iv.UNKNOWN:
            convexity = iv.composed_convexity(outer, True, args[0].convexity)
        return depending_on(args, iv.image(args[0].range, function, low, high), convexity)

    return rule


def reduce_sum(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns sums over axes, which remember the shifted exponentials that they sum."""
    a = args[0]
    before, after = eqn.invars[0].aval.size, max(eqn.outvars[0].aval.size, 1)
    terms = before / after if before else 0
    total = depending_on(args, iv.multiply(a.range, (terms, terms)), _sum_convexity(a))
    if a.shift and a.shift.kind == "factor":
        axes, rank = eqn.params["axes"], len(eqn.invars[0].aval.shape)
        constant = a.shift.constant.summed_over(axes)
        if constant is not None and a.id is not None:
            base = reduce_sum(eqn, (a.shift.base,))
            sum_of = ArrayAxes(a.id, tuple(i for i in range(rank) if i not in axes))
            return replace(total, shift=Shift("factor", constant, base, sum_of))
    return total


def _sum_convexity(a: AbstractValue) -> str:
    """Returns the convexity of a sum of elements; log-concavity is lost."""
    return a.convexity if a.convexity != iv.LOG_CONCAVE else iv.UNKNOWN


def cumsum(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns cumulative sums of 1 to n terms."""
    a = args[0]
    terms = (1.0, float(max(eqn.invars[0].aval.shape[eqn.params["axis"]], 1)))
    return depending_on(args, iv.multiply(a.range, terms), _sum_convexity(a))


def dot(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns sums of products."""
    product = mul(eqn, [replace(a, id=None) for a in args])
    (contracted, _), _ = eqn.params["dimension_numbers"]
    terms = math.prod(eqn.invars[0].aval.shape[i] for i in contracted)
    bounds = iv.multiply(product.range, (terms, terms))
    return replace(product, range=bounds, convexity=_sum_convexity(product))

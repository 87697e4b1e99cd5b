"""Rules of smooth operations: range, curvature and smoothness of what they return."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from landscape.audit.static import intervals as iv
from landscape.audit.static.abstract import (
    FINITE,
    SOMEWHERE,
    Abstract,
    Origin,
    Shift,
    holes,
    result,
    unknown,
)

Rule = Callable[[Any, Sequence[Abstract]], Abstract]


def add(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    rank = len(eqn.outvars[0].aval.shape)
    for one, other in ((a, b), (b, a)):
        if one.shift and other.origin is not None and _undoes(one.shift, other.origin, rank):
            return one.shift.base
    curve = iv.sum_curve(a.curve, b.curve)
    for one, other in ((a, b), (b, a)):
        if one.curve == iv.LOG_CONVEX and not other.moves and other.range[0] >= 0:
            curve = iv.LOG_CONVEX
    return result(args, iv.added(a.range, b.range), curve)


def sub(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    if a.identity is not None and a.identity == b.identity and a.infinite < SOMEWHERE:
        return Abstract(range=(0.0, 0.0), infinite=a.infinite)
    rank = len(eqn.outvars[0].aval.shape)
    if a.shift and b.shift and _alike(a.shift, b.shift, "difference", rank):
        return sub(eqn, (a.shift.base, b.shift.base))
    curve = iv.sum_curve(a.curve, iv.negated_curve(b.curve))
    found = result(args, iv.added(a.range, iv.negated(b.range)), curve)
    if b.origin is not None:
        return replace(found, shift=Shift("difference", b.origin.of(rank), a))
    return found


def _undoes(shift: Shift, origin: Origin, rank: int) -> bool:
    """Whether adding this stopped value takes the shift away again."""
    return shift.kind == "difference" and shift.origin.of(rank) == origin.of(rank)


def _alike(a: Shift, b: Shift, kind: str, rank: int) -> bool:
    """Whether two values were shifted by the same constant in this way."""
    return a.origin.of(rank) == b.origin.of(rank) and a.kind == b.kind == kind


def neg(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return result(args, iv.negated(args[0].range), iv.negated_curve(args[0].curve))


def mul(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    if a.identity is not None and a.identity == b.identity:
        return power(args[:1], 2)
    if not a.moves or not b.moves:
        fixed, moving = (a, b) if not a.moves else (b, a)
        curve = iv.scaled_curve(moving.curve, fixed.range)
    elif a.curve == b.curve and a.curve in (iv.LOG_CONVEX, iv.LOG_CONCAVE):
        curve = a.curve
    else:
        curve = iv.UNKNOWN
    found = result(args, iv.multiplied(a.range, b.range), curve)
    return replace(found, infinite=holes(found.moves) if found.infinite else FINITE)


def div(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    if a.shift and b.shift and _alike(a.shift, b.shift, "factor", len(eqn.outvars[0].aval.shape)):
        found = div(eqn, (a.shift.base, b.shift.base))
        if b.shift.sum_of is not None and _is_part(a, b.shift.sum_of):
            found = replace(found, range=(iv.TINY, 1.0))
        return found
    inverse = iv.inverted(b.range)
    if b.infinite:
        inverse = iv.hull((inverse, (0.0, 0.0)))
    known = b.range[0] > 0 or b.range[1] < 0
    if not b.moves:
        curve = iv.scaled_curve(a.curve, inverse) if known else iv.UNKNOWN
        smooth = a.smooth and (known or not (b.given and a.moves))
    else:
        swapped = {iv.LOG_CONVEX: iv.LOG_CONCAVE, iv.LOG_CONCAVE: iv.LOG_CONVEX}
        convex = iv.CONVEX if iv.is_concave(b.curve) and b.range[0] > 0 else iv.UNKNOWN
        curve = swapped.get(b.curve, convex)
        curve = iv.scaled_curve(curve, a.range) if not a.moves else iv.UNKNOWN
        smooth = a.smooth and b.smooth and known
    bounds = iv.multiplied(a.range, inverse)
    if eqn.outvars[0].aval.dtype.kind in "iu":
        bounds = iv.added(bounds, (-1.0, 1.0))
    found = result(args, bounds, curve)
    return replace(found, smooth=smooth, infinite=_unless(known, found, b.moves))


def _is_part(value: Abstract, whole: Origin) -> bool:
    """Whether each element of a sum stands beside those that were summed."""
    return whole.number == value.identity and all(a in (None, i) for i, a in enumerate(whole.axes))


def _unless(known: bool, found: Abstract, moves: bool) -> int:
    """What may be infinite of a result: nothing new if the arguments are known to fit."""
    return found.infinite if known else max(found.infinite, holes(moves))


def power(args: Sequence[Abstract], exponent: float) -> Abstract:
    """args[0] ** exponent for a fixed exponent; the base must fit (a suspect says where not)."""
    a = args[0]
    if not math.isfinite(exponent):
        return unknown(args)
    low, high = a.range
    whole = exponent == int(exponent)
    curve = iv.UNKNOWN
    if exponent == 1:
        curve = a.curve
    elif whole and exponent > 0 and int(exponent) % 2 == 0:
        if (
            a.curve == iv.AFFINE
            or (iv.is_convex(a.curve) and low >= 0)
            or (iv.is_concave(a.curve) and high <= 0)
        ):
            curve = iv.CONVEX
    elif low >= 0:
        outer = iv.CONVEX if exponent >= 1 or exponent < 0 else iv.CONCAVE
        curve = iv.composed(outer, exponent > 0, a.curve)
    smooth = (whole and exponent >= 0) or low > 0 or (whole and high < 0)
    bounds = iv.powered(a.range, exponent) if whole or low >= 0 else iv.EVERYTHING
    found = result(args, bounds, curve)
    known = low > 0 or (exponent > 0 and (whole or low >= 0)) or (whole and high < 0)
    return replace(
        found,
        smooth=found.smooth and (smooth or not a.moves),
        infinite=_unless(known or exponent == 0, found, a.moves),
    )


def integer_pow(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return power(args, eqn.params["y"])


def pow(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    base, exponent = args
    if not exponent.moves and exponent.range[0] == exponent.range[1]:
        return power(args[:1], exponent.range[0])
    found = result(args, (0.0, math.inf) if base.range[0] >= 0 else iv.EVERYTHING, iv.UNKNOWN)
    positive = base.range[0] > 0
    return replace(
        found,
        smooth=found.smooth and (positive or not found.moves),
        infinite=_unless(positive, found, found.moves),
    )


def exp(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    if a.shift and a.shift.kind == "difference":
        base = exp(eqn, (a.shift.base,))
        shift = Shift("factor", a.shift.origin, base)
    else:
        shift = None
    bounds = iv.monotone(a.range, math.exp, 0.0 if a.infinite else iv.TINY, math.inf)
    affine = {iv.AFFINE: iv.LOG_CONVEX, iv.CONVEX: iv.LOG_CONVEX, iv.LOG_CONVEX: iv.LOG_CONVEX}
    found = result(args, bounds, {**affine, iv.CONCAVE: iv.LOG_CONCAVE}.get(a.curve, iv.UNKNOWN))
    return replace(found, shift=shift)


def log(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    if a.shift and a.shift.kind == "factor":
        shift = Shift("difference", a.shift.origin, log(eqn, (a.shift.base,)))
    else:
        shift = None
    curve = {iv.LOG_CONVEX: iv.CONVEX, iv.LOG_CONCAVE: iv.CONCAVE}.get(a.curve)
    curve = curve or iv.composed(iv.CONCAVE, True, a.curve)
    bounds = iv.monotone(a.range, math.log, -math.inf, math.inf)
    return replace(_defined(result(args, bounds, curve), a, a.range[0] > 0), shift=shift)


def _defined(found: Abstract, a: Abstract, inside: bool) -> Abstract:
    """The result of a function that is smooth and finite inside its domain."""
    return replace(
        found,
        smooth=found.smooth and (inside or not a.moves),
        infinite=_unless(inside, found, a.moves),
    )


def log1p(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    curve = iv.CONVEX if a.curve == iv.LOG_CONVEX else iv.composed(iv.CONCAVE, True, a.curve)
    bounds = iv.monotone(a.range, math.log1p, -math.inf, math.inf)
    return _defined(result(args, bounds, curve), a, a.range[0] > -1)


def sqrt(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    curve = a.curve if a.curve == iv.LOG_CONCAVE else iv.composed(iv.CONCAVE, True, a.curve)
    bounds = iv.monotone((max(a.range[0], 0.0), a.range[1]), math.sqrt, 0.0, math.inf)
    found = result(args, bounds, curve)
    return replace(
        found,
        smooth=found.smooth and (a.range[0] > 0 or not a.moves),
        infinite=_unless(a.range[0] >= 0, found, a.moves),
    )


def rsqrt(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    low, high = max(a.range[0], iv.TINY), a.range[1]
    roots = iv.monotone((low, high), math.sqrt, 0.0, math.inf)
    bounds = iv.inverted(roots) if high > 0 else (0.0, math.inf)
    found = result(args, bounds, iv.composed(iv.CONVEX, False, a.curve))
    return _defined(found, a, a.range[0] > 0)


def logistic(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    bounds = iv.monotone(
        a.range, lambda x: 1 / (1 + math.exp(-x)) if x > -700 else iv.TINY, iv.TINY, iv.BELOW_ONE
    )
    return result(args, bounds, iv.LOG_CONCAVE if iv.is_concave(a.curve) else iv.UNKNOWN)


def increasing(
    function: Callable[[float], float], low: float, high: float, outer: str = iv.UNKNOWN
) -> Rule:
    def rule(eqn: Any, args: Sequence[Abstract]) -> Abstract:
        curve = iv.UNKNOWN if outer == iv.UNKNOWN else iv.composed(outer, True, args[0].curve)
        return result(args, iv.monotone(args[0].range, function, low, high), curve)

    return rule


def bounded(low: float, high: float) -> Rule:
    return lambda eqn, args: result(args, (low, high), iv.UNKNOWN)


def reduce_sum(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    before, after = eqn.invars[0].aval.size, max(eqn.outvars[0].aval.size, 1)
    terms = before / after if before else 0
    bounds = iv.multiplied(a.range, (terms, terms))
    found = result(args, bounds, a.curve if a.curve != iv.LOG_CONCAVE else iv.UNKNOWN)
    if a.shift and a.shift.kind == "factor":
        axes, rank = eqn.params["axes"], len(eqn.invars[0].aval.shape)
        origin = a.shift.origin.summed(axes)
        if origin is not None and a.identity is not None:
            base = reduce_sum(eqn, (a.shift.base,))
            sum_of = Origin(a.identity, tuple(i for i in range(rank) if i not in axes))
            return replace(found, shift=Shift("factor", origin, base, sum_of))
    return found


def cumsum(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    terms = (1.0, float(max(eqn.invars[0].aval.shape[eqn.params["axis"]], 1)))
    curve = a.curve if a.curve != iv.LOG_CONCAVE else iv.UNKNOWN
    return result(args, iv.multiplied(a.range, terms), curve)


def dot(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    product = mul(eqn, [replace(a, identity=None) for a in args])
    (contracted, _), _ = eqn.params["dimension_numbers"]
    terms = math.prod(eqn.invars[0].aval.shape[i] for i in contracted)
    curve = product.curve if product.curve != iv.LOG_CONCAVE else iv.UNKNOWN
    return replace(product, range=iv.multiplied(product.range, (terms, terms)), curve=curve)

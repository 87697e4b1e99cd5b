"""What each operation does to what is known of its inputs: range, curvature, smoothness."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from landscape.audit import intervals as iv
from landscape.audit.intervals import Interval


@dataclass(frozen=True)
class Shift:
    """A value that was shifted by a constant of its own making, as logsumexp does.

    The value is `base - c` (`kind` "difference") or `base * exp(-c)` ("factor"), where c is the
    stopped value `origin`. `sum_of` names the shifted exponentials that were summed.
    """

    kind: str
    origin: int
    base: "Abstract"
    sum_of: int | None = None


@dataclass(frozen=True)
class Abstract:
    """What is known of all elements of a value, as a function of the prediction.

    `moves`: it depends on the prediction; `given`: on the target. `smooth`: it is infinitely differentiable in it.
    `identity` tells equal values, `origin` a value behind stop_gradient.
    """

    range: Interval = iv.EVERYTHING
    moves: bool = False
    curve: str = iv.CONSTANT
    smooth: bool = True
    shift: Shift | None = None
    identity: int | None = None
    origin: int | None = None
    given: bool = False


Rule = Callable[[Any, Sequence[Abstract]], Abstract]


def _result(arguments: Sequence[Abstract], range_: Interval, curve: str) -> Abstract:
    moves = any(a.moves for a in arguments)
    return Abstract(
        range=range_,
        moves=moves,
        curve=curve if moves else iv.CONSTANT,
        smooth=all(a.smooth for a in arguments),
        given=any(a.given for a in arguments),
    )


def joined(arguments: Sequence[Abstract]) -> Abstract:
    """An array made of elements of these."""
    return _result(
        arguments, iv.hull(a.range for a in arguments), iv.joined_curve(a.curve for a in arguments)
    )


def unknown(arguments: Sequence[Abstract]) -> Abstract:
    """Anything: what an operation without a rule returns. Where it moves, it may switch."""
    found = _result(arguments, iv.EVERYTHING, iv.UNKNOWN)
    return replace(found, smooth=not found.moves)


def _add(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    for one, other in ((a, b), (b, a)):
        if one.shift and one.shift.kind == "difference" and other.origin == one.shift.origin:
            return one.shift.base
    curve = iv.sum_curve(a.curve, b.curve)
    for one, other in ((a, b), (b, a)):
        if one.curve == iv.LOG_CONVEX and not other.moves and other.range[0] >= 0:
            curve = iv.LOG_CONVEX
    return _result(args, iv.added(a.range, b.range), curve)


def _sub(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    if a.identity is not None and a.identity == b.identity:
        return Abstract(range=(0.0, 0.0))
    if a.shift and b.shift and (a.shift.kind, a.shift.origin) == (b.shift.kind, b.shift.origin):
        if a.shift.kind == "difference":
            return _sub(eqn, (a.shift.base, b.shift.base))
    curve = iv.sum_curve(a.curve, iv.negated_curve(b.curve))
    found = _result(args, iv.added(a.range, iv.negated(b.range)), curve)
    if b.origin is not None:
        return replace(found, shift=Shift("difference", b.origin, a))
    return found


def _neg(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return _result(args, iv.negated(args[0].range), iv.negated_curve(args[0].curve))


def _mul(eqn: Any, args: Sequence[Abstract]) -> Abstract:
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
    return _result(args, iv.multiplied(a.range, b.range), curve)


def _div(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    if a.shift and b.shift and a.shift.origin == b.shift.origin:
        if (a.shift.kind, b.shift.kind) == ("factor", "factor"):
            found = _div(eqn, (a.shift.base, b.shift.base))
            if b.shift.sum_of is not None and b.shift.sum_of == a.identity:
                found = replace(found, range=(iv.TINY, 1.0))
            return found
    inverse = iv.inverted(b.range)
    known = b.range[0] > 0 or b.range[1] < 0
    if not b.moves:
        curve = iv.scaled_curve(a.curve, inverse) if known else iv.UNKNOWN
        smooth = a.smooth
    else:
        swapped = {iv.LOG_CONVEX: iv.LOG_CONCAVE, iv.LOG_CONCAVE: iv.LOG_CONVEX}
        convex = iv.CONVEX if iv.is_concave(b.curve) and b.range[0] > 0 else iv.UNKNOWN
        curve = swapped.get(b.curve, convex)
        curve = iv.scaled_curve(curve, a.range) if not a.moves else iv.UNKNOWN
        smooth = a.smooth and b.smooth and known
    found = _result(args, iv.multiplied(a.range, inverse), curve)
    return replace(found, smooth=smooth)


def power(args: Sequence[Abstract], exponent: float) -> Abstract:
    """args[0] ** exponent for a fixed exponent; the base must fit (a suspect says where not)."""
    a = args[0]
    low, high = a.range
    whole = exponent == int(exponent) if math.isfinite(exponent) else False
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
    found = _result(args, bounds, curve)
    return replace(found, smooth=found.smooth and (smooth or not a.moves))


def _integer_pow(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return power(args, eqn.params["y"])


def _pow(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    base, exponent = args
    if not exponent.moves and exponent.range[0] == exponent.range[1]:
        return power(args[:1], exponent.range[0])
    found = _result(args, (0.0, math.inf) if base.range[0] >= 0 else iv.EVERYTHING, iv.UNKNOWN)
    return replace(found, smooth=found.smooth and (base.range[0] > 0 or not found.moves))


def _exp(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    if a.shift and a.shift.kind == "difference":
        base = _exp(eqn, (a.shift.base,))
        shift = Shift("factor", a.shift.origin, base)
    else:
        shift = None
    bounds = iv.monotone(a.range, math.exp, iv.TINY, math.inf)
    affine = {iv.AFFINE: iv.LOG_CONVEX, iv.CONVEX: iv.LOG_CONVEX, iv.LOG_CONVEX: iv.LOG_CONVEX}
    found = _result(args, bounds, {**affine, iv.CONCAVE: iv.LOG_CONCAVE}.get(a.curve, iv.UNKNOWN))
    return replace(found, shift=shift)


def _log(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    if a.shift and a.shift.kind == "factor":
        shift = Shift("difference", a.shift.origin, _log(eqn, (a.shift.base,)))
    else:
        shift = None
    curve = {iv.LOG_CONVEX: iv.CONVEX, iv.LOG_CONCAVE: iv.CONCAVE}.get(a.curve)
    curve = curve or iv.composed(iv.CONCAVE, True, a.curve)
    low = max(a.range[0], 0.0)
    bounds = (math.log(low) if low > iv.TINY else -math.inf, _log_of(a.range[1]))
    found = _result(args, bounds, curve)
    return replace(found, shift=shift, smooth=found.smooth and (a.range[0] > 0 or not a.moves))


def _log_of(x: float) -> float:
    return math.log(x) if 0 < x < math.inf else (math.inf if x > 0 else -math.inf)


def _log1p(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    curve = iv.CONVEX if a.curve == iv.LOG_CONVEX else iv.composed(iv.CONCAVE, True, a.curve)
    bounds = iv.monotone(a.range, math.log1p, -math.inf, math.inf)
    found = _result(args, bounds, curve)
    return replace(found, smooth=found.smooth and (a.range[0] > -1 or not a.moves))


def _sqrt(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    curve = a.curve if a.curve == iv.LOG_CONCAVE else iv.composed(iv.CONCAVE, True, a.curve)
    bounds = iv.monotone((max(a.range[0], 0.0), a.range[1]), math.sqrt, 0.0, math.inf)
    found = _result(args, bounds, curve)
    return replace(found, smooth=found.smooth and (a.range[0] > 0 or not a.moves))


def _rsqrt(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    low, high = max(a.range[0], 0.0), a.range[1]
    bounds = (1 / math.sqrt(high) if high > 0 else 0.0, 1 / math.sqrt(low) if low else math.inf)
    found = _result(args, bounds, iv.composed(iv.CONVEX, False, a.curve))
    return replace(found, smooth=found.smooth and (a.range[0] > 0 or not a.moves))


def _logistic(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    bounds = iv.monotone(
        a.range, lambda x: 1 / (1 + math.exp(-x)) if x > -700 else iv.TINY, iv.TINY, iv.BELOW_ONE
    )
    return _result(args, bounds, iv.LOG_CONCAVE if iv.is_concave(a.curve) else iv.UNKNOWN)


def _increasing(
    function: Callable[[float], float], low: float, high: float, outer: str = iv.UNKNOWN
) -> Rule:
    def rule(eqn: Any, args: Sequence[Abstract]) -> Abstract:
        curve = iv.UNKNOWN if outer == iv.UNKNOWN else iv.composed(outer, True, args[0].curve)
        return _result(args, iv.monotone(args[0].range, function, low, high), curve)

    return rule


def _bounded(low: float, high: float) -> Rule:
    return lambda eqn, args: _result(args, (low, high), iv.UNKNOWN)


def _abs(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    low, high = a.range
    if low >= 0:
        return replace(a, identity=None, origin=None)
    if high <= 0:
        return _neg(eqn, args)
    curve = iv.CONVEX if a.curve == iv.AFFINE else iv.UNKNOWN
    found = _result(args, (0.0, max(-low, high)), curve)
    return replace(found, smooth=not a.moves)


def _max(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    for one, other in ((a, b), (b, a)):
        if one.range[0] >= other.range[1]:
            return replace(one, identity=None)
    curves = {a.curve, b.curve}
    convex = all(iv.is_convex(c) for c in curves)
    bounds = (max(a.range[0], b.range[0]), max(a.range[1], b.range[1]))
    found = _result(args, bounds, iv.CONVEX if convex else iv.UNKNOWN)
    return replace(found, smooth=not found.moves)


def _min(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    flipped = [_neg(eqn, (a,)) for a in args]
    return _neg(eqn, (_max(eqn, flipped),))


def _clamp(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    low, value, high = args
    return _min(eqn, (_max(eqn, (value, low)), high))


def _reduce_sum(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    before, after = eqn.invars[0].aval.size, max(eqn.outvars[0].aval.size, 1)
    terms = before / after if before else 0
    bounds = iv.multiplied(a.range, (terms, terms))
    found = _result(args, bounds, a.curve if a.curve != iv.LOG_CONCAVE else iv.UNKNOWN)
    if a.shift and a.shift.kind == "factor":
        base = _reduce_sum(eqn, (a.shift.base,))
        return replace(found, shift=Shift("factor", a.shift.origin, base, a.identity))
    return found


def _reduce_max(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    found = _result(args, a.range, iv.CONVEX if iv.is_convex(a.curve) else iv.UNKNOWN)
    alone = eqn.invars[0].aval.size == eqn.outvars[0].aval.size
    return replace(found, smooth=a.smooth if alone else not a.moves)


def _reduce_min(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return _neg(eqn, (_reduce_max(eqn, (_neg(eqn, args),)),))


def _cumsum(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    terms = (1.0, float(max(eqn.invars[0].aval.shape[eqn.params["axis"]], 1)))
    curve = a.curve if a.curve != iv.LOG_CONCAVE else iv.UNKNOWN
    return _result(args, iv.multiplied(a.range, terms), curve)


def _dot(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    product = _mul(eqn, [replace(a, identity=None) for a in args])
    (contracted, _), _ = eqn.params["dimension_numbers"]
    terms = math.prod(eqn.invars[0].aval.shape[i] for i in contracted)
    curve = product.curve if product.curve != iv.LOG_CONCAVE else iv.UNKNOWN
    return replace(product, range=iv.multiplied(product.range, (terms, terms)), curve=curve)


def _select(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    which, *cases = args
    if which.range[0] == which.range[1] and not which.moves:
        return cases[int(which.range[0])]
    found = joined(cases)
    if which.moves:
        return replace(found, moves=True, smooth=False, curve=iv.UNKNOWN)
    origins = {case.origin for case in cases}
    return replace(found, origin=origins.pop() if len(origins) == 1 else None)


def _switch(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    """A result of whole numbers or truth values: it jumps wherever it moves."""
    found = unknown(args)
    return replace(found, range=(0.0, 1.0) if _is_bool(eqn) else iv.EVERYTHING)


def _is_bool(eqn: Any) -> bool:
    return str(eqn.outvars[0].aval.dtype) == "bool"


def _compare(decide: Callable[[Interval, Interval], bool | None]) -> Rule:
    def rule(eqn: Any, args: Sequence[Abstract]) -> Abstract:
        a, b = args
        same = a.identity is not None and a.identity == b.identity
        answer = (eqn.primitive.name in ("eq", "le", "ge")) if same else decide(a.range, b.range)
        if answer is not None:
            return Abstract(range=(float(answer), float(answer)))
        return _switch(eqn, args)

    return rule


def _below(a: Interval, b: Interval) -> bool | None:
    return True if a[1] < b[0] else False if a[0] >= b[1] else None


def _not_above(a: Interval, b: Interval) -> bool | None:
    return True if a[1] <= b[0] else False if a[0] > b[1] else None


def _never_equal(a: Interval, b: Interval) -> bool | None:
    return False if a[1] < b[0] or a[0] > b[1] else None


def _flip(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _steps(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    """floor, ceil, round: within one of the argument."""
    found = _switch(eqn, args)
    return replace(found, range=iv.added(args[0].range, (-1.0, 1.0)))


def _sign(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    low, high = args[0].range
    if low > 0 or high < 0:
        value = 1.0 if low > 0 else -1.0
        return Abstract(range=(value, value))
    return replace(_switch(eqn, args), range=(-1.0, 1.0))


def _convert(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    kind = eqn.outvars[0].aval.dtype.kind
    if kind == "f" or eqn.invars[0].aval.dtype.kind in "biu":
        return a
    return replace(_switch(eqn, args), range=iv.added(a.range, (-1.0, 1.0)))


def _is_finite(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return Abstract(range=(1.0, 1.0))  # every number of the domain is finite


def _pick(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    """Elements chosen by indices: the first argument's, if the indices do not move."""
    value, *indices = args
    if any(index.moves for index in indices):
        return replace(unknown(args), range=value.range)
    return replace(value, identity=None, shift=None)


def _mixed(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return joined(args)


def _logaddexp(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    low = max(a.range[0] for a in args)
    high = max(a.range[1] for a in args) + math.log(2)
    convex = all(iv.is_convex(a.curve) for a in args)
    return _result(args, (low, high), iv.CONVEX if convex else iv.UNKNOWN)


def _keep(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return args[0]


def _fixed(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return Abstract()


ATOMS = {"logaddexp": _logaddexp}
KEPT = [
    "broadcast_in_dim",
    "reshape",
    "squeeze",
    "expand_dims",
    "transpose",
    "rev",
    "slice",
    "copy",
    "copy_p",
    "reduce_precision",
    "optimization_barrier",
    "sharding_constraint",
    "real",
]
RULES: dict[str, Rule] = {
    **dict.fromkeys(KEPT, _keep),
    "add": _add,
    "add_any": _add,
    "sub": _sub,
    "neg": _neg,
    "mul": _mul,
    "div": _div,
    "integer_pow": _integer_pow,
    "square": lambda eqn, args: power(args, 2),
    "pow": _pow,
    "exp": _exp,
    "exp2": _increasing(lambda x: 2.0**x, iv.TINY, math.inf, iv.CONVEX),
    "expm1": _increasing(math.expm1, -1.0, math.inf, iv.CONVEX),
    "log": _log,
    "log1p": _log1p,
    "sqrt": _sqrt,
    "rsqrt": _rsqrt,
    "logistic": _logistic,
    "tanh": _increasing(math.tanh, -1.0, 1.0),
    "erf": _increasing(math.erf, -1.0, 1.0),
    "erfc": lambda eqn, args: _neg(eqn, (_increasing(lambda x: -math.erfc(x), -2, 0)(eqn, args),)),
    "atan": _increasing(math.atan, -math.pi / 2, math.pi / 2),
    "asinh": _increasing(math.asinh, -math.inf, math.inf),
    "sinh": _increasing(math.sinh, -math.inf, math.inf),
    "cosh": lambda eqn, args: _result(args, (1.0, math.inf), iv.UNKNOWN),
    "sin": _bounded(-1.0, 1.0),
    "cos": _bounded(-1.0, 1.0),
    "abs": _abs,
    "sign": _sign,
    "max": _max,
    "min": _min,
    "clamp": _clamp,
    "reduce_sum": _reduce_sum,
    "reduce_max": _reduce_max,
    "reduce_min": _reduce_min,
    "cumsum": _cumsum,
    "dot_general": _dot,
    "select_n": _select,
    "lt": _compare(_below),
    "le": _compare(_not_above),
    "gt": _compare(lambda a, b: _flip(_not_above(a, b))),
    "ge": _compare(lambda a, b: _flip(_below(a, b))),
    "eq": _compare(_never_equal),
    "ne": _compare(lambda a, b: _flip(_never_equal(a, b))),
    "floor": _steps,
    "ceil": _steps,
    "round": _steps,
    "convert_element_type": _convert,
    "is_finite": _is_finite,
    "gather": _pick,
    "dynamic_slice": _pick,
    "concatenate": _mixed,
    "stack": _mixed,
    "pad": _mixed,
    "dynamic_update_slice": lambda eqn, args: joined(args[:2]),
    "scatter-add": lambda eqn, args: replace(
        joined((args[0], args[2])),
        range=iv.EVERYTHING,
        smooth=args[0].smooth and args[2].smooth and not args[1].moves,
    ),
    "iota": _fixed,
}
# Smooth wherever they are defined, but without a rule for range or curvature.
SMOOTH = {"reduce_prod", "cumprod", "cumlogsumexp", "conv_general_dilated", "tan", "split", "conj"}

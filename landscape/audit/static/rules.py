"""What each operation does to what is known of its inputs: range, curvature, smoothness."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from landscape.audit.static import intervals as iv
from landscape.audit.static.abstract import FINITE, SOMEWHERE, Abstract, joined, result, unknown
from landscape.audit.static.arithmetic import (
    Rule,
    add,
    bounded,
    cumsum,
    div,
    dot,
    exp,
    increasing,
    integer_pow,
    log,
    log1p,
    logistic,
    mul,
    neg,
    pow,
    power,
    reduce_sum,
    rsqrt,
    sqrt,
    sub,
)
from landscape.audit.static.intervals import Interval


def _abs(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    low, high = a.range
    if low >= 0:
        return replace(a, identity=None, origin=None)
    if high <= 0:
        return neg(eqn, args)
    curve = iv.CONVEX if a.curve == iv.AFFINE else iv.UNKNOWN
    found = result(args, (0.0, max(-low, high)), curve)
    return replace(found, smooth=not a.moves)


def _max(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a, b = args
    for one, other in ((a, b), (b, a)):
        if iv.not_above(other.range, one.range) and other.infinite < SOMEWHERE:
            return replace(one, identity=None)
    curves = {a.curve, b.curve}
    convex = all(iv.is_convex(c) for c in curves)
    bounds = (max(a.range[0], b.range[0]), max(a.range[1], b.range[1]))
    found = result(args, bounds, iv.CONVEX if convex else iv.UNKNOWN)
    return replace(found, smooth=not found.moves)


def _min(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    flipped = [neg(eqn, (a,)) for a in args]
    return neg(eqn, (_max(eqn, flipped),))


def _clamp(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    low, value, high = args
    return _min(eqn, (_max(eqn, (value, low)), high))


def _reduce_max(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    found = result(args, a.range, iv.CONVEX if iv.is_convex(a.curve) else iv.UNKNOWN)
    alone = eqn.invars[0].aval.size == eqn.outvars[0].aval.size
    return replace(found, smooth=a.smooth if alone else not a.moves)


def _reduce_min(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return neg(eqn, (_reduce_max(eqn, (neg(eqn, args),)),))


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
    found = replace(unknown(args), infinite=FINITE)
    return replace(found, range=(0.0, 1.0) if _is_bool(eqn) else iv.EVERYTHING)


def _is_bool(eqn: Any) -> bool:
    return str(eqn.outvars[0].aval.dtype) == "bool"


def _compare(decide: Callable[[Interval, Interval], bool | None]) -> Rule:
    def rule(eqn: Any, args: Sequence[Abstract]) -> Abstract:
        a, b = args
        same = a.identity is not None and a.identity == b.identity and a.infinite < SOMEWHERE
        answer = (eqn.primitive.name in ("eq", "le", "ge")) if same else decide(a.range, b.range)
        holes = not same and max(a.infinite, b.infinite) == SOMEWHERE  # NaN answers otherwise
        if answer is None or holes:
            return _switch(eqn, args)
        return Abstract(range=(float(answer), float(answer)))

    return rule


def _below(a: Interval, b: Interval) -> bool | None:
    return True if iv.below(a, b) else False if iv.not_above(b, a) else None


def _not_above(a: Interval, b: Interval) -> bool | None:
    return True if iv.not_above(a, b) else False if iv.below(b, a) else None


def _never_equal(a: Interval, b: Interval) -> bool | None:
    return False if iv.below(a, b) or iv.below(b, a) else None


def _flip(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _steps(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    """floor, ceil, round: within one of the argument."""
    found = _switch(eqn, args)
    return replace(found, range=iv.added(args[0].range, (-1.0, 1.0)))


def _sign(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    low, high = args[0].range
    if (low > 0 or high < 0) and args[0].infinite < SOMEWHERE:
        value = 1.0 if low > 0 else -1.0
        return Abstract(range=(value, value))
    return replace(_switch(eqn, args), range=(-1.0, 1.0))


def _convert(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    a = args[0]
    kind, before = (v.aval.dtype.kind for v in (eqn.outvars[0], eqn.invars[0]))
    if _is_bool(eqn):
        return replace(a if before in "biu" else _switch(eqn, args), range=(0.0, 1.0))
    if kind == "f" or before in "biu":
        return a
    return replace(_switch(eqn, args), range=iv.added(a.range, (-1.0, 1.0)))


def _is_finite(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    """True, unless some operation divided by zero or the like; the domain itself is finite."""
    a = args[0]
    if a.infinite == FINITE:
        return Abstract(range=(1.0, 1.0))
    if a.infinite == SOMEWHERE:
        return _switch(eqn, args)
    return Abstract(range=(0.0, 1.0), given=a.given)


def _pick(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    """Elements chosen by indices: the first argument's, if the indices do not move."""
    value, *indices = args
    fill = eqn.params.get("fill_value")
    if fill is not None:
        value = joined([value, Abstract(range=(float(fill), float(fill)))])
    if any(index.moves for index in indices):
        return replace(unknown(args), range=value.range)
    return replace(value, identity=None, shift=None)


def _put(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    """Elements written over others, at indices."""
    value, update, *indices = args
    found = joined((value, update))
    return unknown(args) if any(index.moves for index in indices) else found


def _put_sum(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    value, index, update = args
    if index.moves:
        return unknown(args)
    found = joined((value, update))
    curve = found.curve if found.curve != iv.LOG_CONCAVE else iv.UNKNOWN
    return replace(found, range=iv.EVERYTHING, curve=curve)


def _mixed(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    return joined(args)


def _logaddexp(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    low = max(a.range[0] for a in args)
    high = max(a.range[1] for a in args) + math.log(2)
    convex = all(iv.is_convex(a.curve) for a in args)
    return result(args, (low, high), iv.CONVEX if convex else iv.UNKNOWN)


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
    "optimization_barrier",
    "sharding_constraint",
    "real",
]
RULES: dict[str, Rule] = {
    **dict.fromkeys(KEPT, _keep),
    "add": add,
    "add_any": add,
    "sub": sub,
    "neg": neg,
    "mul": mul,
    "div": div,
    "integer_pow": integer_pow,
    "square": lambda eqn, args: power(args, 2),
    "pow": pow,
    "exp": exp,
    "exp2": increasing(lambda x: 2.0**x, iv.TINY, math.inf, iv.CONVEX),
    "expm1": increasing(math.expm1, -1.0, math.inf, iv.CONVEX),
    "log": log,
    "log1p": log1p,
    "sqrt": sqrt,
    "rsqrt": rsqrt,
    "logistic": logistic,
    "tanh": increasing(math.tanh, -1.0, 1.0),
    "erf": increasing(math.erf, -1.0, 1.0),
    "erfc": lambda eqn, args: neg(eqn, (increasing(lambda x: -math.erfc(x), -2, 0)(eqn, args),)),
    "atan": increasing(math.atan, -math.pi / 2, math.pi / 2),
    "asinh": increasing(math.asinh, -math.inf, math.inf),
    "sinh": increasing(math.sinh, -math.inf, math.inf),
    "cosh": lambda eqn, args: result(args, (1.0, math.inf), iv.UNKNOWN),
    "sin": bounded(-1.0, 1.0),
    "cos": bounded(-1.0, 1.0),
    "abs": _abs,
    "sign": _sign,
    "max": _max,
    "min": _min,
    "clamp": _clamp,
    "reduce_sum": reduce_sum,
    "reduce_max": _reduce_max,
    "reduce_min": _reduce_min,
    "cumsum": cumsum,
    "dot_general": dot,
    "select_n": _select,
    "lt": _compare(_below),
    "le": _compare(_not_above),
    "gt": _compare(lambda a, b: _flip(_not_above(a, b))),
    "ge": _compare(lambda a, b: _flip(_below(a, b))),
    "eq": _compare(_never_equal),
    "ne": _compare(lambda a, b: _flip(_never_equal(a, b))),
    "floor": _steps,
    "reduce_precision": _switch,
    "ceil": _steps,
    "round": _steps,
    "convert_element_type": _convert,
    "is_finite": _is_finite,
    "gather": _pick,
    "dynamic_slice": _pick,
    "concatenate": _mixed,
    "stack": _mixed,
    "pad": _mixed,
    "dynamic_update_slice": _put,
    "scatter-add": _put_sum,
    "iota": _fixed,
}
# Smooth everywhere, but without a rule for range or curvature.
SMOOTH = {"reduce_prod", "cumprod", "cumlogsumexp", "conv_general_dilated", "split", "conj"}


def ruled(eqn: Any, args: Sequence[Abstract]) -> Abstract:
    """What the rule of an operation says, where the rule holds: of real numbers, without wrap."""
    if any(_kind(v) == "c" for v in (*eqn.invars, *eqn.outvars)):
        return unknown(args)
    found = RULES[eqn.primitive.name](eqn, args)
    if _kind(eqn.outvars[0]) not in "iu":
        return found
    limits, (low, high) = np.iinfo(eqn.outvars[0].aval.dtype), found.range
    fits = limits.min <= low and (high <= limits.max or (high == math.inf and limits.bits > 16))
    return found if fits else replace(found, range=iv.EVERYTHING)


def _kind(variable: Any) -> str:
    """The kind of its numbers: f, i, u, b, c; V for what only jax has, such as bfloat16."""
    return str(getattr(getattr(variable.aval, "dtype", None), "kind", "V"))

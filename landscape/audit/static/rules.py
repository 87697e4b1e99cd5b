"""Rules of all operations: range, convexity and smoothness of their results.

The rules of smooth operations are in `arithmetic`; those of operations that choose, compare, round
or move elements are here, with the table of all rules.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from landscape.audit.static import arithmetic
from landscape.audit.static import intervals as iv
from landscape.audit.static.abstract import AbstractValue, NonFinite, depending_on, joined, unknown
from landscape.audit.static.arithmetic import Rule, increasing, neg
from landscape.audit.static.intervals import Interval


def _abs(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    a = args[0]
    low, high = a.range
    if low >= 0:
        return replace(a, id=None, stopped=None)
    if high <= 0:
        return neg(eqn, args)
    convexity = iv.CONVEX if a.convexity == iv.AFFINE else iv.UNKNOWN
    return replace(depending_on(args, (0.0, max(-low, high)), convexity), smooth=not a.varies)


def _max(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    a, b = args
    for larger, smaller in ((a, b), (b, a)):
        never_chosen = iv.not_above(smaller.range, larger.range)
        if never_chosen and smaller.nonfinite < NonFinite.BY_PREDICTION:
            return replace(larger, id=None)
    convex = iv.is_convex(a.convexity) and iv.is_convex(b.convexity)
    bounds = (max(a.range[0], b.range[0]), max(a.range[1], b.range[1]))
    value = depending_on(args, bounds, iv.CONVEX if convex else iv.UNKNOWN)
    return replace(value, smooth=not value.varies)


def _min(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    return neg(eqn, (_max(eqn, [neg(eqn, (a,)) for a in args]),))


def _clamp(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    low, value, high = args
    return _min(eqn, (_max(eqn, (value, low)), high))


def _reduce_max(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    a = args[0]
    convexity = iv.CONVEX if iv.is_convex(a.convexity) else iv.UNKNOWN
    of_one_element = eqn.invars[0].aval.size == eqn.outvars[0].aval.size
    value = depending_on(args, a.range, convexity)
    return replace(value, smooth=a.smooth if of_one_element else not a.varies)


def _select(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    which, *cases = args
    if which.range[0] == which.range[1] and not which.varies:
        return cases[int(which.range[0])]
    value = joined(cases)
    if which.varies:
        return replace(value, varies=True, smooth=False, convexity=iv.UNKNOWN)
    stopped = {case.stopped for case in cases}
    return replace(value, stopped=stopped.pop() if len(stopped) == 1 else None)


def _discrete(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns an integer or boolean result, which jumps if it varies."""
    value = replace(unknown(args), nonfinite=NonFinite.NEVER)
    return replace(value, range=(0.0, 1.0) if _is_bool(eqn) else iv.EVERYTHING)


def _is_bool(eqn: Any) -> bool:
    return str(eqn.outvars[0].aval.dtype) == "bool"


def _compare(decide: Callable[[Interval, Interval], bool | None]) -> Rule:
    def rule(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
        a, b = args
        same = a.id is not None and a.id == b.id and a.nonfinite < NonFinite.BY_PREDICTION
        answer = (eqn.primitive.name in ("eq", "le", "ge")) if same else decide(a.range, b.range)
        maybe_nan = not same and max(a.nonfinite, b.nonfinite) == NonFinite.BY_PREDICTION
        if answer is None or maybe_nan:
            return _discrete(eqn, args)
        return AbstractValue(range=(float(answer), float(answer)))

    return rule


def _below(a: Interval, b: Interval) -> bool | None:
    return True if iv.below(a, b) else False if iv.not_above(b, a) else None


def _not_above(a: Interval, b: Interval) -> bool | None:
    return True if iv.not_above(a, b) else False if iv.below(b, a) else None


def _equal(a: Interval, b: Interval) -> bool | None:
    return False if iv.below(a, b) or iv.below(b, a) else None


def _round(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns floor, ceil or round of a value, which is within one of it."""
    return replace(_discrete(eqn, args), range=iv.add(args[0].range, (-1.0, 1.0)))


def _sign(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    low, high = args[0].range
    if (low > 0 or high < 0) and args[0].nonfinite < NonFinite.BY_PREDICTION:
        value = 1.0 if low > 0 else -1.0
        return AbstractValue(range=(value, value))
    return replace(_discrete(eqn, args), range=(-1.0, 1.0))


def _convert(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    a = args[0]
    after, before = (v.aval.dtype.kind for v in (eqn.outvars[0], eqn.invars[0]))
    if _is_bool(eqn):
        return replace(a if before in "biu" else _discrete(eqn, args), range=(0.0, 1.0))
    if after == "f" or before in "biu":
        return a
    return replace(_discrete(eqn, args), range=iv.add(a.range, (-1.0, 1.0)))


def _is_finite(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns True unless an operation can leave the finite numbers, as a division by zero does."""
    a = args[0]
    if a.nonfinite == NonFinite.NEVER:
        return AbstractValue(range=(1.0, 1.0))
    if a.nonfinite == NonFinite.BY_PREDICTION:
        return _discrete(eqn, args)
    return AbstractValue(range=(0.0, 1.0), uses_target=a.uses_target)


def _pick(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns elements of the first operand, chosen by indices."""
    value, *indices = args
    fill = eqn.params.get("fill_value")
    if fill is not None:
        value = joined([value, AbstractValue(range=(float(fill), float(fill)))])
    if any(index.varies for index in indices):
        return replace(unknown(args), range=value.range)
    return replace(value, id=None, shift=None)


def _put(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns the first operand with elements of the second written at indices."""
    value, update, *indices = args
    return unknown(args) if any(i.varies for i in indices) else joined((value, update))


def _put_sum(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns the first operand with elements of the third added at indices."""
    value, index, update = args
    if index.varies:
        return unknown(args)
    total = joined((value, update))
    convexity = total.convexity if total.convexity != iv.LOG_CONCAVE else iv.UNKNOWN
    return replace(total, range=iv.EVERYTHING, convexity=convexity)


def _logaddexp(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    low = max(a.range[0] for a in args)
    high = max(a.range[1] for a in args) + math.log(2)
    convex = all(iv.is_convex(a.convexity) for a in args)
    return depending_on(args, (low, high), iv.CONVEX if convex else iv.UNKNOWN)


# Rules for whole functions of jax.numpy, whose programs switch although the functions are smooth.
FUNCTION_RULES = {"logaddexp": _logaddexp}
# Operations that keep, move or repeat the elements of their operand.
ELEMENT_PRESERVING = (
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
)
RULES: dict[str, Rule] = {
    **dict.fromkeys(ELEMENT_PRESERVING, lambda eqn, args: args[0]),
    **dict.fromkeys(("add", "add_any"), arithmetic.add),
    "sub": arithmetic.sub,
    "neg": neg,
    "mul": arithmetic.mul,
    "div": arithmetic.div,
    "integer_pow": lambda eqn, args: arithmetic.power(args, eqn.params["y"]),
    "square": lambda eqn, args: arithmetic.power(args, 2),
    "pow": arithmetic.pow,
    "exp": arithmetic.exp,
    "exp2": increasing(lambda x: 2.0**x, iv.ABOVE_ZERO, math.inf, iv.CONVEX),
    "expm1": increasing(math.expm1, -1.0, math.inf, iv.CONVEX),
    "log": arithmetic.log,
    "log1p": arithmetic.log1p,
    "sqrt": arithmetic.sqrt,
    "rsqrt": arithmetic.rsqrt,
    "logistic": arithmetic.logistic,
    "tanh": increasing(math.tanh, -1.0, 1.0),
    "erf": increasing(math.erf, -1.0, 1.0),
    "erfc": lambda eqn, args: neg(eqn, (increasing(lambda x: -math.erfc(x), -2, 0)(eqn, args),)),
    "atan": increasing(math.atan, -math.pi / 2, math.pi / 2),
    "asinh": increasing(math.asinh, -math.inf, math.inf),
    "sinh": increasing(math.sinh, -math.inf, math.inf),
    "cosh": lambda eqn, args: depending_on(args, (1.0, math.inf), iv.UNKNOWN),
    **dict.fromkeys(("sin", "cos"), lambda eqn, args: depending_on(args, (-1.0, 1.0), iv.UNKNOWN)),
    "abs": _abs,
    "sign": _sign,
    "max": _max,
    "min": _min,
    "clamp": _clamp,
    "reduce_sum": arithmetic.reduce_sum,
    "reduce_max": _reduce_max,
    "reduce_min": lambda eqn, args: neg(eqn, (_reduce_max(eqn, (neg(eqn, args),)),)),
    "cumsum": arithmetic.cumsum,
    "dot_general": arithmetic.dot,
    "select_n": _select,
    "lt": _compare(_below),
    "le": _compare(_not_above),
    "gt": _compare(lambda a, b: _below(b, a)),
    "ge": _compare(lambda a, b: _not_above(b, a)),
    "eq": _compare(_equal),
    "ne": _compare(lambda a, b: None if _equal(a, b) is None else True),
    **dict.fromkeys(("floor", "ceil", "round"), _round),
    "reduce_precision": _discrete,
    "convert_element_type": _convert,
    "is_finite": _is_finite,
    **dict.fromkeys(("gather", "dynamic_slice"), _pick),
    **dict.fromkeys(("concatenate", "stack", "pad"), lambda eqn, args: joined(args)),
    "dynamic_update_slice": _put,
    "scatter-add": _put_sum,
    "iota": lambda eqn, args: AbstractValue(),
}
# Smooth everywhere, but without a rule for range or convexity.
SMOOTH = {"reduce_prod", "cumprod", "cumlogsumexp", "conv_general_dilated", "split", "conj"}


def apply_rule(eqn: Any, args: Sequence[AbstractValue]) -> AbstractValue:
    """Returns the result of an operation by its rule, unless it is complex or can overflow."""
    if any(_kind(v) == "c" for v in (*eqn.invars, *eqn.outvars)):
        return unknown(args)
    value = RULES[eqn.primitive.name](eqn, args)
    if _kind(eqn.outvars[0]) not in "iu":
        return value
    limits, (low, high) = np.iinfo(eqn.outvars[0].aval.dtype), value.range
    fits = limits.min <= low and (high <= limits.max or (high == math.inf and limits.bits > 16))
    return value if fits else replace(value, range=iv.EVERYTHING)


def _kind(variable: Any) -> str:
    """Returns NumPy's kind of a dtype: f, i, u, b, c; V for those of jax alone, as bfloat16."""
    return str(getattr(getattr(variable.aval, "dtype", None), "kind", "V"))

"""Conditions on the operands under which operations can switch.

A switch is a point at which an operation is not smooth: a kink, a jump, or a singularity.
"""

from collections.abc import Callable, Sequence
from typing import Any

from landscape.audit.static import intervals as iv
from landscape.audit.static.abstract import AbstractValue, NonFinite
from landscape.audit.static.rules import RULES

CanSwitch = Callable[[Any, Sequence[AbstractValue]], bool]


def always(eqn: Any, args: Sequence[AbstractValue]) -> bool:
    """Returns True: nothing is known that rules out a switch."""
    return True


def _can_equal(point: float) -> CanSwitch:
    return lambda eqn, args: args[0].range[0] <= point <= args[0].range[1]


def _at_or_below(limit: float) -> CanSwitch:
    return lambda eqn, args: args[0].range[0] <= limit


def _outside(low: float, high: float) -> CanSwitch:
    return lambda eqn, args: args[0].range[0] <= low or args[0].range[1] >= high


def _operands_can_tie(eqn: Any, args: Sequence[AbstractValue]) -> bool:
    a, b = args[0].range, args[1].range
    return not iv.not_above(a, b) and not iv.not_above(b, a)


def _elements_can_tie(eqn: Any, args: Sequence[AbstractValue]) -> bool:
    size = eqn.invars[0].aval.size
    if eqn.primitive.name in ("sort", "cummax", "cummin", "top_k") and size > 1:
        return True
    return size > sum(v.aval.size for v in eqn.outvars[:1])


def _clamp(eqn: Any, args: Sequence[AbstractValue]) -> bool:
    low, value, high = args
    return not (iv.not_above(low.range, value.range) and iv.not_above(value.range, high.range))


def _comparison(eqn: Any, args: Sequence[AbstractValue]) -> bool:
    answer = RULES[eqn.primitive.name](eqn, args)
    return answer.varies and answer.range[0] != answer.range[1]


def _division(eqn: Any, args: Sequence[AbstractValue]) -> bool:
    """Whether the denominator can be zero."""
    return args[1].varies and args[1].range[0] <= 0 <= args[1].range[1]


def _power(eqn: Any, args: Sequence[AbstractValue]) -> bool:
    """Whether the base can be zero or negative, and the exponent does not allow it."""
    low = args[0].range[0]
    if eqn.primitive.name == "integer_pow":
        return eqn.params["y"] < 0 and low <= 0 <= args[0].range[1]
    first, last = args[1].range
    if not args[1].varies and first == last and first >= 0 and first % 1 == 0:
        return False
    return low <= 0


# For each operation that can switch, whether it can for these operands.
SWITCHES: dict[str, CanSwitch] = {
    "abs": lambda eqn, args: args[0].range[0] < 0 < args[0].range[1],
    "sign": _can_equal(0.0),
    "max": _operands_can_tie,
    "min": _operands_can_tie,
    "clamp": _clamp,
    **dict.fromkeys(("reduce_max", "reduce_min", "argmax", "argmin"), _elements_can_tie),
    **dict.fromkeys(("sort", "cummax", "cummin", "top_k"), _elements_can_tie),
    **dict.fromkeys(("reduce_window_max", "reduce_window_min"), always),
    **dict.fromkeys(("floor", "ceil", "round", "rem", "reduce_precision"), always),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), _comparison),
    "convert_element_type": lambda eqn, args: eqn.outvars[0].aval.dtype.kind in "biu",
    "is_finite": lambda eqn, args: args[0].nonfinite == NonFinite.BY_PREDICTION,
    **dict.fromkeys(("sqrt", "rsqrt", "log", "lgamma", "digamma"), _at_or_below(0.0)),
    "log1p": _at_or_below(-1.0),
    "div": _division,
    "pow": _power,
    "integer_pow": _power,
    "cbrt": _can_equal(0.0),
    **dict.fromkeys(("erf_inv", "atanh", "asin", "acos"), _outside(-1.0, 1.0)),
    "acosh": _at_or_below(1.0),
    "atan2": always,
}

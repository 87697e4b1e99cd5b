"""Which operations can switch, and whether they can on what is known of their arguments."""

from collections.abc import Callable, Sequence
from typing import Any

from landscape.audit.static import intervals as iv
from landscape.audit.static.abstract import SOMEWHERE, Abstract
from landscape.audit.static.intervals import Interval
from landscape.audit.static.rules import RULES


def _crosses(limit: float) -> Callable[[Any, Sequence[Abstract]], bool]:
    return lambda eqn, args: args[0].range[0] <= limit <= args[0].range[1]


def _overlap(a: Interval, b: Interval) -> bool:
    return not iv.not_above(a, b) and not iv.not_above(b, a)


def always(eqn: Any, args: Sequence[Abstract]) -> bool:
    return True


def _several(eqn: Any, args: Sequence[Abstract]) -> bool:
    return eqn.invars[0].aval.size > sum(v.aval.size for v in eqn.outvars[:1]) or (
        eqn.primitive.name in ("sort", "cummax", "cummin", "top_k") and eqn.invars[0].aval.size > 1
    )


def _meets(eqn: Any, args: Sequence[Abstract]) -> bool:
    return _overlap(args[0].range, args[1].range)


def _compared(eqn: Any, args: Sequence[Abstract]) -> bool:
    found = RULES[eqn.primitive.name](eqn, args)
    return found.moves and found.range[0] != found.range[1]


def _zero_below(eqn: Any, args: Sequence[Abstract]) -> bool:
    """A denominator that may be zero."""
    return args[1].moves and args[1].range[0] <= 0 <= args[1].range[1]


def _base(eqn: Any, args: Sequence[Abstract]) -> bool:
    low = args[0].range[0]
    if eqn.primitive.name == "integer_pow":
        return eqn.params["y"] < 0 and low <= 0 <= args[0].range[1]
    first, last = args[1].range
    if not args[1].moves and first == last and first >= 0 and first % 1 == 0:
        return False
    return low <= 0


def _clamped(eqn: Any, args: Sequence[Abstract]) -> bool:
    low, value, high = args
    return not (iv.not_above(low.range, value.range) and iv.not_above(value.range, high.range))


def _at_most(low: float) -> Callable[[Any, Sequence[Abstract]], bool]:
    return lambda eqn, args: args[0].range[0] <= low


def _not_inside(low: float, high: float) -> Callable[[Any, Sequence[Abstract]], bool]:
    return lambda eqn, args: args[0].range[0] <= low or args[0].range[1] >= high


def _truncates(eqn: Any, args: Sequence[Abstract]) -> bool:
    return eqn.outvars[0].aval.dtype.kind in "biu"


def _abs_switches(eqn: Any, args: Sequence[Abstract]) -> bool:
    return args[0].range[0] < 0 < args[0].range[1]


# For each operation that can switch: whether it can do so on what is known of its arguments.
SWITCHES: dict[str, Callable[[Any, Sequence[Abstract]], bool]] = {
    "abs": _abs_switches,
    "sign": _crosses(0.0),
    "max": _meets,
    "min": _meets,
    "clamp": _clamped,
    **dict.fromkeys(("reduce_max", "reduce_min", "argmax", "argmin"), _several),
    **dict.fromkeys(("sort", "cummax", "cummin", "top_k"), _several),
    **dict.fromkeys(("reduce_window_max", "reduce_window_min"), always),
    **dict.fromkeys(("floor", "ceil", "round", "rem", "reduce_precision"), always),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), _compared),
    "convert_element_type": _truncates,
    "is_finite": lambda eqn, args: args[0].infinite == SOMEWHERE,
    **dict.fromkeys(("sqrt", "rsqrt", "log", "lgamma", "digamma"), _at_most(0.0)),
    "log1p": _at_most(-1.0),
    "div": _zero_below,
    "pow": _base,
    "integer_pow": _base,
    "cbrt": _crosses(0.0),
    **dict.fromkeys(("erf_inv", "atanh", "asin", "acos"), _not_inside(-1.0, 1.0)),
    "acosh": _at_most(1.0),
    "atan2": always,
}

"""Rules of operations on NumPy arrays of `decimal.Decimal`, for `decimals`."""

import decimal
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from landscape.numerics.primitives import apply_equation

Array = np.ndarray


class UnsupportedOperationError(Exception):
    """An operation that has no rule for decimals."""


def each(function: Callable, *arrays: Array) -> Array:
    """Returns a function of each element, as an array of objects."""
    return np.asarray(np.frompyfunc(function, len(arrays), 1)(*arrays), object)


def _unary(function: Callable[[Decimal], Decimal]) -> Callable:
    return lambda eqn, x: each(function, x)


def _binary(function: Callable[[Any, Any], Any]) -> Callable:
    def rule(eqn: Any, a: Array, b: Array) -> Array:
        return _typed(each(function, a, b), eqn)

    return rule


def _typed(values: Array, eqn: Any) -> Array:
    """Returns integers and booleans in the dtype of the equation, and decimals unchanged."""
    dtype = np.dtype(eqn.outvars[0].aval.dtype)
    return values.astype(dtype) if dtype.kind in "biu" else values


def _quotient(a: Any, b: Any) -> Any:
    return a / b if isinstance(a, Decimal) else a // b


def _larger(a: Any, b: Any) -> Any:
    return a if a != a or a >= b else b


def _smaller(a: Any, b: Any) -> Any:
    return a if a != a or a <= b else b


def _power(base: Decimal, exponent: Any) -> Decimal:
    exponent = Decimal(int(exponent)) if not isinstance(exponent, Decimal) else exponent
    if base == 0 and exponent == 0:
        return Decimal(1)
    return base**exponent


def _logistic(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp()) if x >= 0 else x.exp() / (1 + x.exp())


def _tanh(x: Decimal) -> Decimal:
    shrunk = (-2 * abs(x)).exp()
    return ((1 - shrunk) / (1 + shrunk)).copy_sign(x)


def _sign(x: Any) -> Any:
    return x if x != x else type(x)((x > 0) - (x < 0))


def _guarded(function: Callable, x: Decimal) -> Decimal:
    """Returns a function of e^x - 1 or 1 + x with digits for the smaller of the two terms."""
    extra = min(max(0, -x.adjusted()), decimal.getcontext().prec) if x and x.is_finite() else 0
    with decimal.localcontext() as context:
        context.prec += extra
        value = function(x)
    return +value


def _log1p(x: Decimal) -> Decimal:
    return _guarded(lambda v: (1 + v).ln(), x)


def _expm1(x: Decimal) -> Decimal:
    return _guarded(lambda v: v.exp() - 1, x)


def _broadcast(eqn: Any, x: Array, *sizes: Array) -> Array:
    shape, axes = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    spread = [1] * len(shape)
    for axis, size in zip(axes, np.shape(x), strict=True):
        spread[axis] = size
    return np.broadcast_to(np.reshape(x, spread), shape)


def _slice(eqn: Any, x: Array) -> Array:
    p = eqn.params
    strides = p["strides"] or (1,) * x.ndim
    parts = zip(p["start_indices"], p["limit_indices"], strides, strict=True)
    return x[tuple(slice(*part) for part in parts)]


def _reduced(ufunc: Callable, start: Any) -> Callable:
    def rule(eqn: Any, x: Array) -> Array:
        axes = tuple(eqn.params["axes"])
        rest = [i for i in range(x.ndim) if i not in axes]
        rows = np.transpose(x, (*rest, *axes)).reshape(*(x.shape[i] for i in rest), -1)
        reduce = np.frompyfunc(ufunc, 2, 1).reduce
        first = start if x.dtype == object or start is None else int(start)
        return np.asarray(
            reduce(rows, axis=-1) if first is None else reduce(rows, -1, initial=first)
        )

    return rule


def _reduce(ufunc: Callable, start: Any) -> Callable:
    rule = _reduced(ufunc, start)
    return lambda eqn, x: _typed(np.asarray(rule(eqn, x), object), eqn)


def _chosen(function: Callable) -> Callable:
    def rule(eqn: Any, x: Array) -> Array:
        (axis,) = eqn.params["axes"]
        return np.asarray(function(x, axis=axis)).astype(eqn.params["index_dtype"])

    return rule


def _select(eqn: Any, which: Array, *cases: Array) -> Array:
    which = np.broadcast_to(np.asarray(which).astype(int), np.shape(cases[0]))
    return np.choose(which, cases) if len(cases) < 30 else np.asarray(cases)[which]


def _converted(eqn: Any, x: Array) -> Array:
    kind = np.dtype(eqn.params["new_dtype"]).kind
    if kind in "biu":
        whole = each(lambda v: int(v) if v == v and abs(v) < 2**31 else 0, x)
        return (x != 0 if kind == "b" else whole).astype(eqn.params["new_dtype"])
    return x if x.dtype == object else each(lambda v: Decimal(int(v)), x)


def _product(eqn: Any, a: Array, b: Array) -> Array:
    (left, right), (left_batch, right_batch) = eqn.params["dimension_numbers"]
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    names = [next(letters) for _ in range(a.ndim)]
    others: list[str] = [""] * b.ndim
    for i, j in [*zip(left, right, strict=True), *zip(left_batch, right_batch, strict=True)]:
        others[j] = names[i]
    others = [name or next(letters) for name in others]
    batch = [names[i] for i in left_batch]
    free = [n for i, n in enumerate(names) if i not in (*left, *left_batch)]
    free += [n for i, n in enumerate(others) if i not in (*right, *right_batch)]
    return np.einsum(f"{''.join(names)},{''.join(others)}->{''.join([*batch, *free])}", a, b)


def _iota(eqn: Any) -> Array:
    p = eqn.params
    shape = [1] * len(p["shape"])
    shape[p["dimension"]] = -1
    row = np.arange(p["shape"][p["dimension"]]).reshape(shape)
    return _converted_constant(np.broadcast_to(row, p["shape"]), p["dtype"])


def _converted_constant(array: Array, dtype: Any) -> Array:
    if np.dtype(dtype).kind in "biu":
        return array.astype(dtype)
    return each(lambda v: Decimal(int(v)), array)


def _concatenate(eqn: Any, *arrays: Array) -> Array:
    return np.concatenate(arrays, axis=eqn.params["dimension"])


def _updated(eqn: Any, x: Array, update: Array, *starts: Array) -> Array:
    result = np.array(x)
    pairs = zip(starts, x.shape, update.shape, strict=True)
    firsts = [min(max(int(start), 0), size - length) for start, size, length in pairs]
    result[tuple(slice(i, i + n) for i, n in zip(firsts, update.shape, strict=True))] = update
    return result


def _padded(eqn: Any, x: Array, fill: Array) -> Array:
    config = eqn.params["padding_config"]
    if any(low < 0 or high < 0 for low, high, _ in config):
        raise UnsupportedOperationError("pad")
    sizes = zip(x.shape, config, strict=True)
    shape = [low + high + n + max(n - 1, 0) * gap for n, (low, high, gap) in sizes]
    result = np.full(shape, fill.item(), object)
    inside = zip(x.shape, config, strict=True)
    places = (slice(low, low + n + max(n - 1, 0) * gap, gap + 1) for n, (low, _, gap) in inside)
    result[tuple(places)] = x
    return _typed(result, eqn)


def _scatter_add(eqn: Any, x: Array, indices: Array, updates: Array) -> Array:
    """Adds each update at the position to which the operation moves a 1."""
    zeros, result = np.zeros(x.shape, np.float32), np.array(x)
    ones = np.eye(updates.size, dtype=np.float32).reshape(updates.size, *updates.shape)
    for one, update in zip(ones, updates.ravel(), strict=True):
        moved = np.asarray(apply_equation(eqn, [zeros, indices, one])[0])
        if moved.any():
            result.flat[int(np.argmax(moved))] += update
    return result


def _unstacked(eqn: Any, x: Array) -> list[Array]:
    axis = eqn.params["axis"]
    return [np.take(x, i, axis) for i in range(x.shape[axis])]


def _split(eqn: Any, x: Array) -> list[Array]:
    return np.split(x, np.cumsum(eqn.params["sizes"])[:-1], eqn.params["axis"])


def _clamp(eqn: Any, low: Array, x: Array, high: Array) -> Array:
    return _typed(each(lambda a, v, b: _smaller(_larger(v, a), b), low, x, high), eqn)


def _cumulative(eqn: Any, x: Array) -> Array:
    axis = eqn.params["axis"]
    flipped = np.flip(x, axis) if eqn.params["reverse"] else x
    total = np.cumsum(flipped, axis=axis, dtype=x.dtype)
    return np.flip(total, axis) if eqn.params["reverse"] else total


def _same(eqn: Any, x: Array) -> Array:
    return x


RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("add", "add_any"), _binary(lambda a, b: a + b)),
    "sub": _binary(lambda a, b: a - b),
    "mul": _binary(lambda a, b: a * b),
    "div": _binary(_quotient),
    "max": _binary(_larger),
    "min": _binary(_smaller),
    "pow": _binary(_power),
    "eq": _binary(lambda a, b: a == b),
    "ne": _binary(lambda a, b: a != b),
    "lt": _binary(lambda a, b: a < b),
    "le": _binary(lambda a, b: a <= b),
    "gt": _binary(lambda a, b: a > b),
    "ge": _binary(lambda a, b: a >= b),
    "neg": lambda eqn, x: -x,
    "abs": lambda eqn, x: abs(x),
    "square": lambda eqn, x: x * x,
    "integer_pow": lambda eqn, x: each(lambda v: _power(v, eqn.params["y"]), x),
    "exp": _unary(Decimal.exp),
    "exp2": _unary(lambda x: Decimal(2) ** x),
    "log": _unary(Decimal.ln),
    "log1p": _unary(_log1p),
    "expm1": _unary(_expm1),
    "sqrt": _unary(Decimal.sqrt),
    "rsqrt": _unary(lambda x: 1 / x.sqrt()),
    "logistic": _unary(_logistic),
    "tanh": _unary(_tanh),
    "cosh": _unary(lambda x: (x.exp() + (-x).exp()) / 2),
    "sinh": _unary(lambda x: (x.exp() - (-x).exp()) / 2),
    "sign": lambda eqn, x: _typed(each(_sign, x), eqn),
    "is_finite": lambda eqn, x: each(Decimal.is_finite, x).astype(bool),
    "select_n": _select,
    "clamp": _clamp,
    "convert_element_type": _converted,
    "broadcast_in_dim": _broadcast,
    "reshape": lambda eqn, x, *sizes: np.reshape(x, eqn.params["new_sizes"]),
    "squeeze": lambda eqn, x: np.squeeze(x, tuple(eqn.params["dimensions"])),
    "expand_dims": lambda eqn, x: np.expand_dims(x, tuple(eqn.params["dimensions"])),
    "transpose": lambda eqn, x: np.transpose(x, eqn.params["permutation"]),
    "slice": _slice,
    "concatenate": _concatenate,
    "stack": lambda eqn, *arrays: np.stack(arrays, eqn.params["axis"]),
    "unstack": _unstacked,
    "split": _split,
    "pad": _padded,
    **dict.fromkeys(("scatter-add", "scatter_add"), _scatter_add),
    "dynamic_update_slice": _updated,
    "iota": _iota,
    "reduce_sum": _reduce(lambda a, b: a + b, Decimal(0)),
    "reduce_max": _reduce(_larger, None),
    "reduce_min": _reduce(_smaller, None),
    "reduce_prod": _reduce(lambda a, b: a * b, Decimal(1)),
    "argmax": _chosen(np.argmax),
    "argmin": _chosen(np.argmin),
    "cumsum": _cumulative,
    "dot_general": _product,
    **dict.fromkeys(("stop_gradient", "copy", "copy_p", "optimization_barrier"), _same),
}

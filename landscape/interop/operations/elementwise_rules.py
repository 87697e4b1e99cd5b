"""Rules of ATen operations on each element."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = Any
_LARGEST_POWER = 9  # exponents below are products, as `x ** n` is in JAX


def _unchanged(x: Array, *_: Any) -> Array:
    return x


def _add(x: Array, y: Array, alpha: float = 1) -> Array:
    return x + (y if alpha == 1 else alpha * y)


def _sub(x: Array, y: Array, alpha: float = 1) -> Array:
    return x - (y if alpha == 1 else alpha * y)


def _rsub(x: Array, y: Array, alpha: float = 1) -> Array:
    return y - (x if alpha == 1 else alpha * x)


def _mul(x: Array, y: Array) -> Array:
    if _is_bool(x) and _is_bool(y):
        return jnp.logical_and(x, y)
    return x * y


def _is_bool(x: Array) -> bool:
    return jnp.result_type(x) == jnp.bool_


def _div(x: Array, y: Array, rounding_mode: str | None = None) -> Array:
    if rounding_mode == "floor":
        return jnp.floor_divide(x, y)
    return x / y if rounding_mode is None else jnp.trunc(x / y)


def _pow(x: Array, y: Array) -> Array:
    whole = isinstance(y, int | float) and float(y).is_integer() and abs(y) < _LARGEST_POWER
    if not whole or isinstance(x, int | float):
        return jnp.power(x, y)
    if y == 0:
        return jnp.ones_like(x)
    return x if y == 1 else lax.integer_pow(x, int(y))


def _clamp(x: Array, low: Array = None, high: Array = None, **named: Array) -> Array:
    low, high = named.get("min", low), named.get("max", high)
    x = x if low is None else jnp.maximum(x, low)
    return x if high is None else jnp.minimum(x, high)


def _softplus(x: Array, beta: float = 1, threshold: float = 20) -> Array:
    return jnp.where(x * beta > threshold, x, jnp.log1p(jnp.exp(x * beta)) / beta)


def _log_sigmoid_forward(x: Array) -> tuple[Array, Array]:
    return jax.nn.log_sigmoid(x), jnp.exp(-jnp.abs(x))


def _where(condition: Array, x: Array, y: Array) -> Array:
    return jnp.where(condition, x, y)


def _copy(x: Array, source: Array, *_: Any) -> Array:
    return jnp.broadcast_to(source, x.shape)


def _full_like(x: Array, value: Array) -> Array:
    return jnp.broadcast_to(jnp.asarray(value), jnp.shape(x))


def _nan_to_num(x: Array, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Array:
    return jnp.nan_to_num(x, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


def _scaled_erfc(x: Array) -> Array:
    """Returns exp(x^2) erfc(x)."""
    return 2 * jnp.exp(x * x + jax.scipy.special.log_ndtr(-(2**0.5) * x))


def _shrink_backward(gradient: Array, x: Array, width: float) -> Array:
    return jnp.where(jnp.abs(x) <= width, 0, gradient)


RULES: dict[str, Callable[..., Any]] = {
    "_to_copy": _unchanged,
    "abs": jnp.abs,
    "acos": jnp.arccos,
    "acosh": jnp.arccosh,
    "add": _add,
    "alias": _unchanged,
    "asin": jnp.arcsin,
    "asinh": jnp.arcsinh,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "atanh": jnp.arctanh,
    "bitwise_and": jnp.bitwise_and,
    "bitwise_not": jnp.bitwise_not,
    "bitwise_or": jnp.bitwise_or,
    "bitwise_xor": jnp.bitwise_xor,
    "ceil": jnp.ceil,
    "clamp": _clamp,
    "clamp_max": jnp.minimum,
    "clamp_min": jnp.maximum,
    "clone": _unchanged,
    "contiguous": _unchanged,
    "conj_physical": _unchanged,
    "copy": _copy,
    "cos": jnp.cos,
    "cosh": jnp.cosh,
    "detach": lax.stop_gradient,
    "digamma": jax.scipy.special.digamma,
    "div": _div,
    "eq": jnp.equal,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "erfinv": lax.erf_inv,
    "exp": jnp.exp,
    "exp2": jnp.exp2,
    "expm1": jnp.expm1,
    "floor": jnp.floor,
    "fmax": jnp.fmax,
    "fmin": jnp.fmin,
    "fmod": jnp.fmod,
    "full_like": _full_like,
    "ge": jnp.greater_equal,
    "gt": jnp.greater,
    "hardshrink_backward": _shrink_backward,
    "hypot": jnp.hypot,
    "isfinite": jnp.isfinite,
    "isinf": jnp.isinf,
    "isnan": jnp.isnan,
    "le": jnp.less_equal,
    "lgamma": jax.scipy.special.gammaln,
    "lift_fresh_copy": _unchanged,
    "log": jnp.log,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "log2": jnp.log2,
    "log_sigmoid_forward": _log_sigmoid_forward,
    "logaddexp": jnp.logaddexp,
    "logical_and": jnp.logical_and,
    "logical_not": jnp.logical_not,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "lt": jnp.less,
    "masked_fill": lambda x, mask, value: jnp.where(mask, value, x),
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "mul": _mul,
    "nan_to_num": _nan_to_num,
    "ne": jnp.not_equal,
    "neg": jnp.negative,
    "pow": _pow,
    "reciprocal": lambda x: 1 / x,
    "relu": lambda x: jnp.maximum(x, 0),
    "remainder": jnp.remainder,
    "round": jnp.round,
    "rsqrt": lax.rsqrt,
    "rsub": _rsub,
    "sgn": jnp.sign,
    "i0": jax.scipy.special.i0,
    "polygamma": jax.scipy.special.polygamma,
    "special_erfcx": _scaled_erfc,
    "special_i0e": jax.scipy.special.i0e,
    "special_i1": jax.scipy.special.i1,
    "special_i1e": jax.scipy.special.i1e,
    "special_log_ndtr": jax.scipy.special.log_ndtr,
    "special_ndtri": jax.scipy.special.ndtri,
    "sigmoid": jax.nn.sigmoid,
    "sign": jnp.sign,
    "sin": jnp.sin,
    "sinh": jnp.sinh,
    "softshrink_backward": _shrink_backward,
    "softplus": _softplus,
    "sqrt": jnp.sqrt,
    "sub": _sub,
    "tan": jnp.tan,
    "tanh": jnp.tanh,
    "to": _unchanged,
    "trunc": jnp.trunc,
    "where": _where,
    "zeros_like": jnp.zeros_like,
}

"""Rules of ATen operations that reduce, scan or sort along axes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = Any
Axes = int | list[int] | tuple[int, ...] | None


def _axis(dim: Axes) -> int | tuple[int, ...] | None:
    """Returns axes as jax.numpy takes them; torch's empty list means all."""
    if isinstance(dim, int) or dim is None:
        return dim
    return tuple(dim) or None


def _reduction(function: Callable[..., Array]) -> Callable[..., Array]:
    def rule(x: Array, dim: Axes = None, keepdim: bool = False) -> Array:
        return function(x, axis=_axis(dim), keepdims=keepdim)

    return rule


def _extremum(value: Callable[..., Array], position: Callable[..., Array]) -> Callable[..., Any]:
    def rule(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return value(x)
        options = {"axis": dim, "keepdims": keepdim} if x.ndim else {}
        return value(x, **options), position(x, **options)

    return rule


def _variance(x: Array, dim: Axes = None, correction: Any = 1, keepdim: bool = False) -> Array:
    ddof = 1 if correction is None else correction
    return jnp.var(x, axis=_axis(dim), ddof=ddof, keepdims=keepdim)


def _log_softmax(x: Array, dim: int, _: bool = False) -> Array:
    shifted = x - lax.stop_gradient(jnp.max(x, axis=dim, keepdims=True))
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=dim, keepdims=True))


def _softmax(x: Array, dim: int, _: bool = False) -> Array:
    return jax.nn.softmax(x, axis=dim)


def _order(x: Array, dim: int, descending: bool) -> Array:
    return jnp.argsort(x, axis=dim, stable=True, descending=descending)


def _sort(x: Array, dim: int = -1, descending: bool = False, stable: Any = None) -> Any:
    if not x.ndim:
        return x, jnp.zeros((), int)
    order = _order(x, dim, descending)
    return jnp.take_along_axis(x, order, axis=dim), order


def _topk(x: Array, k: int, dim: int = -1, largest: bool = True, _: bool = True) -> Any:
    order = lax.slice_in_dim(_order(x, dim, largest), 0, k, axis=dim % x.ndim)
    return jnp.take_along_axis(x, order, axis=dim), order


def _kth_value(x: Array, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    order = lax.index_in_dim(_order(x, dim, False), k - 1, axis=dim % x.ndim)
    values = jnp.take_along_axis(x, order, axis=dim)
    return (values, order) if keepdim else (jnp.squeeze(values, dim), jnp.squeeze(order, dim))


def _median(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """Returns torch's median: the lower one of two."""
    if dim is None:
        return jnp.sort(jnp.ravel(x))[(x.size - 1) // 2]
    return _kth_value(x, (x.shape[dim] - 1) // 2 + 1, dim, keepdim)


def _cumulative(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, dim: function(x, axis=dim) if x.ndim else x


RULES: dict[str, Callable[..., Any]] = {
    "_log_softmax": _log_softmax,
    "_softmax": _softmax,
    "all": _reduction(jnp.all),
    "amax": _reduction(jnp.max),
    "amin": _reduction(jnp.min),
    "any": _reduction(jnp.any),
    "argmax": _reduction(jnp.argmax),
    "argmin": _reduction(jnp.argmin),
    "cumprod": _cumulative(jnp.cumprod),
    "cumsum": _cumulative(jnp.cumsum),
    "kthvalue": _kth_value,
    "logcumsumexp": lambda x, dim: lax.cumlogsumexp(x, axis=dim % x.ndim),
    "logsumexp": _reduction(jax.nn.logsumexp),
    "max": _extremum(jnp.max, jnp.argmax),
    "mean": _reduction(jnp.mean),
    "median": _median,
    "min": _extremum(jnp.min, jnp.argmin),
    "prod": _reduction(jnp.prod),
    "sort": _sort,
    "sum": _reduction(jnp.sum),
    "topk": _topk,
    "var": _variance,
}

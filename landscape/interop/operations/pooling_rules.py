"""Rules of pooling by maxima, and of adaptive pooling."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = Any


def _axis_windows(
    size: int, width: int, step: int, pad: int, dilation: int, ceil_mode: bool
) -> np.ndarray:
    """Returns the positions in each window along one axis, -1 outside: (windows, width)."""
    span = dilation * (width - 1) + 1
    free = size + 2 * pad - span
    count = (-(-free // step) if ceil_mode else free // step) + 1
    if ceil_mode and (count - 1) * step >= size + pad:
        count -= 1  # the last window would start in the padding
    positions = np.arange(count)[:, None] * step - pad + dilation * np.arange(width)
    return np.where((positions >= 0) & (positions < size), positions, -1)


def _adaptive_windows(size: int, count: int) -> np.ndarray:
    """Returns the positions in each of `count` windows that cover one axis, -1 outside."""
    starts = np.arange(count) * size // count
    ends = -(-np.arange(1, count + 1) * size // count)
    positions = starts[:, None] + np.arange((ends - starts).max())
    return np.where(positions < ends[:, None], positions, -1)


def _flat_windows(windows: Sequence[np.ndarray], shape: Sequence[int]) -> np.ndarray:
    """Returns the flat positions in each window over several axes: (windows, width)."""
    flat = np.zeros((1, 1), int)
    for axis, size in zip(windows, shape, strict=True):
        joined = flat[:, None, :, None] * size + axis[None, :, None, :]
        outside = (flat < 0)[:, None, :, None] | (axis < 0)[None, :, None, :]
        joined = np.where(outside, -1, joined)
        flat = joined.reshape(len(flat) * len(axis), -1)
    return flat


def _maxima(dims: int, x: Array, windows: Sequence[np.ndarray]) -> tuple[Array, Array]:
    """Returns the maxima of windows of the last axes, and the flat positions of the first ones."""
    lead, shape = x.shape[: x.ndim - dims], x.shape[x.ndim - dims :]
    positions = _flat_windows(windows, shape)
    values = jnp.reshape(x, (*lead, math.prod(shape)))[..., np.maximum(positions, 0)]
    values = jnp.where(positions < 0, -jnp.inf, values)
    first = jnp.argmax(values, axis=-1, keepdims=True)
    largest = jnp.take_along_axis(values, first, axis=-1)[..., 0]
    places = jnp.asarray(positions)[np.arange(len(positions)), first[..., 0]]
    result = (*lead, *map(len, windows))
    return jnp.reshape(largest, result), jnp.reshape(places, result)


def _max_pool(
    dims: int,
    x: Array,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    widths, steps, pads, gaps = (
        _per_axis(v, dims) for v in (kernel, stride or kernel, padding, dilation)
    )
    windows = [
        _axis_windows(size, widths[n], steps[n], pads[n], gaps[n], ceil_mode)
        for n, size in enumerate(x.shape[-dims:])
    ]
    return _maxima(dims, x, windows)


def _adaptive_max_pool(dims: int, x: Array, counts: Sequence[int]) -> tuple[Array, Array]:
    windows = list(map(_adaptive_windows, x.shape[-dims:], counts))
    return _maxima(dims, x, windows)


def _at_maxima(dims: int, gradient: Array, x: Array, places: Array) -> Array:
    """Returns the gradient of maxima: each is added at the place of its maximum."""
    lead, shape = x.shape[: x.ndim - dims], x.shape[x.ndim - dims :]
    rows = math.prod(lead)

    def one(values: Array, positions: Array) -> Array:
        return jnp.zeros(math.prod(shape), values.dtype).at[positions].add(values)

    summed = jax.vmap(one)(jnp.reshape(gradient, (rows, -1)), jnp.reshape(places, (rows, -1)))
    return jnp.reshape(summed, x.shape)


def _max_pool_backward(dims: int, gradient: Array, x: Array, *options: Any) -> Array:
    return _at_maxima(dims, gradient, x, options[-1])


def _adaptive_average(dims: int, x: Array, counts: Sequence[int]) -> Array:
    for axis, count in zip(range(x.ndim - dims, x.ndim), counts, strict=True):
        windows = _adaptive_windows(x.shape[axis], count)
        shares = np.zeros((count, x.shape[axis]))
        for row, positions in enumerate(windows):
            inside = positions[positions >= 0]
            shares[row, inside] = 1 / len(inside)
        moved = jnp.moveaxis(x, axis, -1) @ jnp.asarray(shares.T, x.dtype)
        x = jnp.moveaxis(moved, -1, axis)
    return x


def _adaptive_average_backward(dims: int, gradient: Array, x: Array) -> Array:
    counts = gradient.shape[gradient.ndim - dims :]
    return jax.vjp(lambda v: _adaptive_average(dims, v, counts), x)[1](gradient)[0]


def _per_axis(numbers: Sequence[int], count: int) -> tuple[int, ...]:
    """Returns one number per axis; torch accepts a single one for all."""
    return tuple(numbers) * (count // len(numbers))


def _of_both(name: str, rule: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Returns a rule for images and for volumes, by the names of their operations."""
    return {name.format(dims): functools.partial(rule, dims) for dims in (2, 3)}


RULES: dict[str, Callable[..., Any]] = {
    **_of_both("_adaptive_avg_pool{}d", _adaptive_average),
    **_of_both("_adaptive_avg_pool{}d_backward", _adaptive_average_backward),
    **_of_both("adaptive_max_pool{}d", _adaptive_max_pool),
    **_of_both("adaptive_max_pool{}d_backward", _at_maxima),
    **_of_both("max_pool{}d_with_indices", _max_pool),
    **_of_both("max_pool{}d_with_indices_backward", _max_pool_backward),
}

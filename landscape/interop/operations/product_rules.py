"""Rules of matrix products, convolutions, pooling and normalization."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from landscape.errors import UserError

Array = Any


def _addmm(bias: Array, x: Array, y: Array, beta: float = 1, alpha: float = 1) -> Array:
    product = jnp.matmul(x, y)
    product = product if alpha == 1 else alpha * product
    return (bias if beta == 1 else beta * bias) + product


def _convolution(
    x: Array,
    kernel: Array,
    bias: Array | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Array:
    pads = [(width, width) for width in padding]
    if transposed:
        y = _transposed(x, kernel, stride, padding, dilation, output_padding, groups)
        return y if bias is None else y + bias.reshape((-1,) + (1,) * (x.ndim - 2))
    y = lax.conv_general_dilated(
        x, kernel, stride, pads, rhs_dilation=dilation, feature_group_count=groups
    )
    return y if bias is None else y + bias.reshape((-1,) + (1,) * (x.ndim - 2))


def _transposed(
    x: Array,
    kernel: Array,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    output_padding: Sequence[int],
    groups: int,
) -> Array:
    """Returns the transpose of the convolution with the same kernel and geometry."""
    sizes = [
        (size - 1) * step - 2 * pad + spread * (width - 1) + extra + 1
        for size, step, pad, spread, width, extra in zip(
            x.shape[2:], stride, padding, dilation, kernel.shape[2:], output_padding, strict=True
        )
    ]
    shape = (x.shape[0], kernel.shape[1] * groups, *sizes)

    def convolution(y: Array) -> Array:
        none = [0] * len(sizes)
        return _convolution(y, kernel, None, stride, padding, dilation, False, none, groups)

    (y,) = jax.linear_transpose(convolution, jax.ShapeDtypeStruct(shape, x.dtype))(x)
    return y


def _convolution_backward(
    gradient: Array, x: Array, kernel: Array, _: Any, *options: Any
) -> tuple[Array, ...]:
    *geometry, mask = options

    def forward(x: Array, kernel: Array) -> Array:
        return _convolution(x, kernel, None, *geometry)

    of_x, of_kernel = jax.vjp(forward, x, kernel)[1](gradient)
    of_bias = jnp.sum(gradient, axis=(0, *range(2, gradient.ndim)))
    parts = zip((of_x, of_kernel, of_bias), mask, strict=True)
    return tuple(part for part, wanted in parts if wanted)


def _average_pool(
    dims: int,
    x: Array,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Array:
    """Returns averages over windows of the last `dims` axes."""
    if ceil_mode:
        raise UserError("pools with ceil_mode=True", hint="use ceil_mode=False")
    sizes, steps, pads = (_repeated(v, dims) for v in (kernel, stride or kernel, padding))
    lead = (1,) * (x.ndim - dims)
    widths = [(0, 0)] * (x.ndim - dims) + [(width, width) for width in pads]

    def total(v: Array) -> Array:
        zero = np.zeros((), v.dtype)[()]
        return lax.reduce_window(v, zero, lax.add, lead + sizes, lead + steps, widths)

    if divisor is None and not count_include_pad and any(pads):
        return total(x) / total(jnp.ones_like(x))
    return total(x) / (divisor or math.prod(sizes))


def _repeated(numbers: Sequence[int], count: int) -> tuple[int, ...]:
    """Returns one number per axis; torch accepts a single one for all."""
    return tuple(numbers) * (count // len(numbers))


def _average_pool_backward(dims: int, gradient: Array, x: Array, *options: Any) -> Array:
    return jax.vjp(lambda v: _average_pool(dims, v, *options), x)[1](gradient)[0]


def _batch_norm(x: Array, weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any) -> Any:
    """Returns normalized values; in training also the mean and the inverse deviation of x."""
    training = bool(rest[0]) if len(rest) == 3 else False
    shape = (1, -1) + (1,) * (x.ndim - 2)
    others = (0, *range(2, x.ndim))
    if training:
        mean, variance = jnp.mean(x, others), jnp.var(x, others)
    inverse = lax.rsqrt(variance + rest[-1])
    y = (x - mean.reshape(shape)) * inverse.reshape(shape)
    y = y if weight is None else y * weight.reshape(shape)
    y = y if bias is None else y + bias.reshape(shape)
    empty = jnp.zeros((0,), x.dtype)
    return (y, mean, inverse) if training else (y, empty, empty)


def _distances(x: Array, y: Array, p: float, _: Any = None) -> Array:
    """Returns the distance of each row of x to each row of y, in the p-norm."""
    difference = jnp.abs(x[..., :, None, :] - y[..., None, :, :])
    if p == 1:
        return jnp.sum(difference, axis=-1)
    if p == 2:
        return jnp.sqrt(jnp.sum(difference**2, axis=-1))
    if p == float("inf"):
        return jnp.max(difference, axis=-1)
    return jnp.power(jnp.sum(jnp.power(difference, p), axis=-1), 1 / p)


def _distances_backward(gradient: Array, x: Array, y: Array, p: float, distances: Array) -> Array:
    difference = x[..., :, None, :] - y[..., None, :, :]
    if p == 1:
        return jnp.sum(gradient[..., None] * jnp.sign(difference), axis=-2)
    if p != 2:
        raise UserError(f"uses distances in the {p}-norm", hint="use p=1 or p=2")
    scale = jnp.where(distances == 0, 0, gradient / jnp.where(distances == 0, 1, distances))
    return jnp.sum(scale[..., None] * difference, axis=-2)


def _multi_margin_backward(
    gradient: Array,
    x: Array,
    labels: Array,
    p: float,
    margin: float,
    weight: Array | None = None,
    reduction: int = 1,
) -> Array:
    """Returns the gradient of F.multi_margin_loss, for labels `(n,)` and x `(n, classes)`."""
    rows = x if x.ndim == 2 else x[None]
    labels = jnp.reshape(labels, (-1, 1))
    correct = jnp.take_along_axis(rows, labels, axis=1)
    violation = margin - correct + rows
    is_label = jnp.arange(rows.shape[1]) == labels
    slope = jnp.where((violation > 0) & ~is_label, 1 if p == 1 else 2 * violation, 0)
    if weight is not None:
        slope = slope * jnp.take(weight, labels)
    slope = slope / rows.shape[1]
    slope = jnp.where(is_label, -jnp.sum(slope, axis=1, keepdims=True), slope)
    scale = jnp.reshape(gradient, (-1, 1)) / (rows.shape[0] if reduction == 1 else 1)
    return jnp.reshape(slope * scale, x.shape)


RULES: dict[str, Callable[..., Any]] = {
    "_cdist_backward": _distances_backward,
    "_cdist_forward": _distances,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "addmm": _addmm,
    "avg_pool2d": functools.partial(_average_pool, 2),
    "avg_pool2d_backward": functools.partial(_average_pool_backward, 2),
    "avg_pool3d": functools.partial(_average_pool, 3),
    "avg_pool3d_backward": functools.partial(_average_pool_backward, 3),
    "baddbmm": _addmm,
    "bmm": jnp.matmul,
    "convolution": _convolution,
    "convolution_backward": _convolution_backward,
    "dot": jnp.dot,
    "mm": jnp.matmul,
    "mv": jnp.matmul,
    "multi_margin_loss_backward": _multi_margin_backward,
    "native_batch_norm": _batch_norm,
}

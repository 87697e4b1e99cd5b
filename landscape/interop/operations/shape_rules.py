"""Rules of ATen operations that arrange elements: reshape, transpose, join, pad."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

Array = Any


def _squeeze(x: Array, dim: Any = None) -> Array:
    if dim is None or not x.ndim:
        return jnp.squeeze(x)
    axes = [axis % x.ndim for axis in ([dim] if isinstance(dim, int) else dim)]
    return jnp.squeeze(x, tuple(axis for axis in axes if x.shape[axis] == 1))


def _expand(x: Array, shape: Sequence[int], implicit: bool = False) -> Array:
    added = len(shape) - x.ndim
    sizes = [x.shape[axis - added] if size == -1 else size for axis, size in enumerate(shape)]
    return jnp.broadcast_to(x, sizes)


def _pad(x: Array, widths: Sequence[int], value: float = 0) -> Array:
    """Pads with a constant; torch lists the widths of the last axis first."""
    pairs = [(widths[i], widths[i + 1], 0) for i in range(len(widths) - 2, -1, -2)]
    pairs = [(0, 0, 0)] * (x.ndim - len(pairs)) + pairs
    return lax.pad(x, jnp.asarray(value, x.dtype), pairs)


def _transpose(x: Array, first: int, second: int) -> Array:
    return jnp.swapaxes(x, first, second) if x.ndim else x


def _cat(arrays: Sequence[Array], dim: int = 0) -> Array:
    # torch skips empty arrays of one axis.
    return jnp.concatenate([a for a in arrays if a.shape != (0,)] or list(arrays), axis=dim)


def _split_with_sizes(x: Array, sizes: Sequence[int], dim: int = 0) -> list[Array]:
    starts = [sum(sizes[:i]) for i in range(1, len(sizes))]
    return jnp.split(x, starts, axis=dim)


def _split(x: Array, size: int, dim: int = 0) -> list[Array]:
    return jnp.split(x, range(size, x.shape[dim], size), axis=dim)


def _tensor_split(x: Array, parts: Any, dim: int = 0) -> list[Array]:
    return jnp.array_split(x, parts if isinstance(parts, int) else list(parts), axis=dim)


def _unbind(x: Array, dim: int = 0) -> list[Array]:
    return [jnp.squeeze(part, dim) for part in jnp.split(x, x.shape[dim], axis=dim)]


def _repeat(x: Array, repeats: Sequence[int]) -> Array:
    return jnp.tile(x, repeats)


def _diagonal_scatter(x: Array, source: Array, offset: int = 0, a: int = 0, b: int = 1) -> Array:
    rows, columns = jnp.indices((x.shape[a], x.shape[b]))
    moved = jnp.moveaxis(x, (a, b), (-2, -1))
    at = jnp.nonzero(columns - rows == offset, size=source.shape[-1])
    return jnp.moveaxis(moved.at[(..., *at)].set(source), (-2, -1), (a, b))


RULES: dict[str, Callable[..., Any]] = {
    "_reshape_alias": lambda x, shape, *_: jnp.reshape(x, shape),
    "_unsafe_view": jnp.reshape,
    "atleast_1d": jnp.atleast_1d,
    "atleast_2d": jnp.atleast_2d,
    "atleast_3d": jnp.atleast_3d,
    "broadcast_in_dim": lambda x, shape, dims: lax.broadcast_in_dim(x, tuple(shape), tuple(dims)),
    "cat": _cat,
    "constant_pad_nd": _pad,
    "diagonal": jnp.diagonal,
    "diagonal_scatter": _diagonal_scatter,
    "expand": _expand,
    "flip": lambda x, dims: jnp.flip(x, tuple(dims)),
    "movedim": jnp.moveaxis,
    "numpy_T": jnp.transpose,
    "permute": lambda x, dims: jnp.transpose(x, dims),
    "repeat": _repeat,
    "reshape": jnp.reshape,
    "roll": lambda x, shifts, dims=(): jnp.roll(x, tuple(shifts), tuple(dims) or None),
    "split": _split,
    "split_with_sizes": _split_with_sizes,
    "squeeze": _squeeze,
    "stack": lambda arrays, dim=0: jnp.stack(arrays, axis=dim),
    "t": jnp.transpose,
    "tensor_split": _tensor_split,
    "transpose": _transpose,
    "tril": jnp.tril,
    "triu": jnp.triu,
    "unbind": _unbind,
    "unsqueeze": jnp.expand_dims,
    "view": jnp.reshape,
}

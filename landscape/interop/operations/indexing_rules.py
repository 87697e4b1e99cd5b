"""Rules of ATen operations that read or write elements by their positions."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from landscape.errors import UserError

Array = Any


def _gather(x: Array, dim: int, index: Array, sparse_grad: bool = False) -> Array:
    if not x.ndim or not index.ndim:
        return x if not x.ndim else jnp.asarray(x)[index]
    dim %= x.ndim
    sizes = (slice(None) if axis == dim else slice(index.shape[axis]) for axis in range(x.ndim))
    return jnp.take_along_axis(x[tuple(sizes)], index, axis=dim, mode="clip")


def _along(dim: int, index: Array) -> tuple[Array, ...]:
    """Returns the position of each element of an index that replaces one axis."""
    grid = list(jnp.meshgrid(*map(jnp.arange, index.shape), indexing="ij"))
    grid[dim % index.ndim] = index
    return tuple(grid)


def _source(source: Array, index: Array) -> Array:
    return jnp.asarray(source)[tuple(map(slice, index.shape))] if jnp.ndim(source) else source


def _scatter(x: Array, dim: int, index: Array, source: Array) -> Array:
    if not x.ndim:
        return jnp.reshape(source, ())
    return jnp.asarray(x).at[_along(dim, index)].set(_source(source, index))


def _scatter_add(x: Array, dim: int, index: Array, source: Array) -> Array:
    if not x.ndim:
        return x + jnp.reshape(source, ())
    return jnp.asarray(x).at[_along(dim, index)].add(_source(source, index))


def _is_mask(index: Array) -> bool:
    return index is not None and jnp.result_type(index) == jnp.bool_


def _positions(indices: Sequence[Array]) -> tuple[Any, ...]:
    """Returns indices as jax.numpy takes them; known masks as the positions that they select."""
    positions: list[Any] = []
    for index in indices:
        if _is_mask(index) and not isinstance(index, jax.core.Tracer):
            positions += [jnp.asarray(part) for part in np.nonzero(np.asarray(index))]
        else:
            positions.append(slice(None) if index is None else index)
    return tuple(positions)


def _index(x: Array, indices: Sequence[Array]) -> Array:
    return jnp.asarray(x)[_positions(indices)]


def _index_put(
    x: Array, indices: Sequence[Array], values: Array, accumulate: bool = False
) -> Array:
    positions = _positions(indices)
    masks = [i for i in positions if not isinstance(i, slice) and _is_mask(i)]
    if masks:
        if jnp.size(values) != 1 or len(positions) > 1:
            raise UserError(
                "writes several values into the elements that a mask selects",
                hint="use torch.where(mask, values, x)",
            )
        mask = masks[0].reshape(masks[0].shape + (1,) * (x.ndim - masks[0].ndim))
        value = jnp.reshape(values, ())
        return jnp.where(mask, x + value if accumulate else value, x)
    written = jnp.asarray(x).at[positions]
    return written.add(values) if accumulate else written.set(values)


def _index_add(x: Array, dim: int, index: Array, source: Array, alpha: float = 1) -> Array:
    return jnp.asarray(x).at[(slice(None),) * (dim % x.ndim) + (index,)].add(alpha * source)


def _part(x: Array, dim: int, part: Any) -> tuple[Any, ...]:
    return (slice(None),) * (dim % x.ndim) + (part,)


def _slice(x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    return x[_part(x, dim, slice(start, end, step))]


def _slice_scatter(
    x: Array, source: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Array:
    return jnp.asarray(x).at[_part(x, dim, slice(start, end, step))].set(source)


def _select(x: Array, dim: int, index: int) -> Array:
    return lax.index_in_dim(x, index, axis=dim % x.ndim, keepdims=False)


def _select_scatter(x: Array, source: Array, dim: int, index: int) -> Array:
    return jnp.asarray(x).at[_part(x, dim, index)].set(source)


def _embedding(weight: Array, indices: Array, *_: Any) -> Array:
    return jnp.take(weight, indices, axis=0)


RULES: dict[str, Callable[..., Any]] = {
    "_unsafe_index": _index,
    "_unsafe_index_put": _index_put,
    "embedding": _embedding,
    "gather": _gather,
    "index": _index,
    "index_add": _index_add,
    "index_put": _index_put,
    "index_select": lambda x, dim, index: jnp.take(x, index, axis=dim) if x.ndim else x,
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "select": _select,
    "select_scatter": _select_scatter,
    "slice": _slice,
    "slice_scatter": _slice_scatter,
}

"""Parameters as one vector, for arithmetic that treats every entry alike.

A loop over a small model takes time in proportion to its number of operations, and a vector needs
fewer of them than a tree.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

PyTree = Any


class Layout(NamedTuple):
    """The form in which a loop holds parameters: `pack(tree)` returns it, `unpack` inverts it."""

    pack: Callable[[PyTree], PyTree]
    unpack: Callable[[PyTree], PyTree]


def tree_layout(params: PyTree) -> Layout:
    """Returns the layout that leaves parameters as they are."""
    return Layout(lambda tree: tree, lambda tree: tree)


def vector_layout(params: PyTree) -> Layout:
    """Returns the layout of parameters as one vector, or the tree if they have several dtypes.

    A tree of one array remains as it is, so that a vector differs from every tree in structure.
    """
    leaves = jax.tree.leaves(params)
    if len(leaves) == 1 or len({leaf.dtype for leaf in leaves}) > 1:
        return tree_layout(params)
    return Layout(_pack, lambda vector: _unpack(vector, params, jnp.split))


def layout_for(elementwise: bool) -> Callable[[PyTree], Layout]:
    """Returns the layout for an optimizer: a vector if it treats every entry alike."""
    return vector_layout if elementwise else tree_layout


def as_tree(packed: PyTree, params: PyTree) -> PyTree:
    """Returns packed parameters as a tree with the structure and the shapes of `params`.

    `packed` may have leading axes. A vector is copied to the host; a tree is returned as it is.
    """
    if jax.tree_util.all_leaves([packed]) and not jax.tree_util.all_leaves([params]):
        return _unpack(np.asarray(packed), params, np.split)
    return packed


def _pack(tree: PyTree) -> jax.Array:
    # Written leaf by leaf: XLA's fused concatenation on a CPU branches at every entry.
    leaves = jax.tree.leaves(tree)
    vector = jnp.zeros(sum(leaf.size for leaf in leaves), leaves[0].dtype)
    start = 0
    for leaf in leaves:
        vector = lax.dynamic_update_slice(vector, leaf.ravel(), (start,))
        start += leaf.size
    return vector


def _unpack(vector: Any, params: PyTree, split: Callable[..., list[Any]]) -> PyTree:
    leaves = jax.tree.leaves(params)
    ends = np.cumsum([leaf.size for leaf in leaves])
    parts = split(vector, ends[:-1].tolist(), axis=-1)
    lead = vector.shape[:-1]
    shaped = [part.reshape(*lead, *leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(params), shaped)

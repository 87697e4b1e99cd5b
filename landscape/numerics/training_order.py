"""The order in which training visits examples: shuffled epochs, of examples or of whole groups."""

import functools

import jax
import jax.numpy as jnp

from landscape.numerics.compiling import jit_loop


@functools.partial(jit_loop, static_argnums=(1, 2, 3))
def draw_order(
    key: jax.Array,
    examples: int,
    steps: int,
    batch_size: int,
    groups: jax.Array | None = None,
) -> jax.Array:
    """Returns example numbers `(steps + 1, batch_size)`: shuffled epochs, one after the other.

    The last row is the batch on which the trained point is measured; no update is made from it.
    With `groups` `(examples,)`, numbers from 0 to below `examples`, an epoch is a shuffled order of
    groups, each shuffled in itself, so that a batch cuts at most two of them: one at each end.
    """
    count = (steps + 1) * batch_size
    keys = jax.random.split(key, -(-count // examples))
    shuffled = jax.vmap(lambda k: jax.random.permutation(k, examples))(keys)
    if groups is not None:
        shuffled = _grouped(jax.random.fold_in(key, 1), shuffled, jnp.asarray(groups))
    return shuffled.reshape(-1)[:count].reshape(steps + 1, batch_size).astype(jnp.int32)


def _grouped(key: jax.Array, epochs: jax.Array, groups: jax.Array) -> jax.Array:
    """Returns each epoch with the examples of a group after one another, in their order."""

    def sort(key: jax.Array, epoch: jax.Array) -> jax.Array:
        places = jax.random.permutation(key, epoch.shape[0])
        return epoch[jnp.argsort(places[groups[epoch]], stable=True)]

    return jax.vmap(sort)(jax.random.split(key, len(epochs)), epochs)

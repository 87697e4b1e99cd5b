"""Counts of examples by the order of their logits, in the time of a sort."""

import jax
import jax.numpy as jnp

from landscape.parts.metrics._metric import mean_of


def precision_of_positives(logits: jax.Array, true: jax.Array) -> jax.Array:
    """Returns the average precision of logits and truth (n,); NaN without a true one."""
    below, _ = counted_below(logits, true)
    positives = jnp.sum(true)
    at_least = len(logits) - jnp.searchsorted(jnp.sort(logits), logits, side="left")
    return mean_of((positives - below) / at_least, true)


def counted_below(logits: jax.Array, counted: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns for each logit how many of the counted ones are smaller, and at most as large."""
    order = jnp.argsort(logits)
    ordered = logits[order]
    running = jnp.concatenate(
        [jnp.zeros(1, jnp.int32), jnp.cumsum(counted[order], dtype=jnp.int32)]
    )
    first, end = (jnp.searchsorted(ordered, logits, side=side) for side in ("left", "right"))
    return running[first], running[end]

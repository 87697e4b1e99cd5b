"""Means over a part of an array: 0 with a zero gradient if that part is empty."""

import jax
import jax.numpy as jnp


def mean_where(counted: jax.Array, values: jax.Array) -> jax.Array:
    """Returns the mean of the values where `counted` is true, 0 if it is true nowhere."""
    number = jnp.sum(counted.astype(values.dtype))
    return jnp.sum(jnp.where(counted, values, 0)) / jnp.maximum(number, 1)


def scaled_by_mask(values: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Returns values `(batch, ...)` of positions, 0 where the mask is 0.

    The others are multiplied by positions / counted positions of their example, so that the mean
    over an example is that over its counted positions. An example without any is 0 throughout.
    """
    if mask is None:
        return values
    counted = mask > 0
    axes = tuple(range(1, values.ndim))
    number = jnp.sum(counted.astype(values.dtype), axis=axes, keepdims=True)
    positions = values.size / values.shape[0]
    return jnp.where(counted, values * (positions / jnp.maximum(number, 1)), 0)

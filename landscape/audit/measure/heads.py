"""Layers between the outputs of a model and a loss."""

from typing import Any

import jax
import jax.numpy as jnp

Array = Any
TINY = 1e-12  # added to a squared norm, so that the gradient exists at 0


def normalized(outputs: Array) -> Array:
    """Returns the outputs divided by their Euclidean norm over the last axis."""
    squares = jnp.sum(jnp.square(outputs), axis=-1, keepdims=True)
    return outputs * jax.lax.rsqrt(squares + TINY)


HEADS = {
    "sigmoid": jax.nn.sigmoid,
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "tanh": jnp.tanh,
    "softplus": jax.nn.softplus,
    "exp": jnp.exp,
    "normalize": normalized,
}
# Domains that are not a product of intervals, by the head whose results fill them.
MANIFOLDS = {"log_simplex": "log_softmax", "sphere": "normalize"}

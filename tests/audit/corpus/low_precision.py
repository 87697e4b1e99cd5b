"""Losses that work in float32 and fail in float16 or bfloat16."""

import jax
import jax.numpy as jnp


# task: binary  also: G205 S401  maybe: G202
def epsilon_inside_the_log(predictions, targets):
    """1e-8 is 0 in float16, so log(0); in float32 it only fades, from |z| = 18 on."""
    p, q = jax.nn.sigmoid(predictions), jax.nn.sigmoid(-predictions)
    return -(targets * jnp.log(p + 1e-8) + (1 - targets) * jnp.log(q + 1e-8))  # <- N303


# task: regression
def pixel_units(predictions, targets):
    """Errors in units of 255: the square of an error of 2 is above 65504, the end of float16."""
    return jnp.square(255 * predictions - 255 * targets)  # <- N303


# task: regression
def tiny_weight(predictions, targets):
    """A weight of 1e-8 is 0 in float16, and so is the gradient."""
    return 1e-8 * jnp.square(predictions - targets)  # <- N303


# task: regression  maybe: G206
def normalized_by_variance(predictions, targets):
    """Equal targets leave the epsilon alone in the denominator: 1e-8 is 0 in float16."""
    squared = jnp.mean(jnp.square(predictions - targets))
    return squared / (jnp.var(targets) + 1e-8)  # <- N303

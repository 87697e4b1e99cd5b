"""Losses whose gradient fades where the prediction is most wrong, and what bends them."""

import jax
import jax.numpy as jnp


# task: binary  maybe: G202 N303
def squared_probability_error(predictions, targets):  # <- G205 S401
    """(sigmoid(z) - t)^2: a confident mistake at z = -30 pulls with 1e-13."""
    return jnp.square(jax.nn.sigmoid(predictions) - targets)  # <- G205 S401


# task: regression  also: S403  maybe: G202 N303 S404
def squashed_regression(predictions, targets):  # <- G205 S401
    """tanh inside the loss: predictions beyond 10 are 1 in float32, and stay where they are."""
    squashed = jnp.tanh(predictions)  # <- G205 S401
    return jnp.square(squashed - targets)  # <- G205 S401


# task: multiclass  maybe: G202 N303
def missing_log(predictions, targets):  # <- G205 S401
    """1 - p of the true class: the log that keeps confident mistakes trainable is missing."""
    p = jax.nn.softmax(predictions)  # <- G205 S401
    return 1 - jnp.sum(targets * p, axis=-1)  # <- G205 S401


# task: regression  maybe: G202 N303
def welsch(predictions, targets):  # <- G205 S401
    """1 - exp(-e^2 / 2): nothing pulls an outlier, nor a bad start."""
    return 1 - jnp.exp(-jnp.square(predictions - targets) / 2)  # <- G205 S401


# task: regression  maybe: N303
def geman_mcclure(predictions, targets):  # <- G205 S401
    """e^2 / (1 + e^2): the pull falls as 1 / e^3."""
    squared = jnp.square(predictions - targets)
    return squared / (1 + squared)  # <- G205 S401


# task: segmentation  maybe: G202 N303
def soft_dice_of_logits(predictions, targets):  # <- G205 S401
    """Dice through a sigmoid: a wrong pixel at z = -30 pulls with 1e-15."""
    p = jax.nn.sigmoid(predictions)  # <- G205 S401
    overlap = jnp.sum(p * targets, axis=(1, 2))
    sizes = jnp.sum(p, axis=(1, 2)) + jnp.sum(targets, axis=(1, 2))
    return 1 - (2 * overlap + 1) / (sizes + 1)  # <- G205 S401

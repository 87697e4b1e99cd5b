"""Losses that depend on the size or on the order of the batch."""

import jax
import jax.numpy as jnp


# task: regression  maybe: N303
def summed_error(predictions, targets):  # <- B502
    """A sum where a mean belongs: twice the batch is twice the learning rate."""
    return jnp.sum(jnp.square(predictions - targets))  # <- B502


# task: multiclass
def summed_cross_entropy(predictions, targets):  # <- B502
    """The same for classes."""
    return -jnp.sum(targets * jax.nn.log_softmax(predictions))  # <- B502


# task: regression  maybe: N301 N302 N303
def changes_in_time(predictions, targets):  # <- B502
    """Neighbors in the batch as neighbors in time, which ends with the first shuffle."""
    error = predictions - targets
    changes = jnp.diff(error)  # <- B502
    return jnp.mean(jnp.square(error)) + jnp.mean(jnp.square(changes))  # <- B502


# task: regression  maybe: N303
def weighted_by_position(predictions, targets):  # <- B502
    """The later in the batch, the heavier."""
    weights = jnp.linspace(0.5, 1.5, predictions.shape[0])  # <- B502
    return weights * jnp.square(predictions - targets)  # <- B502


# task: binary  maybe: S403 S404
def previous_label(predictions, targets):  # <- B502
    """The label of the previous example joins in: meant for sequences, used on batches."""
    smoothed = 0.9 * targets + 0.1 * jnp.roll(targets, 1)  # <- B502
    return jax.nn.softplus(predictions) - smoothed * predictions  # <- B502

"""Losses with regions where the gradient is exactly zero although the prediction is wrong."""

import jax
import jax.numpy as jnp

EPSILON = 1e-7


# task: binary  also: S401 N303  maybe: G205
def keras_binary_crossentropy(y_true, y_pred):
    """Keras-style BCE on a sigmoid: the clip kills the gradient beyond |z| = 16.1."""
    p = jnp.clip(jax.nn.sigmoid(y_pred), EPSILON, 1 - EPSILON)  # <- G202 D102
    return -(y_true * jnp.log(p) + (1 - y_true) * jnp.log(1 - p))


# task: multiclass  head: softmax  also: S401  maybe: G205 N303
def keras_categorical_crossentropy(y_true, y_pred):
    """The same on a softmax: a class below 1e-7 is dead although it is the true one."""
    p = jnp.clip(y_pred, EPSILON, 1 - EPSILON)  # <- G202 D102
    return -jnp.sum(y_true * jnp.log(p), axis=-1)


# task: binary  also: S401 N303  maybe: G205
def coarse_clip(predictions, targets):
    """Clipped at 0.001: dead beyond |z| = 6.9, and 0.999 is 1 in bfloat16, so log(0)."""
    p = jnp.clip(jax.nn.sigmoid(predictions), 1e-3, 1 - 1e-3)  # <- G202 D102
    return -(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p))


# task: regression  also: S401  maybe: G205
def clipped_residual(predictions, targets):
    """The error is clipped, not its gradient: beyond 1 nothing pulls back."""
    error = jnp.clip(predictions - targets, -1, 1)  # <- G202 D102
    return jnp.square(error)


# task: regression  also: S401  maybe: G205
def capped_error(predictions, targets):
    """min(e^2, 4): an example that starts further away than 2 never learns."""
    return jnp.minimum(jnp.square(predictions - targets), 4.0)  # <- G202 D102


# task: regression  also: S401  maybe: D103 G205
def bounded_output(predictions, targets):
    """The output is clipped to [0, 1] inside the loss: outside of it the gradient is zero."""
    bounded = jnp.clip(predictions, 0, 1)  # <- G202 D102
    return jnp.square(bounded - targets)


# task: regression  also: S401  maybe: D103 G205 N303
def rectified_counts(predictions, targets):
    """Counts made positive by relu: a prediction below zero cannot come back."""
    counts = jax.nn.relu(predictions)  # <- G202 D102
    return jnp.square(counts - targets)


# task: binary  also: S401  maybe: G205
def ramp(predictions, targets):
    """A hinge that stops at 1: every example on the wrong side is dead."""
    margins = (2 * targets - 1) * predictions
    return jnp.clip(1 - margins, 0, 1)  # <- G202 D102


# task: binary  also: S401  maybe: D103 G205
def hard_sigmoid_error(predictions, targets):
    """The piecewise linear sigmoid is constant beyond |z| = 2.5, also where it is wrong."""
    p = jnp.clip(0.2 * predictions + 0.5, 0, 1)  # <- G202 D102
    return jnp.square(p - targets)


# task: segmentation  domain: unit  also: S401  maybe: N303
def keras_dice(y_true, y_pred):
    """No smoothing in the numerator: for an empty mask the loss is 1 whatever is predicted."""
    overlap = jnp.sum(y_true * y_pred, axis=(1, 2))  # <- G202
    sizes = jnp.sum(y_true, axis=(1, 2)) + jnp.sum(y_pred, axis=(1, 2))
    return 1 - 2 * overlap / (sizes + EPSILON)  # <- G202


# task: segmentation  domain: unit  maybe: G204 S403
def misses_only(predictions, targets):
    """Recall as a loss: false alarms are free, and an empty mask gives no gradient at all."""
    found = jnp.sum(predictions * targets, axis=(1, 2))  # <- G202 S405
    return 1 - (found + 1) / (jnp.sum(targets, axis=(1, 2)) + 1)  # <- G202


# task: binary  maybe: S403
def positives_only(predictions, targets):
    """Half of the cross entropy: for target 0 the loss is 0 whatever is predicted."""
    return -targets * jax.nn.log_sigmoid(predictions)  # <- G202

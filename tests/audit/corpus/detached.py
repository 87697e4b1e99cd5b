"""Gradients that are cut off, replaced, or do not belong to the value they stand beside."""

import jax
import jax.numpy as jnp
import optax
from jax import lax


# task: regression  maybe: G202 G203 G207 N303  verdict: untrainable
def frozen_predictions(predictions, targets):
    """stop_gradient around the predictions instead of the targets."""
    frozen = lax.stop_gradient(predictions)  # <- G201
    return jnp.square(frozen - targets)


# task: multiclass  maybe: G202 G203 G207  verdict: untrainable
def teacher_and_student_swapped(predictions, targets):
    """The logits of the student are detached, as those of a teacher should be."""
    log_p = jax.nn.log_softmax(lax.stop_gradient(predictions))  # <- G201
    return -jnp.sum(targets * log_p, axis=-1)


# task: regression  also: S401  maybe: N303
def straight_through_rounding(predictions, targets):
    """The value is a staircase, the gradient that of a parabola."""
    rounded = predictions + lax.stop_gradient(jnp.round(predictions) - predictions)  # <- D101 G207
    return jnp.square(rounded - targets)


# task: multiclass  also: S401  maybe: G202 G205 N303
def straight_through_one_hot(predictions, targets):
    """The hard choice forward, the softmax backward."""
    p = jax.nn.softmax(predictions)
    hard = jax.nn.one_hot(jnp.argmax(predictions, axis=-1), predictions.shape[-1])  # <- D101
    chosen = p + lax.stop_gradient(hard - p)  # <- G207
    return jnp.sum(jnp.square(chosen - targets), axis=-1)


# task: regression  maybe: D103 N303
def detached_weights(predictions, targets):
    """(1 + |e|) e^2 with constant weights: the gradient lacks the term of the weights."""
    error = predictions - targets
    weights = lax.stop_gradient(1 + jnp.abs(error))  # <- G207
    return weights * jnp.square(error)  # <- G207


# task: regression  maybe: N303
def moving_target(predictions, targets):
    """A target mixed from the prediction itself: the gradient is ten times the slope."""
    mixed = lax.stop_gradient(0.9 * predictions + 0.1 * targets)  # <- G207
    return jnp.square(predictions - mixed)  # <- G207


@jax.custom_vjp
def _squared(error):
    return jnp.square(error)  # <- G207


def _squared_forward(error):
    return jnp.square(error), error  # <- G207


def _squared_backward(error, cotangent):
    return (error * cotangent,)  # <- G207


_squared.defvjp(_squared_forward, _squared_backward)


# task: regression  maybe: N303
def forgotten_factor(predictions, targets):
    """The hand-written derivative of e^2 is e, not 2 e."""
    return _squared(predictions - targets)  # <- G207


@jax.custom_vjp
def _reversed(x):
    return x  # <- G207


def _reversed_forward(x):
    return x, None  # <- G207


def _reversed_backward(_, cotangent):
    return (-cotangent,)  # <- G207


_reversed.defvjp(_reversed_forward, _reversed_backward)


# task: binary  verdict: untrainable
def reversed_gradient(predictions, targets):
    """The layer of domain-adversarial training, left in: descent goes uphill."""
    return optax.sigmoid_binary_cross_entropy(_reversed(predictions), targets)  # <- G207


@jax.custom_jvp
def _pseudo_huber(error):
    return 4 * (jnp.sqrt(1 + jnp.square(error / 2)) - 1)  # <- G207


@_pseudo_huber.defjvp
def _pseudo_huber_jvp(primals, tangents):
    (error,), (tangent,) = primals, tangents
    slope = error / jnp.sqrt(1 + jnp.square(error))  # <- G207
    return _pseudo_huber(error), slope * tangent  # <- G207


# task: regression  maybe: N303
def rescaled_value_only(predictions, targets):
    """A custom_jvp that was not changed when the loss got its scale of 2."""
    return _pseudo_huber(predictions - targets)  # <- G207


# task: multiclass  also: G202  maybe: G204 S403
def ignored_background(predictions, targets):
    """The background's logit is indexed away: it gets no gradient, its examples teach nothing."""
    log_p = jax.nn.log_softmax(predictions[:, 1:])  # <- G203
    return -jnp.sum(targets[:, 1:] * log_p, axis=-1)


# task: segmentation  maybe: G204
def last_column_lost(predictions, targets):
    """An off-by-one slice: the last column of the mask is never trained."""
    seen = predictions[:, :, :-1]  # <- G203
    pixels = optax.sigmoid_binary_cross_entropy(seen, targets[:, :, :-1])
    return jnp.mean(pixels, axis=(1, 2))


# task: segmentation  maybe: G204
def cropped_border(predictions, targets):
    """Convolutions are unsure at the border, so it is cropped: those pixels are never trained."""
    inner = predictions[:, 1:-1, 1:-1]  # <- G203
    pixels = optax.sigmoid_binary_cross_entropy(inner, targets[:, 1:-1, 1:-1])
    return jnp.mean(pixels, axis=(1, 2))


# task: regression  maybe: G204 N303
def every_second_example(predictions, targets):
    """Half of the batch is thinned out; which half depends on its order."""
    error = predictions[::2] - targets[::2]  # <- G203 B502
    return jnp.mean(jnp.square(error))

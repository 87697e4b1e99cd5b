"""Losses with steps: thresholds, rounding, counting, and switches whose two sides do not meet."""

import jax
import jax.numpy as jnp
import optax


# task: segmentation  also: S401  maybe: G202 G203  verdict: untrainable
def hard_dice(predictions, targets):
    """Dice of the mask above 0.5: flat everywhere, a step where a pixel crosses 0.5."""
    masks = (jax.nn.sigmoid(predictions) > 0.5).astype(predictions.dtype)  # <- D101 G201
    overlap = jnp.sum(masks * targets, axis=(1, 2))
    sizes = jnp.sum(masks, axis=(1, 2)) + jnp.sum(targets, axis=(1, 2))
    return 1 - (2 * overlap + 1) / (sizes + 1)


# task: segmentation  also: S401  maybe: G202 G203  verdict: untrainable
def iou_of_rounded_masks(predictions, targets):
    """Rounding kills the gradient; an empty mask that is predicted empty is 0 / 0."""
    masks = jnp.round(jax.nn.sigmoid(predictions))  # <- D101 G201
    overlap = jnp.sum(masks * targets, axis=(1, 2))
    union = jnp.sum(jnp.maximum(masks, targets), axis=(1, 2))
    return 1 - overlap / union  # <- N301


# task: multiclass  also: S401  maybe: G202 G203  verdict: untrainable
def argmax_accuracy(predictions, targets):
    """The accuracy itself as a loss: argmax has no gradient."""
    hits = jnp.argmax(predictions, axis=-1) == jnp.argmax(targets, axis=-1)  # <- D101 G201
    return 1 - hits.astype(jnp.float32)


# task: binary  also: S401  maybe: G202 G203  verdict: untrainable
def f1_at_threshold(predictions, targets):
    """F1 of the decisions: steps only; 0 / 0 where nothing is positive and nothing is predicted."""
    positive = jnp.where(predictions > 0, 1.0, 0.0)  # <- D101 G201
    hits = jnp.sum(positive * targets)
    return 1 - 2 * hits / (jnp.sum(positive) + jnp.sum(targets))  # <- N301


# task: regression  also: S401  maybe: G202 G203  verdict: untrainable
def rounded_error(predictions, targets):
    """Squares of whole units: the error is rounded, so the loss is a staircase."""
    error = jnp.round(predictions - targets)  # <- D101 G201
    return jnp.square(error)


# task: regression  also: S401  maybe: G202 G203  verdict: untrainable
def whole_years(predictions, targets):
    """Ages compared as integers: no gradient passes a cast to int32."""
    years = predictions.astype(jnp.int32)  # <- D101 G201
    return jnp.abs(years - targets.astype(jnp.int32)).astype(jnp.float32)


# task: regression  also: S401  maybe: G202 G203 S403 S404  verdict: untrainable
def quantized_levels(predictions, targets):
    """Predictions on a grid of quarters: flat between two levels, a step at each."""
    levels = jnp.floor(predictions * 4) / 4  # <- D101 G201
    return jnp.abs(levels - targets)


# task: segmentation  also: S401  maybe: G202 G203 S403 S404  verdict: untrainable
def counted_pixels(predictions, targets):
    """The area error, with pixels counted by a comparison instead of summed probabilities."""
    counted = jnp.sum(predictions > 0, axis=(1, 2))  # <- D101 G201
    wanted = jnp.sum(targets, axis=(1, 2))
    return jnp.abs(counted - wanted) / targets[0].size


# task: regression  also: S401 S403 S404  maybe: N303
def penalty_below_zero(predictions, targets):
    """A fixed fine for negative predictions: a step of 10 at 0 that no gradient announces."""
    penalty = jnp.where(predictions < 0, 10.0, 0.0)  # <- D101
    return jnp.square(predictions - targets) + penalty


# task: binary  also: S401 S404
def weighted_by_decision(predictions, targets):
    """Meant: misses cost five times. Written: every negative decision does, also the right one."""
    weights = jnp.where(predictions > 0, 1.0, 5.0)  # <- D101
    return weights * optax.sigmoid_binary_cross_entropy(predictions, targets)


# task: regression  also: S401 S404  maybe: G202 G205 S403
def rejected_outliers(predictions, targets):
    """Errors above 3 count as 0: a step of 9 that rewards leaving, and no way back."""
    error = predictions - targets
    return jnp.where(jnp.abs(error) < 3, jnp.square(error), 0.0)  # <- D101


# task: regression  also: S401 S404
def wrapped_angle(predictions, targets):
    """mod maps an error of -0.01 to 6.27, so the loss jumps by 39.5 exactly at the target."""
    error = jnp.mod(predictions - targets, 2 * jnp.pi)  # <- D101
    return jnp.square(error)

"""Sound losses for classes, written in the ways people write them."""

import jax
import jax.numpy as jnp
import optax


# task: multiclass  fine
def logsumexp_by_hand(predictions, targets):
    """The maximum is subtracted and detached: nothing of its switches is left."""
    top = jax.lax.stop_gradient(jnp.max(predictions, axis=-1, keepdims=True))
    log_total = jnp.log(jnp.sum(jnp.exp(predictions - top), axis=-1)) + top[:, 0]
    return log_total - jnp.sum(targets * predictions, axis=-1)


# task: multiclass  fine
def logsumexp_with_live_maximum(predictions, targets):
    """The maximum is not detached: its gradient cancels."""
    shifted = predictions - jnp.max(predictions, axis=-1, keepdims=True)
    log_p = shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True))
    return -jnp.sum(targets * log_p, axis=-1)


# task: multiclass  fine
def cross_entropy(predictions, targets):
    """As it should be written."""
    return -jnp.sum(targets * jax.nn.log_softmax(predictions), axis=-1)


# task: multiclass  fine
def optax_integer_labels(logits, labels):
    """Labels (n,) instead of one-hot targets."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


# task: multiclass  fine
def picked_log_probability(logits, labels):
    """A gather picks one class, but the softmax before it reaches all."""
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]


# task: multiclass  fine
def guarded_divergence(predictions, targets):
    """t log(t) with a double where: target only."""
    positive = targets > 0
    log_t = jnp.log(jnp.where(positive, targets, 1.0))
    terms = targets * (log_t - jax.nn.log_softmax(predictions))
    return jnp.sum(jnp.where(positive, terms, 0.0), axis=-1)


# task: multiclass  fine
def softened(predictions, targets):
    """A temperature of 2."""
    return 4 * optax.softmax_cross_entropy(predictions / 2, targets)


# task: multiclass  fine
def crammer_singer(predictions, targets):
    """The hardest rival sets the margin: two classes are reached, and none beyond it."""
    rival = jnp.max(predictions + 1 - targets, axis=-1)  # <- D102 G204
    return rival - jnp.sum(targets * predictions, axis=-1)


# task: binary  fine  maybe: S403
def smoothed_by_clip(predictions, targets):
    """A clip of the targets only is label smoothing."""
    smoothed = jnp.clip(targets, 0.05, 0.95)
    return optax.sigmoid_binary_cross_entropy(predictions, smoothed)


# task: binary  fine
def rounded_labels(predictions, targets):
    """Floor and a cast, of the labels only."""
    labels = jnp.floor(targets + 0.5).astype(jnp.int32)
    return jnp.where(labels == 1, jax.nn.softplus(-predictions), jax.nn.softplus(predictions))


# task: binary  fine
def stable_cross_entropy(predictions, targets):
    """log(1 + exp(z)) - t z by logaddexp."""
    return jnp.mean(jnp.logaddexp(0.0, predictions) - targets * predictions)


# task: binary  fine
def hinge(predictions, targets):
    """Dead beyond the margin, where it is at its minimum."""
    margins = (2 * targets - 1) * predictions
    return jnp.maximum(0, 1 - margins)  # <- D102


# task: binary  fine  maybe: N303
def squared_hinge(predictions, targets):
    """The same without a kink: only the curvature jumps."""
    margins = (2 * targets - 1) * predictions
    return jax.nn.relu(1 - margins) ** 2  # <- D103


# task: binary  fine  also: S401
def focal(predictions, targets):
    """gamma = 2, from the logarithm of the probability: finite everywhere."""
    margins = (2 * targets - 1) * predictions
    wrong = jax.nn.sigmoid(-margins)
    return -jnp.square(wrong) * jax.nn.log_sigmoid(margins)


# task: binary  fine
def divergence_from_label(predictions, targets):
    """0 * log(0) is NaN in a branch that is not taken; it does not depend on the prediction."""
    entropy = jnp.where(targets > 0, targets * jnp.log(targets), 0.0)
    return entropy + optax.sigmoid_binary_cross_entropy(predictions, targets)


# task: binary  fine
def guarded_balance(predictions, targets):
    """Weights by class frequency that survive a batch of one class."""
    positive = targets.size / (2 * jnp.maximum(jnp.sum(targets), 1))
    negative = targets.size / (2 * jnp.maximum(jnp.sum(1 - targets), 1))
    weights = targets * positive + (1 - targets) * negative
    return jnp.mean(weights * optax.sigmoid_binary_cross_entropy(predictions, targets))

"""Small losses with and without corners, steps and plateaus, for docs/differentiable.md."""

import jax
import jax.numpy as jnp


def squared(predictions, targets):
    """MSE: smooth, convex."""
    return (predictions - targets) ** 2


def absolute(predictions, targets):
    """ABS: a corner at the target."""
    return jnp.abs(predictions - targets)


def tolerant(predictions, targets, *, tolerance=0.1):
    """ReLU: errors below the tolerance cost nothing."""
    return jax.nn.relu(jnp.abs(predictions - targets) - tolerance)


def clipped(predictions, targets):
    """CLIP: large errors all cost 1."""
    return jnp.clip((predictions - targets) ** 2, 0, 1)


def rounded(predictions, targets):
    """ROUND: a staircase."""
    return (jnp.round(predictions) - targets) ** 2


def cross_entropy(logits, labels):
    """BCE of a logit and a label 0 or 1."""
    return jax.nn.softplus(logits) - labels * logits


def dice(logits, labels):
    """One minus the Dice coefficient of a batch."""
    p = jax.nn.sigmoid(logits)
    return 1 - (2 * jnp.sum(p * labels) + 1) / (jnp.sum(p) + jnp.sum(labels) + 1)


def maximum(logits, onehot):
    """MAX: the largest logit less the logit of the class (the perceptron loss)."""
    return jnp.max(logits, axis=-1) - jnp.sum(onehot * logits, axis=-1)


def softmax(logits, onehot):
    """Softmax cross entropy: logsumexp, a smooth maximum, less the logit of the class."""
    return jax.nn.logsumexp(logits, axis=-1) - jnp.sum(onehot * logits, axis=-1)

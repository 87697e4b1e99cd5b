"""Losses for two classes as they are written wrong, and two that are sound, for broken_losses.yaml.

All take logits and targets 0 or 1 of shape `(batch,)`. Each mistake is common and none is caught by
running the loss once: `landscape audit configs/broken_losses.py:rounded --task binary` says what is
the matter with one of them.
"""

import jax
import jax.numpy as jnp
import optax


def from_logits(predictions, targets):
    """Sound: log(1 + exp(z)) - t z, the cross entropy as it should be written."""
    return jnp.logaddexp(0.0, predictions) - targets * predictions


def corner(predictions, targets):
    """Sound: max(0, 1 - m), a hinge. Its corner does no harm, and its flat side lies at 0."""
    margins = (2 * targets - 1) * predictions
    return jax.nn.relu(1 - margins)


def rounded(predictions, targets):
    """The probability is rounded to a decision: a staircase, whose gradient is zero."""
    decisions = jnp.round(jax.nn.sigmoid(predictions))
    return jnp.square(decisions - targets)


def ramp(predictions, targets):
    """A hinge that was clipped to be robust: no gradient where the answer is surely wrong."""
    margins = (2 * targets - 1) * predictions
    return jnp.clip(1 - margins, 0, 1)


def bounded_output(predictions, targets):
    """A clip where a sigmoid should be: a prediction outside of [0, 1] gets no gradient."""
    return jnp.square(jnp.clip(predictions, 0, 1) - targets)


def epsilon_in_the_log(predictions, targets):
    """The epsilon that should protect the logarithm is lost in float32 once this is compiled."""
    p = jax.nn.sigmoid(predictions)
    return -(targets * jnp.log(p + 1e-8) + (1 - targets) * jnp.log(1 - p + 1e-8))


def hinge_of_labels(predictions, targets):
    """A hinge for targets -1 and 1, given 0 and 1: for target 0 it is constant."""
    return jax.nn.relu(1 - targets * predictions)


def swapped_arguments(predictions, targets):
    """Targets where optax wants logits: it runs, and is linear in the predictions."""
    return optax.sigmoid_binary_cross_entropy(targets, predictions)


def column_against_row(predictions, targets):
    """(n, 1) against (n,) gives (n, n): each prediction is compared with every target."""
    probabilities = jax.nn.sigmoid(predictions)[:, None]
    return jnp.mean(jnp.square(probabilities - targets[None, :]))


def lost_minus(predictions, targets):
    """The log-likelihood without its minus: descent makes the targets as unlikely as it can."""
    right, wrong = jax.nn.log_sigmoid(predictions), jax.nn.log_sigmoid(-predictions)
    return targets * right + (1 - targets) * wrong

"""Binary losses with common mistakes, and two sound ones, for broken_losses.yaml.

All take logits and targets 0 or 1 of shape `(batch,)`. Calling a loss once reveals none of these
mistakes; `landscape audit configs/broken_losses.py:rounded --task binary` explains one of them.
"""

import jax
import jax.numpy as jnp
import optax


def from_logits(predictions, targets):
    """Sound: log(1 + exp(z)) - t z, the stable form of the cross entropy."""
    return jnp.logaddexp(0.0, predictions) - targets * predictions


def corner(predictions, targets):
    """Sound: max(0, 1 - m), a hinge. Its kink is harmless, and its flat side is its minimum, 0."""
    margins = (2 * targets - 1) * predictions
    return jax.nn.relu(1 - margins)


def rounded(predictions, targets):
    """Rounds the probability to a decision: a staircase, whose gradient is zero."""
    decisions = jnp.round(jax.nn.sigmoid(predictions))
    return jnp.square(decisions - targets)


def ramp(predictions, targets):
    """A hinge clipped for robustness: no gradient for confident wrong predictions."""
    margins = (2 * targets - 1) * predictions
    return jnp.clip(1 - margins, 0, 1)


def bounded_output(predictions, targets):
    """A clip instead of a sigmoid: predictions outside [0, 1] get no gradient."""
    return jnp.square(jnp.clip(predictions, 0, 1) - targets)


def epsilon_in_the_log(predictions, targets):
    """The epsilon that should guard the logarithm is lost in float32 when compiled."""
    p = jax.nn.sigmoid(predictions)
    return -(targets * jnp.log(p + 1e-8) + (1 - targets) * jnp.log(1 - p + 1e-8))


def hinge_of_labels(predictions, targets):
    """A hinge for targets -1 and 1, used with 0 and 1: for target 0 it is constant."""
    return jax.nn.relu(1 - targets * predictions)


def swapped_arguments(predictions, targets):
    """Passes targets as logits: optax accepts it, and the loss is linear in the predictions."""
    return optax.sigmoid_binary_cross_entropy(targets, predictions)


def column_against_row(predictions, targets):
    """(n, 1) with (n,) gives (n, n): each prediction is compared with every target."""
    probabilities = jax.nn.sigmoid(predictions)[:, None]
    return jnp.mean(jnp.square(probabilities - targets[None, :]))


def lost_minus(predictions, targets):
    """The log-likelihood without its minus sign: descent makes targets as unlikely as it can."""
    right, wrong = jax.nn.log_sigmoid(predictions), jax.nn.log_sigmoid(-predictions)
    return targets * right + (1 - targets) * wrong

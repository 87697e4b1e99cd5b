"""Shapes that broadcast: (n,) against (n, 1) gives (n, n)."""

import jax
import jax.numpy as jnp


# task: regression  maybe: B502 N303 S403 S404  verdict: untrainable
def column_against_row(predictions, targets):
    """Every prediction is compared with every target; all are pulled to the mean."""
    return jnp.square(predictions[:, None] - targets)  # <- B501


# task: regression  also: D102  maybe: B502 S403 S404  verdict: untrainable
def reshaped_targets(predictions, targets):
    """Targets reshaped for scikit-learn, predictions not."""
    targets = targets.reshape(-1, 1)  # <- B501
    return jnp.abs(predictions - targets)  # <- B501


# task: binary  maybe: B502 S403 S404  verdict: untrainable
def column_of_labels(predictions, targets):
    """Labels as a column against logits as a row."""
    labels = targets[:, None]  # <- B501
    log_p, log_q = jax.nn.log_sigmoid(predictions), jax.nn.log_sigmoid(-predictions)
    return -(labels * log_p + (1 - labels) * log_q)  # <- B501


# task: multiclass  maybe: B502 S403 S404  verdict: untrainable
def weights_against_kept_axis(predictions, targets):
    """Weights (n,) times a loss that kept its axis, (n, 1): each weight meets each example."""
    log_p = jax.nn.log_softmax(predictions)
    losses = -jnp.sum(targets * log_p, axis=-1, keepdims=True)  # <- B501
    weights = 1 + targets[:, 0]
    return weights * losses  # <- B501


# task: regression  maybe: B501 N303 S404
def averaged_broadcast(predictions, targets):  # <- S403
    """The mean hides the (n, n): no shape looks wrong, but all predictions become the mean."""
    errors = predictions[:, None] - targets  # <- S403
    return jnp.mean(jnp.square(errors))  # <- S403

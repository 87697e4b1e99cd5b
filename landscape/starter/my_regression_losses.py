"""Your own losses. `landscape run` reads this file; no installation is needed."""

import jax.numpy as jnp


def asymmetric_squared_error(predictions, targets, *, too_low=2.0):
    """(z - y)^2, times `too_low` where the prediction z is below the target y.

    `predictions` and `targets` are (batch,). Returns one value per example; the mean over the batch
    is computed for you.
    """
    error = predictions - targets
    return jnp.where(error < 0, too_low, 1.0) * error**2

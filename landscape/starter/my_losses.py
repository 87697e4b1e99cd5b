"""Your own losses. `landscape run` reads this file; no installation is needed."""

import jax.numpy as jnp


def ramp(predictions, targets, *, limit=1.0):
    """clip(1 + max_j (z_j - z_y), 0, limit): a hinge that stops growing at `limit`.

    `predictions` are raw model outputs (batch, classes), `targets` are one-hot of the same shape.
    Returns one value per example; the mean over the batch is computed for you.
    """
    target_logit = jnp.sum(predictions * targets, axis=1)
    largest_other = jnp.max(jnp.where(targets > 0, -jnp.inf, predictions), axis=1)
    return jnp.clip(1.0 + largest_other - target_logit, 0.0, limit)

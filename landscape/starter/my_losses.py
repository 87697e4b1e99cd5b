"""Losses of your own. `landscape run` reads this file; nothing needs to be installed."""

import jax.numpy as jnp


def ramp(predictions, targets, *, limit=1.0):
    """clip(1 + max_j (z_j - z_y), 0, limit): a hinge that stops growing at `limit`.

    `predictions` are raw model outputs (batch, classes), `targets` are one-hot of the same shape.
    Return one value an example; the mean over the batch is taken for you.
    """
    own = jnp.sum(predictions * targets, axis=1)
    others = jnp.max(jnp.where(targets > 0, -jnp.inf, predictions), axis=1)
    return jnp.clip(1.0 + others - own, 0.0, limit)

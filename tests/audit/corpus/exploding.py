"""Losses whose gradient grows past all bounds for predictions that a network does make."""

import jax.numpy as jnp


# task: regression  also: N301 N302  maybe: N303
def exponential_of_square(predictions, targets):  # <- G206
    """exp(e^2) - 1 is infinite in float32 from an error of 9.5 on."""
    return jnp.exp(jnp.square(predictions - targets)) - 1  # <- G206


# task: binary  maybe: N301 N302 N303
def adaboost(predictions, targets):  # <- G206
    """exp(-margin): one mislabeled example outweighs the batch."""
    margins = (2 * targets - 1) * predictions
    return jnp.exp(-margins)  # <- G206


# task: regression  also: S402 S403  maybe: G205 N301 N302 N303 S404
def poisson_with_log_link(predictions, targets):  # <- G206
    """exp(p) - t p: the minimizer is log(t), and a prediction of 30 pulls with 1e13."""
    rate = jnp.exp(predictions)  # <- G206
    return rate - targets * predictions  # <- G206


# task: regression  also: G205 S401 S403  maybe: G202 N301 N302 N303 S404
def squared_error_of_rates(predictions, targets):  # <- G206
    """(exp(p) - t)^2 explodes on one side and fades on the other."""
    rate = jnp.exp(predictions)  # <- G206
    return jnp.square(rate - targets)  # <- G206


# task: regression  also: S401 S403 S404  maybe: D101 D102 G202 G205 G206 N303
def reciprocal(predictions, targets):
    """(1 / p - t)^2 has a pole at 0, where networks start."""
    return jnp.square(1 / predictions - targets)  # <- N301 N302


# task: regression  maybe: G206 N303
def log_cosh_by_hand(predictions, targets):
    """cosh overflows float32 at an error of 89, although its log is 88.3."""
    return jnp.log(jnp.cosh(predictions - targets))  # <- N301 N302


# task: regression  also: S401 G205  maybe: N303
def negative_psnr(predictions, targets):
    """The peak signal-to-noise ratio as a loss: its gradient is 2 / e, largest for the best fit."""
    squared = jnp.square(predictions - targets)
    return 10 * jnp.log10(squared + 1e-10)  # <- G208

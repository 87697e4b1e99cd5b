"""Losses whose minimum is not where the target is, or whose way there is not downhill."""

import jax
import jax.numpy as jnp


# task: regression  also: S401 S403 S404  maybe: N303  verdict: untrainable
def sign_mistake(predictions, targets):  # <- S402
    """-e^2: the further away the better."""
    return -jnp.square(predictions - targets)  # <- S402


# task: regression  also: S403 S404  verdict: untrainable
def forgotten_absolute(predictions, targets):  # <- S402
    """The mean error without its absolute value: minus infinity is best."""
    return jnp.mean(predictions - targets)  # <- S402


# task: multiclass  also: S401 S403 S404  verdict: untrainable
def missing_minus(predictions, targets):  # <- S402
    """The log-likelihood, minimized."""
    return jnp.sum(targets * jax.nn.log_softmax(predictions), axis=-1)  # <- S402


# task: binary  verdict: care
def linear_score(predictions, targets):  # <- S402
    """The critic's loss without a bound on the critic: right, and never enough."""
    return (1 - 2 * targets) * predictions  # <- S402


# task: binary  maybe: G202 G205 N303  verdict: untrainable
def flipped_labels(predictions, targets):  # <- S403 S404
    """log(1 + exp(margin)) instead of its negative: it learns the opposite."""
    margins = (2 * targets - 1) * predictions
    return jax.nn.softplus(margins)  # <- S403 S404


# task: regression  maybe: N303 S404
def shifted_by_one(predictions, targets):  # <- S403
    """One was added to the targets, as for a logarithm, but not to the predictions."""
    return jnp.square(predictions - (targets + 1))  # <- S403


# task: regression  maybe: N303 S404
def shrunk_to_zero(predictions, targets):  # <- S403
    """A penalty on the output instead of the weights: the best prediction is two thirds of t."""
    penalty = 0.5 * jnp.square(predictions)  # <- S403
    return jnp.square(predictions - targets) + penalty  # <- S403


# task: regression  also: S401
def periodic(predictions, targets):  # <- S404
    """sin(e)^2: an error of pi counts as none."""
    return jnp.square(jnp.sin(predictions - targets))  # <- S404


# task: regression  also: S401  maybe: N303
def rippled(predictions, targets):  # <- S404
    """A parabola with ripples: local minima on the way."""
    error = predictions - targets
    return jnp.square(error) + 2 * jnp.square(jnp.sin(3 * error))  # <- S404


# task: regression  also: S401  maybe: G204 S403
def sorted_difference(predictions, targets):  # <- S404
    """Compares two distributions: which prediction belongs to which target does not count."""
    gaps = jnp.sort(predictions) - jnp.sort(targets)  # <- S404 D102
    return jnp.mean(jnp.abs(gaps))  # <- S404 D102

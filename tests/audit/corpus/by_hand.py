"""Formulas from the book, written as they stand: right on paper, not in float32."""

import jax
import jax.numpy as jnp


# task: multiclass  maybe: N303
def log_of_softmax(predictions, targets):
    """softmax underflows to 0 at a gap of 88, and 0 * log(0) is NaN for the other classes too."""
    p = jax.nn.softmax(predictions)
    return -jnp.sum(targets * jnp.log(p), axis=-1)  # <- N301 N302


# task: binary  maybe: N303
def log_of_sigmoid(predictions, targets):
    """sigmoid(17) is 1 in float32: log(1 - p) is -inf, and 0 * -inf NaN where it was right."""
    p = jax.nn.sigmoid(predictions)
    return -(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p))  # <- N301 N302


# task: binary  head: sigmoid  maybe: G206 N303
def negative_log_likelihood(predictions, targets):
    """The same for a model that ends in a sigmoid: 1 - p is 0 from a logit of 17 on."""
    likelihood = targets * predictions + (1 - targets) * (1 - predictions)
    return -jnp.log(likelihood)  # <- N301 N302


# task: binary  maybe: G206 N303
def log_of_one_plus_exp(predictions, targets):
    """exp(89) is infinite, so a margin of -89 costs inf and its gradient is inf / inf."""
    signs = 2 * targets - 1
    return jnp.log(1 + jnp.exp(-signs * predictions))  # <- N301 N302


# task: multiclass  maybe: G206 N303
def log_softmax_by_hand(predictions, targets):
    """No maximum subtracted: a logit of 89 overflows, and logits of -104 sum to 0."""
    log_total = jnp.log(jnp.sum(jnp.exp(predictions), axis=-1, keepdims=True))  # <- N301 N302
    return -jnp.sum(targets * (predictions - log_total), axis=-1)  # <- N301 N302


# task: binary  also: G205 S401  maybe: G202 N303
def sigmoid_by_hand(predictions, targets):
    """1 / (1 + inf) is a harmless 0, but its derivative is 0 * inf: NaN below z = -88."""
    p = 1 / (1 + jnp.exp(-predictions))  # <- N302
    return jnp.square(p - targets)


# task: binary  also: G205 S401  maybe: G202 N303
def two_sided_sigmoid(predictions, targets):
    """The stable sigmoid by a where: the side that is not taken overflows, and its NaN leaks."""
    z = predictions
    p = jnp.where(z >= 0, 1 / (1 + jnp.exp(-z)), jnp.exp(z) / (1 + jnp.exp(z)))  # <- N302
    return jnp.square(p - targets)


# task: binary  maybe: N303 S401
def focal_with_small_gamma(predictions, targets):
    """(1 - q)^0.5 has an infinite slope at q = 1: the gradient of a sure, right answer is inf."""
    log_q = jax.nn.log_sigmoid((2 * targets - 1) * predictions)
    return -((1 - jnp.exp(log_q)) ** 0.5) * log_q  # <- N302


# task: binary  maybe: N303 S401
def naive_focal(predictions, targets):
    """The same from probabilities: log(0) for a sure mistake on top of it."""
    p = jax.nn.sigmoid(predictions)
    q = targets * p + (1 - targets) * (1 - p)
    return -((1 - q) ** 0.5) * jnp.log(q)  # <- N301 N302


# task: regression  maybe: D104 N303
def guarded_distance(predictions, targets):
    """The where trap: the value at 0 is guarded, the gradient is 0 * inf."""
    squared = jnp.square(predictions - targets)
    return jnp.where(squared > 0, jnp.sqrt(squared), 0.0)  # <- N302 D102


# task: multiclass  domain: simplex  maybe: D102 G206 S403 S404
def guarded_entropy(predictions, targets):
    """The where trap with a log: the derivative of the branch not taken is log(0)."""
    p = predictions
    penalty = jnp.sum(jnp.where(p > 0, p * jnp.log(p), 0.0), axis=-1)  # <- N302
    return jnp.sum(jnp.square(p - targets), axis=-1) + 0.1 * penalty


# task: regression  maybe: G202 G206 N301 N303
def guarded_relative_error(predictions, targets):
    """The where trap with a division: a target of zero gives 0 * inf as the gradient."""
    relative = (predictions - targets) / targets  # <- N302
    return jnp.where(targets == 0, 0.0, jnp.square(relative))  # <- N302

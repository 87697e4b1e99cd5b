"""Points where autodiff returns a number that no one-sided derivative allows.

In jax the derivative of abs at 0 is 1, of maximum 0.5, of relu 0: each is a subgradient alone,
their sums and differences need not be.
"""

import jax
import jax.numpy as jnp


# task: binary  maybe: G207
def tensorflow_formula(logits, labels):
    """max(z, 0) - z t + log(1 + exp(-|z|)): smooth, but autodiff at z = 0 gives -t, not 0.5 - t."""
    correction = jnp.log1p(jnp.exp(-jnp.abs(logits)))  # <- D104
    return jnp.maximum(logits, 0) - logits * labels + correction  # <- D104


# task: regression
def undershoot_costs_more(predictions, targets):
    """Slopes -3 and 1 meet at the target; autodiff gives 3 there, so a perfect fit is moved."""
    error = predictions - targets
    over = jax.nn.relu(error)  # <- D102 D104
    under = jnp.abs(error) - over  # <- D102 D104
    return over + 3 * under


# task: regression  maybe: G207 N303
def signed_parts(predictions, targets):
    """relu(p) - relu(-p) is p, with derivative 0 instead of 1 at p = 0."""
    gain = jax.nn.relu(predictions)  # <- D104
    loss = jax.nn.relu(-predictions)  # <- D104
    return jnp.square(gain - loss - targets)  # <- D104


# task: regression  also: S403  maybe: D104 N303 S404
def root_of_a_square(predictions, targets):
    """The absolute value of an error with an offset: the root touches 0, and no sign changes."""
    offset = predictions - targets - 0.25
    return jnp.sqrt(jnp.square(offset))  # <- D102 N302

"""Sound losses that contain what breaks others: suspects that cancel or are out of reach."""

import jax.numpy as jnp
from jax import lax


# task: regression  fine  maybe: N303
def sort_that_cancels(predictions, targets):
    """The mean of sorted squares is the mean of squares."""
    return jnp.mean(jnp.sort(jnp.square(predictions - targets)))


# task: regression  fine  maybe: N303
def two_half_parabolas(predictions, targets):
    """max(e, 0)^2 + min(e, 0)^2 is e^2."""
    error = predictions - targets
    return jnp.maximum(error, 0) ** 2 + jnp.minimum(error, 0) ** 2


# task: regression  fine  maybe: N303
def square_of_absolute(predictions, targets):
    """|e|^2 has no corner."""
    return jnp.abs(predictions - targets) ** 2


# task: regression  fine  maybe: N303
def sign_times_absolute(predictions, targets):
    """sign(e) |e| is e."""
    error = predictions - targets
    return jnp.square(jnp.sign(error) * jnp.abs(error))


# task: regression  fine  maybe: N303
def maximum_that_touches(predictions, targets):
    """max(e^2, 0) never takes the other side."""
    return jnp.maximum(jnp.square(predictions - targets), 0.0)


# task: regression  fine  maybe: N303
def whole_and_fraction(predictions, targets):
    """floor(p) and p - floor(p) jump in opposite directions."""
    whole = jnp.floor(predictions)
    fraction = predictions - whole
    return jnp.square(whole + fraction - targets)


# task: regression  fine  maybe: N303
def cleaned_of_nan(predictions, targets):
    """nan_to_num of a value that is never NaN."""
    return jnp.nan_to_num(jnp.square(predictions - targets))


# task: regression  fine  maybe: N303
def detached_mean(predictions, targets):
    """Detaching the mean changes no gradient here: the derivative with respect to it is zero."""
    error = predictions - targets
    center = lax.stop_gradient(jnp.mean(error))
    return jnp.mean(jnp.square(error - center)) + jnp.square(jnp.mean(error))


# task: regression  fine
def clip_out_of_reach(predictions, targets):
    """sqrt(1 + e^2) is at least 1, so the floor of 0.5 under it is never met."""
    size = jnp.hypot(1.0, predictions - targets)
    return jnp.clip(size, 0.5, None) - 1


# task: binary  fine
def margin_by_maximum(predictions, targets):
    """max(a, b) + min(a, b) is a + b: the softplus is all that is left."""
    z = predictions
    both = jnp.maximum(z, 0) + jnp.minimum(z, 0)
    return jnp.logaddexp(0.0, both) - targets * both


# task: multiclass  fine
def centered_logits(predictions, targets):
    """Shifted by the largest logit, which changes nothing for a softmax."""
    z = predictions - jnp.max(predictions, axis=-1, keepdims=True)
    top = lax.stop_gradient(jnp.max(z, axis=-1, keepdims=True))
    log_total = jnp.log(jnp.sum(jnp.exp(z - top), axis=-1)) + top[:, 0]
    return log_total - jnp.sum(targets * z, axis=-1)

"""Sound losses through loops, branches, transformations and derivatives written by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax import lax


@jax.jit
def _charbonnier(error):
    return jnp.sqrt(1 + jnp.square(error)) - 1


@jax.custom_jvp
def _softplus(x):
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@_softplus.defjvp
def _softplus_jvp(primals, tangents):
    (x,), (tangent,) = primals, tangents
    return _softplus(x), jax.nn.sigmoid(x) * tangent


@jax.custom_vjp
def _log_total(logits):
    return jax.nn.logsumexp(logits, axis=-1)


def _log_total_forward(logits):
    return _log_total(logits), jax.nn.softmax(logits)


def _log_total_backward(p, cotangent):
    return (p * cotangent[..., None],)


_log_total.defvjp(_log_total_forward, _log_total_backward)


# task: regression  fine  maybe: N303
def jitted(predictions, targets):
    """A jitted helper."""
    return jnp.mean(_charbonnier(predictions - targets))


# task: regression  fine
def scanned(predictions, targets):
    """A running sum over the batch by scan, divided by its length."""

    def add(total, error):
        return total + optax.log_cosh(error), None

    errors = predictions - targets
    total, _ = lax.scan(add, jnp.zeros((), errors.dtype), errors)
    return total / errors.size


# task: regression  fine  maybe: N303
def several_scales(predictions, targets):
    """A fori_loop over scales 1, 2 and 4."""
    error = predictions - targets

    def add(i, total):
        return total + jnp.sqrt(1 + jnp.square(error / 2**i)) - 1

    return lax.fori_loop(0, 3, add, jnp.zeros_like(error))


# task: regression  fine
def vectorized(predictions, targets):
    """vmap of a loss of one example."""
    one = partial(optax.losses.huber_loss, delta=2.0)
    return jax.vmap(one)(predictions, targets)  # <- D103


# task: regression  fine
def mapped(predictions, targets):
    """lax.map, which is a scan."""
    return lax.map(lambda error: jnp.logaddexp(error, -error), predictions - targets)


# task: regression  fine  maybe: N303
def robust_for_wild_targets(predictions, targets):
    """cond on the targets: linear growth where the batch has an outlier, else squares."""
    error = predictions - targets
    wild = jnp.max(jnp.abs(targets)) > 3
    return lax.cond(wild, optax.log_cosh, jnp.square, error)


# task: regression  fine
def scaled_by_power_of_two(predictions, targets):
    """A while loop has no reverse derivative; this one sees the targets only."""
    largest = jnp.max(jnp.abs(targets))
    scale = lax.while_loop(lambda s: s < largest, lambda s: 2 * s, jnp.ones_like(largest))
    return optax.log_cosh((predictions - targets) / scale)


# task: multiclass  fine
def checkpointed(predictions, targets):
    """Recomputed in the backward pass instead of stored."""
    log_softmax = jax.checkpoint(jax.nn.log_softmax)
    return -jnp.sum(targets * log_softmax(predictions), axis=-1)


# task: multiclass  fine
def right_custom_vjp(predictions, targets):
    """The gradient of logsumexp written by hand: softmax."""
    return _log_total(predictions) - jnp.sum(targets * predictions, axis=-1)


# task: binary  fine
def right_custom_jvp(predictions, targets):
    """A smooth function from parts with corners, with the right derivative at 0 too."""
    return _softplus(predictions) - targets * predictions

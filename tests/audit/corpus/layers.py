"""Activations and layers, good and bad."""

import jax
import jax.numpy as jnp
from jax import lax


# kind: activation  fine  maybe: G205 S401
def relu(x):
    """Dead below zero by design."""
    return jnp.maximum(x, 0)  # <- D102 G202


# kind: activation  fine  maybe: G202 N303 S401
def tanh(x):  # <- G205
    """Saturates on both sides."""
    return jnp.tanh(x)  # <- G205


# kind: activation  fine  maybe: G202 G205 N303 S401
def swish(x):
    """Smooth; fades below zero only."""
    return x * jax.nn.sigmoid(x)


# kind: activation  fine  maybe: G205 S401
def softsign(x):
    """The corner of |x| cancels: C1, with a jump in the second derivative."""
    return x / (1 + jnp.abs(x))  # <- D103


# kind: activation  fine  maybe: G202 G205 N303 S401
def sigmoid_of_negative_exponents(x):
    """exp(-|x|) never overflows, and both branches meet smoothly."""
    small = jnp.exp(-jnp.abs(x))
    return jnp.where(x >= 0, 1 / (1 + small), small / (1 + small))


# kind: activation  maybe: G202 G203 S401  verdict: untrainable
def step(x):
    """A threshold has no gradient."""
    return jnp.where(x > 0, 1.0, 0.0)  # <- D101 G201


# kind: activation  maybe: G202 G203 S401  verdict: untrainable
def binarized(x):
    """The sign of a binary network, without its straight-through gradient."""
    return jnp.sign(x)  # <- D101 G201


# kind: activation  maybe: S401
def leaky_relu_by_parts(x):
    """Slopes 0.1 and 1 meet at 0, where autodiff gives 0, which neither is nor lies between."""
    return jax.nn.relu(x) - 0.1 * jax.nn.relu(-x)  # <- D102 D104


# kind: activation  maybe: G202 G205 N303 S401
def detached_gate(x):
    """Swish whose gate is detached: the gradient is not that of the value."""
    return x * lax.stop_gradient(jax.nn.sigmoid(x))  # <- G207


# kind: activation  maybe: G202 G205 N301 N302 N303 S401
def exponential_unit(x):  # <- G206
    """exp as an activation."""
    return jnp.exp(x)  # <- G206


# kind: function  maybe: G202 G205 G206 N303 S401 S402 S404
def softmax_by_hand(x):
    """inf / inf from an input of 89 on."""
    weights = jnp.exp(x)
    return weights / jnp.sum(weights, axis=-1, keepdims=True)  # <- N301 N302


# kind: function  maybe: D101 D102 G202 G205 G206 N303 S401 S402 S404
def layer_norm_without_epsilon(x):
    """Equal inputs have no spread: 0 / 0."""
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    spread = jnp.sqrt(jnp.mean(jnp.square(centered), axis=-1, keepdims=True))  # <- N302
    return centered / spread  # <- N301 N302


# kind: function  maybe: G202 G203 S401  verdict: untrainable
def hard_attention(x):
    """The position of the maximum as a one-hot vector."""
    return jax.nn.one_hot(jnp.argmax(x, axis=-1), x.shape[-1])  # <- D101 G201


# kind: function  maybe: G202 G204 G205 G207 N303 S401 S402
def gate_that_never_learns(x):
    """The second half of the input opens the first, and gets no gradient."""
    half = x.shape[-1] // 2
    gates = lax.stop_gradient(x[..., half:])  # <- G203
    return x[..., :half] * jax.nn.sigmoid(gates[..., :half])

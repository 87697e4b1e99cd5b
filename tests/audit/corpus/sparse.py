"""Losses whose gradient reaches few of the components."""

import jax
import jax.numpy as jnp
import optax
from jax import lax


# task: multiclass  fine  maybe: S403
def perceptron(predictions, targets):
    """max(z) - z_y: two of the classes are reached at best."""
    strongest = jnp.max(predictions, axis=-1)  # <- G204 D102
    return strongest - jnp.sum(targets * predictions, axis=-1)


# task: segmentation  fine
def worst_pixel(predictions, targets):
    """One pixel of an image is reached, the one with the largest loss."""
    pixels = optax.sigmoid_binary_cross_entropy(predictions, targets)
    return jnp.max(pixels, axis=(1, 2))  # <- G204 D102


# task: segmentation  fine
def hard_example_mining(predictions, targets):
    """The worst quarter of the pixels: convex, with a kink where two change places."""
    pixels = optax.sigmoid_binary_cross_entropy(predictions, targets)
    pixels = pixels.reshape(pixels.shape[0], -1)
    worst, _ = lax.top_k(pixels, pixels.shape[-1] // 4)  # <- G204 D102
    return jnp.mean(worst, axis=-1)


# task: regression  also: S401  maybe: B502 G202 G205 N303 S404
def median_of_squares(predictions, targets):
    """Least median of squares: one or two examples of a batch are reached."""
    return jnp.median(jnp.square(predictions - targets))  # <- G204 D102


# task: regression  also: S401  maybe: B502 G202 G205 N303 S403 S404
def trimmed_squares(predictions, targets):
    """The better half of a batch: the examples that need it most are left out."""
    ordered = jnp.sort(jnp.square(predictions - targets))  # <- G204 D102
    kept = ordered[: max(1, ordered.shape[0] // 2)]  # <- G204 D102
    return jnp.mean(kept)


# task: multiclass  maybe: S403
def only_the_true_logit(predictions, targets):
    """The true class is raised, the others are free: all of them rise together."""
    own = jnp.sum(targets * predictions, axis=-1)  # <- G204
    return jax.nn.softplus(-own)

"""Sound losses for masks, written in the ways people write them."""

import jax
import jax.numpy as jnp
import optax
from jax import lax


def _dice(p, mask):
    return 1 - (2 * jnp.sum(p * mask) + 1) / (jnp.sum(p) + jnp.sum(mask) + 1)


# task: segmentation  domain: unit  fine  also: S401
def smooth_dice(predictions, targets):
    """An empty mask has a gradient too: false alarms are pushed down."""
    overlap = jnp.sum(predictions * targets, axis=(1, 2))
    sizes = jnp.sum(predictions, axis=(1, 2)) + jnp.sum(targets, axis=(1, 2))
    return 1 - (2 * overlap + 1) / (sizes + 1)


# task: segmentation  domain: unit  fine  also: S401 B502
def dice_of_batch(predictions, targets):
    """One Dice for the whole batch: the smoothing of 1 weighs less in a larger batch."""
    return _dice(predictions, targets)


# task: segmentation  domain: unit  fine  also: S401
def tversky(predictions, targets):
    """Misses weigh more than false alarms; both are pulled."""
    overlap = jnp.sum(predictions * targets, axis=(1, 2))
    alarms = jnp.sum(predictions * (1 - targets), axis=(1, 2))
    misses = jnp.sum((1 - predictions) * targets, axis=(1, 2))
    return 1 - (overlap + 1) / (overlap + 0.3 * alarms + 0.7 * misses + 1)


# task: segmentation  domain: unit  fine  also: S401
def dice_or_background(predictions, targets):
    """cond on the mask, under vmap: an empty mask is judged by its mean probability."""

    def one(p, mask):
        return lax.cond(jnp.any(mask > 0), _dice, lambda p, mask: jnp.mean(p), p, mask)

    return jax.vmap(one)(predictions, targets)


# task: segmentation  fine  maybe: S401
def cross_entropy_and_dice(predictions, targets):
    """Dice alone fades on sure mistakes; the cross entropy beside it does not."""
    p = jax.nn.sigmoid(predictions)
    overlap = jnp.sum(p * targets, axis=(1, 2))
    sizes = jnp.sum(p, axis=(1, 2)) + jnp.sum(targets, axis=(1, 2))
    region = 1 - (2 * overlap + 1) / (sizes + 1)
    pixels = optax.sigmoid_binary_cross_entropy(predictions, targets)
    return jnp.mean(pixels, axis=(1, 2)) + region


# task: segmentation  fine
def pixelwise(predictions, targets):
    """Flattened, then averaged."""
    flat = predictions.reshape(predictions.shape[0], -1)
    masks = targets.reshape(targets.shape[0], -1)
    return jnp.mean(jax.nn.softplus(flat) - masks * flat, axis=1)


# task: segmentation  fine
def ignored_label(predictions, targets):
    """A masked mean that survives an image without a labeled pixel; 255 means unlabeled."""
    labeled = (targets != 255).astype(predictions.dtype)
    pixels = jax.nn.softplus(predictions) - targets * predictions
    total = jnp.sum(labeled * pixels, axis=(1, 2))
    return total / jnp.maximum(jnp.sum(labeled, axis=(1, 2)), 1.0)


# task: segmentation  fine
def heavier_edges(predictions, targets):
    """Weights with corners and steps, of the mask only."""
    across = jnp.abs(jnp.diff(targets, axis=2, append=0.0))
    down = jnp.abs(jnp.diff(targets, axis=1, append=0.0))
    weights = 1 + 4 * jnp.maximum(across, down)
    return weights * optax.sigmoid_binary_cross_entropy(predictions, targets)

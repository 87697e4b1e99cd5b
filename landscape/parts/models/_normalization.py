"""Normalization of images in the layout of convolutions: channels last."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax


def group_normalized(x: jax.Array, normalization: eqx.nn.GroupNorm) -> jax.Array:
    """Returns `normalization(x)` of an image `(height, width, channels)`.

    Equinox normalizes images with channels first, which would be transposed between convolutions.
    """

    def mean(values: jax.Array) -> jax.Array:
        # First over pixels, which leaves the last axis: one loop over contiguous numbers.
        of_groups = jnp.mean(
            jnp.mean(values, axis=(0, 1)).reshape(normalization.groups, -1), axis=1
        )
        repeated = jnp.repeat(of_groups, values.shape[2] // normalization.groups)
        return jnp.broadcast_to(repeated, values.shape)

    centered = x - mean(x)
    scaled = centered * lax.rsqrt(mean(centered**2) + normalization.eps)
    assert normalization.weight is not None and normalization.bias is not None
    weight = jnp.broadcast_to(normalization.weight, x.shape)
    return scaled * weight + jnp.broadcast_to(normalization.bias, x.shape)

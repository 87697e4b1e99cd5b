"""A convolution whose derivative stays fast inside a compiled loop on a CPU.

XLA has fast CPU kernels only for convolutions with channels last, and rewrites other layouts only
outside of loops (jax issue 12868). Training is one compiled loop, in which the two derivatives of a
convolution would be 8 to 20 times slower. So values are computed with channels last. Where they are
differentiated on a CPU, value and derivative are those of the same sum as patches and a matrix
product: both need the same patches.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero


class Convolution(eqx.nn.Conv2d):
    """`eqx.nn.Conv2d` of one `(channels, height, width)` image, with a square odd kernel."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        key: jax.Array,
        use_bias: bool = True,
    ):
        """Pads by kernel // 2: each side becomes side / stride, rounded up."""
        super().__init__(
            inputs, outputs, kernel, stride, padding=kernel // 2, use_bias=use_bias, key=key
        )

    def __call__(self, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return self.channels_last(x.transpose(1, 2, 0)).transpose(2, 0, 1)

    def channels_last(self, x: jax.Array) -> jax.Array:
        """Convolves an image `(height, width, channels)`, the fastest layout."""
        y = convolve(x, self.weight, self.stride[0])
        return y if self.bias is None else y + jnp.broadcast_to(self.bias.ravel(), y.shape)


def convolve(x: jax.Array, weight: jax.Array, stride: int) -> jax.Array:
    """Cross-correlates `x` `(h, w, c)` with `weight` `(o, c, k, k)`, padded by k // 2."""
    if jax.default_backend() == "cpu":
        return _by_patches_when_differentiated(x, weight, stride)
    return _directly(x, weight, stride)


def _directly(x: jax.Array, weight: jax.Array, stride: int) -> jax.Array:
    margin = weight.shape[-1] // 2
    y = lax.conv_general_dilated(
        x[None],
        weight.transpose(2, 3, 1, 0),
        window_strides=(stride, stride),
        padding=[(margin, margin)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y[0]


def _by_patches(x: jax.Array, weight: jax.Array, stride: int) -> jax.Array:
    kernel, (height, width) = weight.shape[-1], x.shape[:2]
    margin = kernel // 2
    padded = jnp.pad(x, ((margin, margin), (margin, margin), (0, 0)))
    patches = jnp.concatenate(
        [
            padded[i : i + height : stride, j : j + width : stride]
            for i in range(kernel)
            for j in range(kernel)
        ],
        axis=2,
    )
    # Contracted along the last axes, so that the derivative with respect to the weight is a product
    # for which XLA has a fast CPU kernel too.
    filters = weight.transpose(0, 2, 3, 1).reshape(weight.shape[0], -1)
    return jnp.tensordot(patches, filters, axes=(2, 1))


_by_patches_when_differentiated = jax.custom_jvp(_directly, nondiff_argnums=(2,))


def _derivative(stride: int, primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    x, weight = primals
    value = _by_patches(x, weight, stride)
    step = jnp.zeros_like(value)
    if not isinstance(tangents[0], SymbolicZero):
        step += _by_patches(tangents[0], weight, stride)
    if not isinstance(tangents[1], SymbolicZero):
        step += _by_patches(x, tangents[1], stride)
    return value, step


_by_patches_when_differentiated.defjvp(_derivative, symbolic_zeros=True)

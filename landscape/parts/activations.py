"""Activations: `name(x) -> array`, elementwise, with the shape and dtype of x."""

import jax
import jax.numpy as jnp

# The activations of this menu that have a second derivative everywhere.
TWICE_DIFFERENTIABLE = frozenset({"gelu", "silu", "softplus", "tanh", "sigmoid", "identity"})


def relu(x: jax.Array) -> jax.Array:
    """max(x, 0); derivative 0 for every x <= 0.

    Source: Nair and Hinton 2010. Choose it as the default for convolutional networks and wide
    layers. A unit that is negative on all examples receives no gradient: it is dead.
    """
    return jax.nn.relu(x)


def leaky_relu(x: jax.Array) -> jax.Array:
    """x for x >= 0, else 0.01 x.

    Source: Maas et al. 2013. Choose it instead of relu if units die: the derivative is never zero.
    """
    return jax.nn.leaky_relu(x)


def elu(x: jax.Array) -> jax.Array:
    """x for x > 0, else exp(x) - 1.

    Source: Clevert et al. 2016. Choose it for smooth slices with mean activations near zero; it
    saturates at -1, where the derivative exp(x) vanishes.
    """
    return jax.nn.elu(x)


def selu(x: jax.Array) -> jax.Array:
    """1.0507 x for x > 0, else 1.7581 (exp(x) - 1): elu scaled to keep mean 0 and variance 1.

    Source: Klambauer et al. 2017. Choose it for deep stacks of dense layers without normalization,
    with standardized inputs.
    """
    return jax.nn.selu(x)


def gelu(x: jax.Array) -> jax.Array:
    """x Phi(x), with Phi the distribution function of N(0, 1); exact, by erf.

    Source: Hendrycks and Gimpel 2016 (their tanh approximation is not used). Choose it as a smooth
    relu, as in transformers; it is not monotonic below zero.
    """
    return jax.nn.gelu(x, approximate=False)


def silu(x: jax.Array) -> jax.Array:
    """x sigmoid(x), also known as swish.

    Source: Elfwing et al. 2018; Ramachandran et al. 2017. Choose it as a smooth relu that is
    cheaper than gelu; it is not monotonic below zero.
    """
    return jax.nn.silu(x)


def softplus(x: jax.Array) -> jax.Array:
    """log(1 + exp(x)), without overflow.

    Source: Dugas et al. 2001. Choose it if the network must be smooth, as for curvature: a smooth
    relu, positive everywhere.
    """
    return jax.nn.softplus(x)


def tanh(x: jax.Array) -> jax.Array:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)), in (-1, 1).

    Source: LeCun et al. 1998. Choose it for small smooth networks; the gradient of saturated
    units vanishes.
    """
    return jnp.tanh(x)


def sigmoid(x: jax.Array) -> jax.Array:
    """1 / (1 + exp(-x)), in (0, 1).

    Source: Rumelhart et al. 1986. Choose it to show vanishing gradients: the derivative is at most
    1/4, and every layer multiplies by it.
    """
    return jax.nn.sigmoid(x)


def hard_tanh(x: jax.Array) -> jax.Array:
    """x clipped to [-1, 1]; derivative exactly 0 outside.

    Source: Collobert 2004. Choose it to compare saturation with a gradient of exactly 0 to
    saturation that only shrinks it (tanh).
    """
    return jax.nn.hard_tanh(x)


def hard_sigmoid(x: jax.Array) -> jax.Array:
    """(x + 3) / 6 clipped to [0, 1]; derivative exactly 0 outside.

    Source: Howard et al. 2019 (MobileNetV3). Choose it like hard_tanh, for values in [0, 1].
    """
    return jax.nn.hard_sigmoid(x)


def step(x: jax.Array) -> jax.Array:
    """1 if x > 0, else 0; derivative 0 everywhere.

    Source: McCulloch and Pitts 1943. Choose it as the negative control: layers below it receive
    no gradient.
    """
    return (x > 0).astype(x.dtype)


def identity(x: jax.Array) -> jax.Array:
    """x, unchanged.

    Source: deep linear networks, Saxe et al. 2014. Choose it for networks with a landscape in
    closed form.
    """
    return x

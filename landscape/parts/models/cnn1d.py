"""Convolutions along time."""

from collections.abc import Callable
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts._options import check_whole
from landscape.parts.models._build import (
    Activation,
    Model,
    assemble,
    find_activation,
    head_shape,
    whole_numbers,
)
from landscape.parts.models._positions import Tokens, check_series, head_size, per_position


def cnn1d(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    output_shape: tuple[int, ...] | None = None,
    vocabulary: int | None = None,
    channels: tuple[int, ...] = (16, 16),
    kernel: int = 5,
    causal: bool = False,
    activation: str | Callable = "relu",
) -> Model:
    """Convolutions along time, an activation after each, then a linear output.

    Series are (batch, time, channels), tokens (batch, time) integers. Each convolution pads by
    kernel // 2 (`kernel` is odd), so that the length stays; with `causal` by kernel - 1 before the
    start, so that a position sees itself and earlier ones only, as for the next token. A prediction
    for each position is linear in the last channels there, one for the whole series in their mean
    over time (global average pooling, Wang et al. 2017). Choose it for patterns of a few positions.
    """
    function = find_activation(activation)
    channels = whole_numbers("channels", channels)
    check_series("cnn1d", input_shape, vocabulary)
    check_whole(1, 1001, kernel=kernel)
    if not channels:
        raise UserError("`channels` is empty; expected a convolution or more", hint="use `mlp`")
    if kernel % 2 == 0:
        raise UserError(f"`kernel` is {kernel}; expected an odd number, so that it has a center")
    if not isinstance(causal, bool):
        raise UserError(f"`causal` is {causal!r}; expected true or false")
    shape = head_shape(outputs, output_shape)
    pooled = not per_position(input_shape, shape)

    def build(key: jax.Array) -> _Cnn1d:
        tokens = None if vocabulary is None else Tokens(vocabulary, channels[0])
        sizes = pairwise((channels[0] if vocabulary else input_shape[1], *channels))
        layers = tuple(_Convolution(n, m, kernel) for n, m in sizes)
        output = eqx.nn.Linear(channels[-1], head_size(input_shape, shape), key=key)
        return _Cnn1d(tokens, layers, output)

    return assemble(build, function, shape, pooled=pooled, causal=causal)


class _Convolution(eqx.Module):
    weight: jax.Array
    bias: jax.Array

    def __init__(self, inputs: int, outputs: int, kernel: int):
        self.weight = jnp.zeros((outputs, inputs, kernel), jnp.float32)
        self.bias = jnp.zeros(outputs, jnp.float32)

    def __call__(self, x: jax.Array, causal: bool) -> jax.Array:
        """Cross-correlates (time, inputs), by patches: see `_convolution`."""
        kernel, time = self.weight.shape[-1], len(x)
        before = kernel - 1 if causal else kernel // 2
        padded = jnp.pad(x, ((before, kernel - 1 - before), (0, 0)))
        patches = jnp.concatenate([padded[i : i + time] for i in range(kernel)], axis=1)
        filters = self.weight.transpose(0, 2, 1).reshape(len(self.weight), -1)
        return jnp.tensordot(patches, filters, axes=(1, 1)) + self.bias[None]


class _Cnn1d(eqx.Module):
    tokens: Tokens | None
    convolutions: tuple[_Convolution, ...]
    output: eqx.nn.Linear

    def __call__(
        self, x: jax.Array, activation: Activation, pooled: bool, causal: bool
    ) -> jax.Array:
        x = x if self.tokens is None else self.tokens(x)
        for layer in self.convolutions:
            x = activation(layer(x, causal))
        return self.output(jnp.mean(x, axis=0)) if pooled else jax.vmap(self.output)(x)

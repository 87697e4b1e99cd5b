"""The network of segmentation: down to a coarse image and back up."""

from collections.abc import Callable
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts.models import Model
from landscape.parts.models._build import (
    Activation,
    assemble,
    check_image,
    find_activation,
    whole_number,
)
from landscape.parts.models._convolution import Convolution


def unet(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    depth: int = 2,
    channels: int = 16,
    activation: str | Callable = "relu",
) -> Model:
    """U-Net for segmentation: (batch, channels, height, width) -> logits (batch, height, width).

    Ronneberger et al. 2015, scaled down: `depth` times the image is halved (a strided convolution)
    and the channels doubled, from `channels` up, then the way back: each pixel doubled (nearest
    neighbor), cropped to the size on the way down, joined to what was there, two convolutions.
    Padded, so any image size fits whose sides are at least 2^depth. One output: one mask.
    """
    function = find_activation(activation)
    depth = whole_number("depth", depth)
    channels = whole_number("channels", channels)
    if outputs != 1:
        raise UserError(
            f"model `unet` predicts one mask, the dataset has {outputs} outputs",
            hint="use `cnn`, `resnet` or `mlp`; unet needs a segmentation dataset",
        )
    check_image("unet", input_shape, 2**depth, "a smaller `depth`")
    return assemble(lambda key: _Unet(input_shape[0], channels, depth, key), function)


class _Pair(eqx.Module):
    first: Convolution
    second: Convolution

    def __init__(self, inputs: int, outputs: int, stride: int, key: jax.Array):
        self.first = Convolution(inputs, outputs, 3, stride, key)
        self.second = Convolution(outputs, outputs, 3, 1, key)

    def __call__(self, x: jax.Array, activation: Activation) -> jax.Array:
        return activation(self.second(activation(self.first(x))))


class _Unet(eqx.Module):
    down: tuple[_Pair, ...]
    up: tuple[_Pair, ...]
    output: Convolution

    def __init__(self, inputs: int, channels: int, depth: int, key: jax.Array):
        sizes = [channels * 2**level for level in range(depth + 1)]
        halved = (_Pair(n, m, 2, key) for n, m in pairwise(sizes))
        self.down = (_Pair(inputs, channels, 1, key), *halved)
        self.up = tuple(_Pair(n + m, m, 1, key) for n, m in pairwise(reversed(sizes)))
        self.output = Convolution(channels, 1, 1, 1, key)

    def __call__(self, x: jax.Array, activation: Activation) -> jax.Array:
        passed = []
        for pair in self.down:
            x = pair(x, activation)
            passed.append(x)
        for pair, other in zip(self.up, reversed(passed[:-1]), strict=True):
            doubled = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            cropped = doubled[:, : other.shape[1], : other.shape[2]]
            x = pair(jnp.concatenate([other, cropped]), activation)
        return self.output(x)

"""The network for segmentation: down to a coarse image and back up."""

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
    check_image,
    find_activation,
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

    `depth` times the image is halved (strided convolution) and the channels doubled, starting from
    `channels`; then, as often, upsampled (nearest neighbor), cropped to the size before halving,
    concatenated with the image of that size and convolved twice. Convolutions are padded, so any
    image with sides of at least 2^depth fits. One output: one mask. Source: Ronneberger et al.
    2015, scaled down. Choose it for segmentation.
    """
    function = find_activation(activation)
    check_whole(1, 16, depth=depth)
    check_whole(1, channels=channels)
    if outputs != 1:
        message = f"model `unet` predicts one mask, the dataset has {outputs} outputs"
        hint = "use `cnn`, `resnet` or `mlp`; unet needs a segmentation dataset"
        raise UserError(message, hint=hint)
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
        images = []
        for pair in self.down:
            x = pair(x, activation)
            images.append(x)
        for pair, other in zip(self.up, reversed(images[:-1]), strict=True):
            doubled = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            cropped = doubled[:, : other.shape[1], : other.shape[2]]
            x = pair(jnp.concatenate([other, cropped]), activation)
        return self.output(x)

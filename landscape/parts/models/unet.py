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
    output_shape: tuple[int, ...] | None = None,
    depth: int = 2,
    channels: int = 16,
    activation: str | Callable = "relu",
) -> Model:
    """U-Net for segmentation: (batch, channels, height, width) -> a logit or several per pixel.

    Logits are (batch, height, width) for one mask, (batch, height, width, classes) for several
    classes.

    `depth` times the image is halved (strided convolution) and the channels doubled, starting from
    `channels`; then, as often, upsampled (nearest neighbor), cropped to the size before halving,
    concatenated with the image of that size and convolved twice. Convolutions are padded, so any
    image with sides of at least 2^depth fits. Source: Ronneberger et al.
    2015, scaled down. Choose it for segmentation.
    """
    function = find_activation(activation)
    check_whole(1, 16, depth=depth)
    check_whole(1, channels=channels)
    check_image("unet", input_shape, 2**depth, "a smaller `depth`")
    pixels = input_shape[1:]
    shape = output_shape or (pixels if outputs == 1 else (*pixels, outputs))
    if shape[:2] != pixels or len(shape) > 3:
        raise UserError(
            f"model `unet` predicts each of {pixels[0]} x {pixels[1]} pixels; the task needs "
            f"predictions of shape {shape}",
            hint="use `cnn`, `resnet` or `mlp`; unet needs a segmentation dataset",
        )
    classes = shape[2] if len(shape) == 3 else 1
    return assemble(
        lambda key: _Unet(input_shape[0], channels, depth, classes, key), function, shape
    )


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

    def __init__(self, inputs: int, channels: int, depth: int, classes: int, key: jax.Array):
        sizes = [channels * 2**level for level in range(depth + 1)]
        halved = (_Pair(n, m, 2, key) for n, m in pairwise(sizes))
        self.down = (_Pair(inputs, channels, 1, key), *halved)
        self.up = tuple(_Pair(n + m, m, 1, key) for n, m in pairwise(reversed(sizes)))
        self.output = Convolution(channels, classes, 1, 1, key)

    def __call__(self, x: jax.Array, activation: Activation) -> jax.Array:
        images = []
        for pair in self.down:
            x = pair(x, activation)
            images.append(x)
        for pair, other in zip(self.up, reversed(images[:-1]), strict=True):
            doubled = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            cropped = doubled[:, : other.shape[1], : other.shape[2]]
            x = pair(jnp.concatenate([other, cropped]), activation)
        logits = self.output(x)
        return logits if len(logits) == 1 else logits.transpose(1, 2, 0)

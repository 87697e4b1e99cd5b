"""Convolutions, then dense layers."""

import math
from collections.abc import Callable
from itertools import pairwise

import equinox as eqx
import jax

from landscape.errors import UserError
from landscape.parts.models import Model
from landscape.parts.models._build import (
    Activation,
    assemble,
    check_image,
    find_activation,
    whole_number,
    whole_numbers,
)
from landscape.parts.models._convolution import Convolution
from landscape.parts.models.dense import Dense


def cnn(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    channels: tuple[int, ...] = (16, 32),
    kernel: int = 3,
    stride: int = 2,
    widths: tuple[int, ...] = (64,),
    activation: str | Callable = "relu",
) -> Model:
    """Strided convolutions, an activation after each, then dense layers of the given widths.

    Each convolution pads by kernel // 2 (`kernel` is odd) and divides the image's sides by
    `stride`, rounding up; strides stand in for pooling (Springenberg et al. 2015), which also
    differentiates faster on a CPU. LeCun et al. 1998. Choose it for images: a filter's weights form
    one natural group for filter normalization.
    """
    function = find_activation(activation)
    layers = whole_numbers("channels", channels)
    sizes = whole_numbers("widths", widths)
    if not layers:
        raise UserError("`channels` is empty: a cnn needs a convolution", hint="or use `mlp`")
    kernel = whole_number("kernel", kernel)
    stride = whole_number("stride", stride)
    if kernel % 2 == 0:
        raise UserError(f"`kernel` must be odd, so that it has a center, found {kernel}")
    check_image("cnn", input_shape, stride ** len(layers), "fewer `channels` or `stride: 1`")
    return assemble(
        lambda key: _Cnn(input_shape, layers, kernel, stride, sizes, outputs, key), function
    )


class _Cnn(eqx.Module):
    convolutions: tuple[Convolution, ...]
    dense: Dense

    def __init__(
        self,
        input_shape: tuple[int, ...],
        channels: tuple[int, ...],
        kernel: int,
        stride: int,
        widths: tuple[int, ...],
        outputs: int,
        key: jax.Array,
    ):
        sizes = pairwise((input_shape[0], *channels))
        self.convolutions = tuple(Convolution(n, m, kernel, stride, key) for n, m in sizes)
        sides = [math.ceil(side / stride ** len(channels)) for side in input_shape[1:]]
        self.dense = Dense(channels[-1] * math.prod(sides), widths, outputs, key)

    def __call__(self, x: jax.Array, activation: Activation) -> jax.Array:
        x = x.transpose(1, 2, 0)
        for layer in self.convolutions:
            x = activation(layer.channels_last(x))
        return self.dense(x.transpose(2, 0, 1), activation)

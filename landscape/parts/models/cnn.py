"""Convolutions, then dense layers."""

import math
from collections.abc import Callable
from itertools import pairwise

import equinox as eqx
import jax

from landscape.errors import UserError
from landscape.parts._options import check_whole
from landscape.parts.models._build import (
    Activation,
    Model,
    assemble,
    check_image,
    find_activation,
    head_shape,
    whole_numbers,
)
from landscape.parts.models._convolution import Convolution
from landscape.parts.models.dense import Dense


def cnn(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    output_shape: tuple[int, ...] | None = None,
    channels: tuple[int, ...] = (16, 32),
    kernel: int = 3,
    stride: int = 2,
    widths: tuple[int, ...] = (64,),
    activation: str | Callable = "relu",
) -> Model:
    """Strided convolutions, an activation after each, then dense layers of the given widths.

    Each convolution pads by kernel // 2 (`kernel` is odd) and divides the image's sides by
    `stride`, rounding up; strides replace pooling (Springenberg et al. 2015), which is slower to
    differentiate on a CPU. Source: LeCun et al. 1998. Choose it for images; the weights of a filter
    are a natural group for filter normalization.
    """
    function = find_activation(activation)
    channels = whole_numbers("channels", channels)
    widths = whole_numbers("widths", widths)
    if not channels:
        raise UserError("`channels` is empty; expected a convolution or more", hint="use `mlp`")
    check_whole(1, 1001, kernel=kernel, stride=stride)
    if kernel % 2 == 0:
        raise UserError(f"`kernel` is {kernel}; expected an odd number, so that it has a center")
    check_image("cnn", input_shape, stride ** len(channels), "fewer `channels` or `stride: 1`")
    sides = [math.ceil(side / stride ** len(channels)) for side in input_shape[1:]]

    shape = head_shape(outputs, output_shape)

    def build(key: jax.Array) -> _Cnn:
        sizes = pairwise((input_shape[0], *channels))
        convolutions = tuple(Convolution(n, m, kernel, stride, key) for n, m in sizes)
        return _Cnn(
            convolutions, Dense(channels[-1] * math.prod(sides), widths, math.prod(shape), key)
        )

    return assemble(build, function, shape)


class _Cnn(eqx.Module):
    convolutions: tuple[Convolution, ...]
    dense: Dense

    def __call__(self, x: jax.Array, activation: Activation) -> jax.Array:
        x = x.transpose(1, 2, 0)
        for layer in self.convolutions:
            x = activation(layer.channels_last(x))
        return self.dense(x.transpose(2, 0, 1), activation)

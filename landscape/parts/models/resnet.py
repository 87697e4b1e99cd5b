"""The residual network for small images, with and without its shortcuts."""

import math
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
    head_shape,
)
from landscape.parts.models._convolution import Convolution
from landscape.parts.models._normalization import group_normalized


def resnet(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    output_shape: tuple[int, ...] | None = None,
    depth: int = 8,
    width: int = 16,
    skip: bool = True,
    activation: str | Callable = "relu",
) -> Model:
    """Residual network of depth 6 n + 2: blocks a(x + f(x)), or a(f(x)) with skip false.

    The small-image network of He et al. 2016 (CVPR, section 4.2): a 3x3 convolution, three stages
    of n blocks with `width`, 2 `width` and 4 `width` channels, where the second and third halve the
    image, the mean over pixels and a linear output. f is convolution, normalization, activation,
    convolution, normalization. Shortcuts have no parameters (option A of the paper: every second
    pixel, missing channels zero), so `skip: false` removes them without changing the parameters.
    Normalization is GroupNorm (Wu and He 2018) instead of BatchNorm: without running statistics the
    loss depends only on the parameters, and a prediction not on its batch. Images of at least 5 x 5
    pixels. Choose it to study the effect of shortcuts on a landscape (Li et al. 2018).
    """
    function = find_activation(activation)
    check_whole(1, width=width)
    check_whole(1, 1202, depth=depth)
    if depth < 8 or depth % 6 != 2:
        valid = max(8, 6 * round((depth - 2) / 6) + 2)
        message = f"`depth` is {depth}; expected 6 n + 2 (8, 14, 20, …)"
        raise UserError(message, hint=f"use {valid}")
    if not isinstance(skip, bool):
        raise UserError(f"`skip` is {skip!r}; expected true or false")
    check_image("resnet", input_shape, 5, "`cnn` or `mlp`")
    blocks = (depth - 2) // 6
    shape = head_shape(outputs, output_shape)
    return assemble(
        lambda key: _Resnet(input_shape[0], width, blocks, math.prod(shape), key),
        function,
        shape,
        skip=skip,
    )


class _Normalized(eqx.Module):
    convolution: Convolution
    normalization: eqx.nn.GroupNorm

    def __init__(self, inputs: int, outputs: int, stride: int, key: jax.Array):
        self.convolution = Convolution(inputs, outputs, 3, stride, key, use_bias=False)
        self.normalization = eqx.nn.GroupNorm(math.gcd(outputs, 8), outputs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return group_normalized(self.convolution.channels_last(x), self.normalization)


class _Block(eqx.Module):
    first: _Normalized
    second: _Normalized

    def __init__(self, inputs: int, outputs: int, stride: int, key: jax.Array):
        self.first = _Normalized(inputs, outputs, stride, key)
        self.second = _Normalized(outputs, outputs, 1, key)

    def __call__(self, x: jax.Array, activation: Activation, skip: bool) -> jax.Array:
        y = self.second(activation(self.first(x)))
        if skip:
            stride = self.first.convolution.stride[0]
            missing = y.shape[2] - x.shape[2]
            y = y + jnp.pad(x[::stride, ::stride], ((0, 0), (0, 0), (0, missing)))
        return activation(y)


class _Resnet(eqx.Module):
    stem: _Normalized
    blocks: tuple[_Block, ...]
    output: eqx.nn.Linear

    def __init__(self, channels: int, width: int, blocks: int, outputs: int, key: jax.Array):
        self.stem = _Normalized(channels, width, 1, key)
        sizes = [width] + [width * factor for factor in (1, 2, 4) for _ in range(blocks)]
        self.blocks = tuple(_Block(n, m, 1 if n == m else 2, key) for n, m in pairwise(sizes))
        self.output = eqx.nn.Linear(sizes[-1], outputs, key=key)

    def __call__(self, x: jax.Array, activation: Activation, skip: bool) -> jax.Array:
        x = activation(self.stem(x.transpose(1, 2, 0)))
        for block in self.blocks:
            x = block(x, activation, skip)
        return self.output(jnp.mean(x, axis=(0, 1)))

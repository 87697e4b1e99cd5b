"""Dense layers on flattened inputs."""

import math
from collections.abc import Callable
from itertools import pairwise

import equinox as eqx
import jax

from landscape.parts.models._build import (
    Activation,
    Model,
    assemble,
    find_activation,
    whole_numbers,
)


def linear(input_shape: tuple[int, ...], outputs: int) -> Model:
    """W x + b on the flattened inputs.

    Images are flattened. With a convex loss the risk is convex, and so is every slice. Choose it as
    the reference for other landscapes.
    """
    return assemble(lambda key: Dense(math.prod(input_shape), (), outputs, key), lambda x: x)


def mlp(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    widths: tuple[int, ...] = (64,),
    activation: str | Callable = "relu",
) -> Model:
    """Dense layers of the given widths with an activation after each, then a linear output.

    Images are flattened; empty `widths` are `linear`. Source: Rumelhart et al. 1986. Choose it for
    tables and small images; one layer of 64 learns the digits.
    """
    function = find_activation(activation)
    sizes = whole_numbers("widths", widths)
    return assemble(lambda key: Dense(math.prod(input_shape), sizes, outputs, key), function)


class Dense(eqx.Module):
    """Dense layers with an activation after each, then a linear output."""

    layers: tuple[eqx.nn.Linear, ...]
    output: eqx.nn.Linear

    def __init__(self, features: int, widths: tuple[int, ...], outputs: int, key: jax.Array):
        sizes = (features, *widths)
        self.layers = tuple(eqx.nn.Linear(n, m, key=key) for n, m in pairwise(sizes))
        self.output = eqx.nn.Linear(sizes[-1], outputs, key=key)

    def __call__(self, x: jax.Array, activation: Activation) -> jax.Array:
        x = x.ravel()
        for layer in self.layers:
            x = activation(layer(x))
        return self.output(x)

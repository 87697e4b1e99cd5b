"""Dense layers on flattened inputs."""

import math
from collections.abc import Callable
from itertools import pairwise

import equinox as eqx
import jax

from landscape.parts.models import Model
from landscape.parts.models._build import Activation, assemble, find_activation, whole_numbers


def linear(input_shape: tuple[int, ...], outputs: int) -> Model:
    """W x + b on the flattened inputs.

    With a convex loss the risk is convex, so every slice must be too: the reference that other
    landscapes are read against. Images are flattened.
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

    Images are flattened. `widths` may be empty, which is `linear`. Choose it for tables and small
    images; one layer of 64 learns the digits.
    """
    function = find_activation(activation)
    sizes = whole_numbers("widths", widths)
    return assemble(lambda key: Dense(math.prod(input_shape), sizes, outputs, key), function)


class Dense(eqx.Module):
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

"""Dense layers on flattened inputs."""

import math
from collections.abc import Callable
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from landscape.parts.activations import identity
from landscape.parts.models._build import (
    Activation,
    Model,
    assemble,
    find_activation,
    head_shape,
    whole_numbers,
)


def linear(
    input_shape: tuple[int, ...], outputs: int, *, output_shape: tuple[int, ...] | None = None
) -> Model:
    """W x + b on the flattened inputs.

    Images are flattened. With a convex loss the risk is convex, and so is every slice. Choose it as
    the reference for other landscapes.
    """
    shape = head_shape(outputs, output_shape)
    return assemble(
        lambda key: Dense(math.prod(input_shape), (), math.prod(shape), key), identity, shape
    )


def mlp(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    output_shape: tuple[int, ...] | None = None,
    widths: tuple[int, ...] = (64,),
    activation: str | Callable = "relu",
) -> Model:
    """Dense layers of the given widths with an activation after each, then a linear output.

    Images are flattened; empty `widths` are `linear`. Source: Rumelhart et al. 1986. Choose it for
    tables and small images; one layer of 64 learns the digits.
    """
    function = find_activation(activation)
    sizes = whole_numbers("widths", widths)
    used = function if sizes else identity
    shape = head_shape(outputs, output_shape)
    return assemble(
        lambda key: Dense(math.prod(input_shape), sizes, math.prod(shape), key), used, shape
    )


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
            x = activation(_affine(layer.weight, layer.bias, x))
        return _affine(self.output.weight, self.output.bias, x)


@jax.custom_jvp
def _affine(weight: jax.Array, bias: jax.Array, x: jax.Array) -> jax.Array:
    """W x + b, whose gradient is fast for many examples on a CPU."""
    return weight @ x + bias


def _affine_derivative(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    weight, _, x = primals
    weight_step, bias_step, x_step = tangents
    value = _affine(*primals)
    step = jnp.zeros_like(value)
    if not isinstance(bias_step, SymbolicZero):
        step += bias_step
    if not isinstance(weight_step, SymbolicZero):
        # The gradient of the weight sums over examples. XLA has a fast product for it if examples
        # are the last axis of the slopes; the barrier keeps it from undoing that transposition.
        step += lax.optimization_barrier(weight_step @ x)
    if not isinstance(x_step, SymbolicZero):
        step += weight @ x_step
    return value, step


_affine.defjvp(_affine_derivative, symbolic_zeros=True)

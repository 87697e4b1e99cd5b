"""What the models share: initialization, filter axes, and checks of their options.

Parameters are an equinox module whose only leaves are float32 arrays; the activation is closed
over, so it is no part of the parameters.

Weights start as N(0, gain / fan_in) with gain = 1 / E[activation(z)^2] for z ~ N(0, 1), which hands
a signal of unit scale on at unit scale whatever the activation: He et al. 2015 for relu (gain 2),
LeCun et al. 1998 for identity and selu (gain 1). The first and the last layer have gain 1, since no
activation stands before the one and after the other. Biases start at 0, normalization scales at 1.
Equinox's own default, uniform in +-1 / sqrt(fan_in), would shrink a signal by sqrt(6) in every relu
layer, so that a deep network without shortcuts looked untrainable for that reason alone.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import UserError, nearest
from landscape.parts import activations
from landscape.parts.models import Model, PyTree

Activation = Callable[[jax.Array], jax.Array]


def assemble(
    build: Callable[[jax.Array], eqx.Module], activation: Activation, **fixed: Any
) -> Model:
    """A model from `build(key) -> module` where `module(x, activation, **fixed)` takes one example.

    The module returns `(outputs,)` or, for segmentation, `(1, height, width)`; one output loses its
    axis.
    """
    gain = _gain(activation)

    @jax.jit
    def init(key: jax.Array) -> PyTree:
        # Only shapes are taken from equinox; its own draws are never made.
        return _draw(eqx.filter_eval_shape(build, key), gain, key)

    def apply(params: PyTree, inputs: jax.Array) -> jax.Array:
        predictions = jax.vmap(lambda x: params(x, activation, **fixed))(inputs)
        return predictions[:, 0] if predictions.shape[1] == 1 else predictions

    return Model(init, apply, _filter_axes)


def find_activation(activation: str | Callable) -> Activation:
    """The activation of that name, or the function itself."""
    if callable(activation):
        return activation
    menu = {
        name: function
        for name, function in vars(activations).items()
        if not name.startswith("_")
        and callable(function)
        and getattr(function, "__module__", None) == activations.__name__
    }
    if not isinstance(activation, str) or activation not in menu:
        raise UserError(
            f"no activation is named {activation!r}", hint=nearest(str(activation), menu)
        )
    return menu[activation]


def check_image(model: str, input_shape: tuple[int, ...], smallest: int, hint: str) -> None:
    """Refuses inputs that are not `(channels, height, width)`, or sides below `smallest`."""
    if len(input_shape) != 3:
        raise UserError(
            f"model `{model}` takes images (channels, height, width); "
            f"the dataset has inputs of shape {tuple(input_shape)}",
            hint="use `mlp` or `linear`, which take any shape",
        )
    height, width = input_shape[1:]
    if min(height, width) < smallest:
        raise UserError(
            f"model `{model}` with these options takes images of at least {smallest} x {smallest} "
            f"pixels; the dataset has {height} x {width}",
            hint=f"use {hint}",
        )


def whole_numbers(name: str, values: Any) -> tuple[int, ...]:
    """The option as a tuple of positive whole numbers."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise UserError(
            f"`{name}` must be a list of positive whole numbers, found {values!r}",
            hint=f"one number is a list too: `{name}: [{values}]`",
        )
    return tuple(whole_number(f"{name}[{i}]", value) for i, value in enumerate(values))


def whole_number(name: str, value: Any) -> int:
    """The option as a positive whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"`{name}` must be a whole number of at least 1, found {value!r}")
    return value


def _draw(shapes: PyTree, gain: float, key: jax.Array) -> PyTree:
    leaves, structure = jax.tree_util.tree_flatten_with_path(shapes)
    weights = [i for i, (path, leaf) in enumerate(leaves) if _is_weight(path, leaf)]
    ends = np.cumsum([leaf.size for _, leaf in leaves])
    # One draw for all parameters compiles many times faster than one for each.
    draws = jnp.split(jax.random.normal(key, (int(ends[-1]),), jnp.float32), ends[:-1])
    values = []
    for i, ((path, leaf), draw) in enumerate(zip(leaves, draws, strict=True)):
        if i in weights:
            scale = 1.0 if i in (weights[0], weights[-1]) else gain
            deviation = math.sqrt(scale / math.prod(leaf.shape[1:]))
            values.append(deviation * draw.reshape(leaf.shape))
        else:
            constant = 1.0 if _is_named_weight(path) else 0.0
            values.append(jnp.full(leaf.shape, constant, jnp.float32))
    return jax.tree.unflatten(structure, values)


def _gain(activation: Activation) -> float:
    # Gauss-Hermite quadrature; an even number of nodes leaves out 0, where activations have kinks.
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    values = np.asarray(activation(jnp.asarray(nodes, jnp.float32)), np.float64)
    if values.shape != nodes.shape:
        raise UserError(f"an activation keeps the shape, this one made {values.shape} of (100,)")
    moment = np.sum(weights * np.square(values)) / np.sum(weights)
    if not 0 < moment < math.inf:
        name = getattr(activation, "__name__", repr(activation))
        raise UserError(
            f"activation `{name}` has mean square {moment} on standard normal inputs, "
            "which no weights can rescale",
            hint="it must be finite, and not zero everywhere",
        )
    return float(1 / moment)


def _filter_axes(params: PyTree) -> PyTree:
    # Equinox keeps the output unit on axis 0 of every dense and convolution weight.
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: 0 if _is_weight(path, leaf) else None, params
    )


def _is_weight(path: tuple, leaf: Any) -> bool:
    # The name decides as well, since the bias of a convolution has three axes.
    return _is_named_weight(path) and len(leaf.shape) >= 2


def _is_named_weight(path: tuple) -> bool:
    return getattr(path[-1], "name", None) == "weight"

"""What the models share: initialization, filter axes and checks of options.

Parameters are an equinox module whose leaves are float32 arrays. The activation is not part of it.

Weights are drawn from N(0, gain / fan_in) with gain = 1 / E[activation(z)^2] for z ~ N(0, 1), which
preserves the scale of a signal for every activation: He et al. 2015 for relu (gain 2), LeCun et al.
1998 for identity and selu (gain 1). The first layer, without an activation before it, and the last
have gain 1. Biases start at 0, normalization scales at 1. The default of equinox, uniform in
+-1 / sqrt(fan_in), would shrink a signal by sqrt(6) per relu layer, so that a deep network without
shortcuts would look untrainable for that reason alone.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import UserError, nearest
from landscape.parts import activations
from landscape.parts._options import check_whole

MOST_LAYERS = 1000  # tracing takes seconds, and compilation minutes

PyTree = Any
Activation = Callable[[jax.Array], jax.Array]


class TrainingMode(NamedTuple):
    """How a model is trained whose predictions differ in training, as by dropout.

    `init(key)`: the state, such as batch statistics, that belongs to the parameters of that key.
    `apply(params, inputs, state, key)`: predictions in training, and the next state, a pytree with
    the structure, shapes and dtypes of the one before.
    `recompute(params, inputs, state)`: predictions with the statistics of this batch in place of
    those in the state, without dropout; None if there are no batch statistics.
    """

    init: Callable[[jax.Array], PyTree]
    apply: Callable[[PyTree, jax.Array, PyTree, jax.Array], tuple[jax.Array, PyTree]]
    recompute: Callable[[PyTree, jax.Array, PyTree], jax.Array] | None = None


class Model(NamedTuple):
    """Pure functions of a network; `batch` is the leading axis of inputs and predictions.

    `init(key)`: parameters, the same for the same key.
    `apply(params, inputs)`: raw predictions (logits): `(batch,)` for one output, else
    `(batch, outputs)`; `(batch, height, width)` for segmentation. With a `training` mode it is
    `apply(params, inputs, state)`, the predictions in evaluation.
    `filter_axes(params)`: a pytree like `params` with the axis of each weight that counts its
    filters (output units), None for biases and normalization parameters. Read it as
    `jax.tree.map(f, params, axes)`, parameters first, so that None is not taken for an empty tree.
    `twice_differentiable`: whether the predictions have second derivatives in the parameters
    everywhere; None if unknown.
    `training`: how a model with batch statistics or dropout is trained; None for other models.
    """

    init: Callable[[jax.Array], PyTree]
    apply: Callable[..., jax.Array]
    filter_axes: Callable[[PyTree], PyTree]
    twice_differentiable: bool | None = None
    training: TrainingMode | None = None

    def init_state(self, key: jax.Array) -> PyTree:
        """Returns the state that belongs to `init(key)`; None for a model without one."""
        return None if self.training is None else self.training.init(key)

    def with_batch_statistics(self, kind: str) -> "Model":
        """Returns the model in evaluation with `frozen` or `recomputed` batch statistics."""
        if kind == "frozen":
            return self
        if self.training is None or self.training.recompute is None:
            raise UserError(
                "`batch_statistics: recomputed` needs a model with batch normalization",
                hint="remove `batch_statistics` from `slices`",
            )
        return self._replace(apply=self.training.recompute)

    def predict(self, params: PyTree, inputs: jax.Array, state: PyTree = None) -> jax.Array:
        """Returns the predictions in evaluation."""
        if self.training is None:
            return self.apply(params, inputs)
        return self.apply(params, inputs, state)


def assemble(
    build: Callable[[jax.Array], eqx.Module],
    activation: Activation,
    output_shape: tuple[int, ...],
    *,
    linear: Collection[str] = (),
    **fixed: Any,
) -> Model:
    """Returns the model of `build(key) -> module`, where `module(x, activation, **fixed)` predicts.

    `x` is one example, and the module returns as many numbers as `output_shape` has, in the same
    order. `linear` names layers whose inputs are not the results of activations.
    """
    gain = _gain(activation)

    @jax.jit
    def init(key: jax.Array) -> PyTree:
        # Equinox provides only the shapes.
        return _draw(eqx.filter_eval_shape(build, key), gain, linear, key)

    def apply(params: PyTree, inputs: jax.Array) -> jax.Array:
        predictions = jax.vmap(lambda x: params(x, activation, **fixed))(inputs)
        if predictions.shape[1:] == output_shape:
            return predictions
        if predictions.shape[2:] == output_shape:  # the axis of a single output
            return predictions[:, 0]
        return predictions.reshape(len(predictions), *output_shape)

    return Model(init, apply, _filter_axes, _twice_differentiable(activation))


def head_shape(outputs: int, output_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Returns the shape of one prediction: as passed, else `(outputs,)`, and `()` for one."""
    if output_shape is not None:
        return output_shape
    return () if outputs == 1 else (outputs,)


def find_activation(activation: str | Callable) -> Activation:
    """Returns the activation of that name, or the function itself."""
    if callable(activation):
        return activation
    menu = _activation_menu()
    if not isinstance(activation, str) or activation not in menu:
        hint = nearest(str(activation), menu)
        raise UserError(f"no activation is named {activation!r}", hint=hint)
    return menu[activation]


def _activation_menu() -> dict[str, Activation]:
    return {
        name: function
        for name, function in vars(activations).items()
        if not name.startswith("_") and getattr(function, "__module__", "") == activations.__name__
    }


def _twice_differentiable(activation: Activation) -> bool | None:
    """Returns None for a user-defined activation: dense layers and normalization are smooth."""
    for name, function in _activation_menu().items():
        if function is activation:
            return name in activations.TWICE_DIFFERENTIABLE
    return None


def check_image(model: str, input_shape: tuple[int, ...], smallest: int, hint: str) -> None:
    """Raises UserError unless inputs are `(channels, height, width)` with sides of `smallest`."""
    if len(input_shape) != 3:
        raise UserError(
            f"the dataset has inputs of shape {tuple(input_shape)}; "
            f"model `{model}` takes images (channels, height, width)",
            hint="use `mlp` or `linear`, which take any shape",
        )
    height, width = input_shape[1:]
    if min(height, width) < smallest:
        raise UserError(
            f"the dataset has images of {height} x {width} pixels; "
            f"model `{model}` with these options needs at least {smallest} x {smallest}",
            hint=f"use {hint}",
        )


def whole_numbers(name: str, values: Any) -> tuple[int, ...]:
    """Returns the option as a tuple. Raises UserError unless it lists positive whole numbers."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        message = f"`{name}` is {values!r}; expected a list of positive whole numbers"
        raise UserError(message, hint=f"write a single number as a list: `{name}: [{values}]`")
    if len(values) > MOST_LAYERS:
        raise UserError(f"`{name}` lists {len(values)} layers; expected at most {MOST_LAYERS}")
    check_whole(1, **{f"{name}[{i}]": value for i, value in enumerate(values)})
    return tuple(values)


def _draw(shapes: PyTree, gain: float, linear: Collection[str], key: jax.Array) -> PyTree:
    leaves, structure = jax.tree_util.tree_flatten_with_path(shapes)
    weights = [i for i, (path, leaf) in enumerate(leaves) if _is_weight(path, leaf)]
    ends = np.cumsum([leaf.size for _, leaf in leaves])
    # One draw for all parameters compiles many times faster than one per array.
    draws = jnp.split(jax.random.normal(key, (int(ends[-1]),), jnp.float32), ends[:-1])
    values = []
    for i, ((path, leaf), draw) in enumerate(zip(leaves, draws, strict=True)):
        if i in weights:
            is_linear = any(getattr(step, "name", None) in linear for step in path)
            scale = 1.0 if is_linear or i in (weights[0], weights[-1]) else gain
            deviation = math.sqrt(scale / math.prod(leaf.shape[1:]))
            values.append(deviation * draw.reshape(leaf.shape))
        else:
            constant = 1.0 if _is_named_weight(path) else 0.0
            values.append(jnp.full(leaf.shape, constant, jnp.float32))
    return jax.tree.unflatten(structure, values)


def _gain(activation: Activation) -> float:
    # Gauss-Hermite quadrature; an even number of nodes excludes 0, where activations have kinks.
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    values = np.asarray(activation(jnp.asarray(nodes, jnp.float32)), np.float64)
    if values.shape != nodes.shape:
        raise UserError(f"the activation maps shape (100,) to {values.shape}; expected (100,)")
    moment = np.sum(weights * np.square(values)) / np.sum(weights)
    if not 0 < moment < math.inf:
        name = getattr(activation, "__name__", repr(activation))
        raise UserError(
            f"activation `{name}` has mean square {moment} on standard normal inputs; expected a "
            "finite number above 0, by which initial weights are scaled",
        )
    return float(1 / moment)


def _filter_axes(params: PyTree) -> PyTree:
    # In equinox, axis 0 of every dense and convolution weight counts the output units.
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: 0 if _is_weight(path, leaf) else None, params
    )


def _is_weight(path: tuple, leaf: Any) -> bool:
    # The number of axes is not enough: the bias of a convolution has three.
    return _is_named_weight(path) and len(leaf.shape) >= 2


def _is_named_weight(path: tuple) -> bool:
    return getattr(path[-1], "name", None) == "weight"

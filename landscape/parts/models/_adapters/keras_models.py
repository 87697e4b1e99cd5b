"""Models of Keras on its JAX backend: called with a batch, images with channels last."""

import contextlib
import functools
import inspect
import random
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import UserError
from landscape.parts.models._adapters.filter_axes import Choice, filter_axes
from landscape.parts.models._adapters.module_calls import ModuleCalls, model_of
from landscape.parts.models._adapters.shapes import Build, ModelShapes, channels_last, is_instance
from landscape.parts.models._build import Model

PyTree = Any
_SEED = "seed_generator_state"  # of Keras, the variable of a layer that draws random numbers


def recognizes(value: Any) -> bool:
    """Returns whether a value is a model of Keras."""
    return is_instance(value, "keras", "Model")


def adapt(build: Build, shapes: ModelShapes, choice: Choice) -> Model:
    """Returns the model of `build(key) -> keras.Model`; variables that are not trained are state.

    An instance is built anew from its configuration, so that its weights depend on the seed.
    Keras rounds to float32 even where slices are checked in float64.
    Raises UserError if Keras uses another backend.
    """
    check_backend()
    # The weights of an instance come from an unknown seed.
    from_config = build(jax.random.key(0)) is build(jax.random.key(0))
    built = functools.partial(_built, build, shapes, from_config)
    model = built(jax.random.key(0))
    params_like = by_name(model.trainable_variables)
    state_like = by_name(model.non_trainable_variables)
    return model_of(
        module_calls(model),
        init=lambda key: _drawn(built, key, params_like, True),
        init_state=lambda key: _drawn(built, key, state_like, False),
        axes=filter_axes(params_like, known_axes(model), choice),
        shapes=shapes,
    )


def check_backend() -> None:
    """Raises UserError unless Keras uses JAX."""
    import keras

    if keras.backend.backend() != "jax":
        raise UserError(
            f"Keras uses its backend `{keras.backend.backend()}`, expected jax",
            hint="set the environment variable KERAS_BACKEND=jax",
        )


def module_calls(model: Any) -> ModuleCalls:
    """Returns the calls of a model that is built; its weights are those that are passed."""
    import keras

    layers = model._flatten_layers()
    drops = [layer for layer in layers if isinstance(layer, _dropout_layers())]
    names = [v.name for v in model.non_trainable_variables]
    takes_mode = "training" in inspect.signature(model.call).parameters

    def call(params: PyTree, inputs: Any, state: PyTree, training: bool) -> tuple[Any, PyTree]:
        values = list(params.values()), list(dict(state).values())
        if takes_mode:
            predictions, updated = model.stateless_call(*values, inputs, training=training)
        else:
            predictions, updated = _called_in_context(model, *values, inputs, training)
        return predictions, by_name(model.non_trainable_variables, updated)

    def train(params: PyTree, inputs: Any, state: PyTree, key: jax.Array) -> tuple[Any, PyTree]:
        seeded = {
            name: jax.random.key_data(jax.random.fold_in(key, number)).astype(value.dtype)
            if names[number] == _SEED
            else value
            for number, (name, value) in enumerate(state.items())
        }
        return call(params, inputs, seeded, True)

    def recompute(params: PyTree, inputs: Any, state: PyTree) -> Any:
        with _switched_off(drops):
            return call(params, inputs, state, True)[0]

    normalizes = any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)
    return ModuleCalls(
        evaluate=lambda params, inputs, state: call(params, inputs, state, False)[0],
        train=train if names else None,
        recompute=recompute if normalizes else None,
    )


def _called_in_context(
    model: Any, params: Sequence[Any], state: Sequence[Any], inputs: Any, training: bool
) -> tuple[Any, list[Any]]:
    """Returns predictions and the next state of a model whose `call` has no parameter `training`.

    Its layers read the mode from the context of the call.
    """
    import keras

    variables = [*model.trainable_variables, *model.non_trainable_variables]
    pairs = list(zip(variables, [*params, *state], strict=True))
    with keras.StatelessScope(state_mapping=pairs) as scope:
        predictions = model(inputs, training=training)
    updated = [(scope.get_current_value(v), v) for v in model.non_trainable_variables]
    return predictions, [v.value if value is None else value for value, v in updated]


def _built(build: Build, shapes: ModelShapes, from_config: bool, key: jax.Array) -> Any:
    """Returns a model with weights that depend on the key alone."""
    import keras

    states = random.getstate(), np.random.get_state()
    # The default initializers of Keras draw from these global generators.
    keras.utils.set_random_seed(int(jax.random.bits(key)) % 2**31)
    try:
        model = build(key)
        if from_config:
            model = type(model).from_config(model.get_config())
        model(channels_last(shapes.example))
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return model


def _drawn(built: Build, key: jax.Array, like: PyTree, trainable: bool) -> PyTree:
    """Returns the variables of a model built from a key; of a traced key, by a callback."""

    def draw(key: jax.Array) -> PyTree:
        model = built(key)
        return by_name(model.trainable_variables if trainable else model.non_trainable_variables)

    if not isinstance(key, jax.core.Tracer):
        return draw(key)
    results = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)

    def draw_from_data(data: jax.Array) -> PyTree:
        return draw(jax.random.wrap_key_data(jnp.asarray(data)))

    return jax.pure_callback(draw_from_data, results, jax.random.key_data(key))


def by_name(variables: Sequence[Any], values: Sequence[Any] | None = None) -> dict[str, jax.Array]:
    """Returns values by number and name: the paths of Keras count all models of a process."""
    if values is None:
        values = [jnp.asarray(variable.value) for variable in variables]
    return {
        f"{number:03d}_{variable.name}": value
        for number, (variable, value) in enumerate(zip(variables, values, strict=True))
    }


def _dropout_layers() -> tuple[type, ...]:
    from keras import layers

    kinds = (layers.Dropout, layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise)
    return (*kinds, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D)


@contextlib.contextmanager
def _switched_off(drops: Sequence[Any]) -> Iterator[None]:
    """Makes dropout and noise do nothing while a model is traced."""
    names = ["stddev" if hasattr(layer, "stddev") else "rate" for layer in drops]
    values = [getattr(layer, name) for layer, name in zip(drops, names, strict=True)]
    try:
        for layer, name in zip(drops, names, strict=True):
            setattr(layer, name, 0.0)
        yield
    finally:
        for layer, name, value in zip(drops, names, values, strict=True):
            setattr(layer, name, value)


def known_axes(model: Any) -> dict[str, int | None]:
    """Returns the axes of the variables of known layers."""
    axis_of: dict[int, int | None] = {}
    for layer in model._flatten_layers():
        axes = _axes_of_layer(layer)
        if axes is not None:
            axis_of |= {id(v): axes.get(v.name) for v in layer._trainable_variables}
    variables = model.trainable_variables
    names = by_name(variables)
    return {n: axis_of[id(v)] for n, v in zip(names, variables, strict=True) if id(v) in axis_of}


def _axes_of_layer(layer: Any) -> dict[str, int] | None:
    """Returns the axes of the weights of a layer by their names; None for an unknown layer."""
    from keras import layers as kinds

    if isinstance(layer, kinds.EinsumDense):
        return _axes_of_equation(layer.equation)
    axes_of_kinds: dict[Any, dict[str, int]] = {
        (kinds.Dense, kinds.Conv1D, kinds.Conv2D, kinds.Conv3D): {"kernel": -1},
        # Their kernels are (height, width, outputs, inputs).
        (kinds.Conv1DTranspose, kinds.Conv2DTranspose, kinds.Conv3DTranspose): {"kernel": -2},
        # Their kernels are (height, width, channels, multiplier): a filter per channel.
        (kinds.DepthwiseConv1D, kinds.DepthwiseConv2D): {"kernel": -2},
        (kinds.SeparableConv1D, kinds.SeparableConv2D): {
            "depthwise_kernel": -2,
            "pointwise_kernel": -1,
        },
        (kinds.Embedding,): {"embeddings": -1},
        (kinds.SimpleRNNCell, kinds.GRUCell, kinds.LSTMCell): {
            "kernel": -1,
            "recurrent_kernel": -1,
        },
        (kinds.BatchNormalization, kinds.LayerNormalization, kinds.GroupNormalization): {},
        (kinds.PReLU,): {},
    }
    return next((axes for types, axes in axes_of_kinds.items() if isinstance(layer, types)), None)


def _axes_of_equation(equation: str) -> dict[str, int] | None:
    """Returns the first axis of outputs of a kernel: the heads, in the layers of an attention."""
    operands, result = equation.replace("...", "").split("->")
    inputs, kernel = operands.split(",")
    outputs = [letter for letter in kernel if letter in result and letter not in inputs]
    return {"kernel": kernel.index(outputs[0])} if outputs else None

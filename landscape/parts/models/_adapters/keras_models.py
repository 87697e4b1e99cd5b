"""Models of Keras on its JAX backend: called with a batch, images with channels last."""

import contextlib
import functools
import random
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import UserError
from landscape.parts.models._adapters.filter_axes import Choice, filter_axes
from landscape.parts.models._adapters.shapes import (
    Build,
    ModelShapes,
    channels_last,
    fitted,
    is_instance,
)
from landscape.parts.models._build import Model, TrainingMode

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
    import keras

    if keras.backend.backend() != "jax":
        raise UserError(
            f"Keras uses its backend `{keras.backend.backend()}`, expected jax",
            hint="set the environment variable KERAS_BACKEND=jax",
        )
    # The weights of an instance come from an unknown seed.
    from_config = build(jax.random.key(0)) is build(jax.random.key(0))
    built = functools.partial(_built, build, shapes, from_config)
    model = built(jax.random.key(0))
    layers = model._flatten_layers()
    drops = [layer for layer in layers if isinstance(layer, _dropout_layers())]
    others = [v.name for v in model.non_trainable_variables]

    def call(
        params: PyTree, inputs: jax.Array, state: PyTree, training: bool
    ) -> tuple[jax.Array, PyTree]:
        values = list(params.values()), list(state.values()), channels_last(inputs)
        predictions, updated = model.stateless_call(*values, training=training)
        return fitted(predictions, shapes), _named(model.non_trainable_variables, updated)

    def apply_in_training(
        params: PyTree, inputs: jax.Array, state: PyTree, key: jax.Array
    ) -> tuple[jax.Array, PyTree]:
        seeded = {
            name: jax.random.key_data(jax.random.fold_in(key, number)).astype(value.dtype)
            if others[number] == _SEED
            else value
            for number, (name, value) in enumerate(state.items())
        }
        return call(params, inputs, seeded, True)

    def recompute(params: PyTree, inputs: jax.Array, state: PyTree) -> jax.Array:
        with _switched_off(drops):
            return call(params, inputs, state, True)[0]

    normalizes = any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)
    params_like = _named(model.trainable_variables)
    axes = filter_axes(params_like, _known_axes(model, layers), choice)
    training = TrainingMode(
        init=lambda key: _drawn(built, key, _named(model.non_trainable_variables), False),
        apply=apply_in_training,
        recompute=recompute if normalizes else None,
    )
    return Model(
        init=lambda key: _drawn(built, key, params_like, True),
        apply=lambda params, inputs, state={}: call(params, inputs, state, False)[0],
        filter_axes=lambda params: axes,
        training=training if others else None,
    )


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
        return _named(model.trainable_variables if trainable else model.non_trainable_variables)

    if not isinstance(key, jax.core.Tracer):
        return draw(key)
    results = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)

    def draw_from_data(data: jax.Array) -> PyTree:
        return draw(jax.random.wrap_key_data(jnp.asarray(data)))

    return jax.pure_callback(draw_from_data, results, jax.random.key_data(key))


def _named(variables: Sequence[Any], values: Sequence[Any] | None = None) -> dict[str, jax.Array]:
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


def _known_axes(model: Any, layers: Sequence[Any]) -> dict[str, int | None]:
    from keras import layers as kinds

    axes_of_kinds: dict[Any, dict[str, int]] = {
        (kinds.Dense, kinds.Conv1D, kinds.Conv2D, kinds.Conv3D): {"kernel": -1},
        # Their kernels are (height, width, outputs, inputs).
        (kinds.Conv1DTranspose, kinds.Conv2DTranspose, kinds.Conv3DTranspose): {"kernel": -2},
        (kinds.Embedding,): {"embeddings": -1},
        (kinds.SimpleRNNCell, kinds.GRUCell, kinds.LSTMCell): {
            "kernel": -1,
            "recurrent_kernel": -1,
        },
        (kinds.BatchNormalization, kinds.LayerNormalization, kinds.GroupNormalization): {},
    }
    axis_of: dict[int, int | None] = {}
    for layer in layers:
        for types, axes in axes_of_kinds.items():
            if isinstance(layer, types):
                axis_of |= {id(v): axes.get(v.name) for v in layer._trainable_variables}
    variables = model.trainable_variables
    names = _named(variables)
    return {n: axis_of[id(v)] for n, v in zip(names, variables, strict=True) if id(v) in axis_of}

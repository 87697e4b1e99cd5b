"""The adapter for Keras."""

from typing import Any

from landscape.adapters.adapted_model import (
    AdaptedModel,
    adapted_model,
    check_instance,
    missing_package,
)
from landscape.errors import UserError
from landscape.parts.models._adapters import keras_models
from landscape.parts.models._adapters.filter_axes import Choice


def keras(model: Any, *, filter_axes: Choice = None) -> AdaptedModel:
    """Returns a trained model of Keras, on its JAX backend, as a function `apply(params, inputs)`.

    Trainable variables are the parameters, all others the state. Keras rounds to float32 even where
    slices are checked in float64. `filter_axes` states the axes of weights of layers that are not
    known: `first`, `last`, or a function of the parameters.

    Raises UserError if the model is not built, if Keras uses another backend, or if the axes of a
    weight are not known.
    """
    try:
        import keras as library
    except ImportError:
        raise missing_package("keras", "keras") from None
    keras_models.check_backend()
    check_instance(model, library.Model, "keras", "adapters.keras(keras.Sequential(layers))")
    if not model.built:
        raise UserError(
            f"the model `{model.name}` has no weights yet: it is not built",
            hint="call it once with a batch of inputs, or load its weights, before it is adapted",
        )
    known = keras_models.known_axes(model)
    return adapted_model(
        keras_models.module_calls(model),
        keras_models.by_name(model.trainable_variables),
        keras_models.by_name(model.non_trainable_variables),
        lambda params: known,
        filter_axes,
        f"keras {type(model).__name__}",
    )

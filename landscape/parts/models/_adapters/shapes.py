"""What a model is built for: the shapes of inputs and predictions, and the layout of images."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Build = Callable[[jax.Array], Any]


class ModelShapes(NamedTuple):
    """Shapes of one example, the number of outputs, and the number of tokens.

    `input_dtype`: int32 for tokens. `vocabulary` is None unless inputs are tokens.
    """

    input_shape: tuple[int, ...]
    outputs: int
    output_shape: tuple[int, ...]
    vocabulary: int | None = None
    input_dtype: Any = np.float32

    @property
    def example(self) -> jax.Array:
        """A batch of one example of zeros."""
        return jnp.zeros((1, *self.input_shape), self.input_dtype)


def is_instance(value: Any, module: str, name: str) -> bool:
    """Returns whether a value is an instance of a class of a library that is imported already."""
    library = sys.modules.get(module)
    return library is not None and isinstance(value, getattr(library, name))


def channels_last(inputs: jax.Array) -> jax.Array:
    """Returns images `(batch, channels, height, width)` with channels last; others unchanged."""
    return inputs.transpose(0, 2, 3, 1) if inputs.ndim == 4 else inputs


def fitted(predictions: jax.Array, shapes: ModelShapes) -> jax.Array:
    """Returns predictions in the shape of the task, if they differ from it in axes of length 1."""
    size = [n for n in predictions.shape[1:] if n != 1]
    if size != [n for n in shapes.output_shape if n != 1]:
        return predictions
    return predictions.reshape(len(predictions), *shapes.output_shape)

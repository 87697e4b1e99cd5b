"""The axis of the classes: the last one in JAX and Keras, the second one in PyTorch."""

from typing import Any, Literal

import jax.numpy as jnp

Array = Any
ClassAxis = Literal["last", "second"]


def second_axis(predictions: Array, targets: Array) -> tuple[Array, Array]:
    """Returns both with the classes in the second axis instead of the last one.

    Targets with fewer axes than the predictions are labels and have no axis of classes.
    """
    has_classes = jnp.ndim(targets) == jnp.ndim(predictions)
    return (
        jnp.moveaxis(predictions, -1, 1),
        jnp.moveaxis(targets, -1, 1) if has_classes else targets,
    )


def last_axis(values: Any, predictions: Array) -> Any:
    """Returns values with one entry per prediction with the classes in the last axis again.

    `predictions` have them in the second one. All other values are returned as they are.
    """
    return (
        jnp.moveaxis(values, 1, -1)
        if getattr(values, "shape", None) == predictions.shape
        else values
    )

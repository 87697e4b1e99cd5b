"""Values of the fields of a dataset that leave a loss as it is without them."""

from typing import Any

import jax.numpy as jnp

Array = Any
# What a neutral field is, in notes.
NEUTRAL = {
    "weights": "are 1",
    "mask": "counts every target",
    "groups": "are one group",
    "events": "are all observed",
}


def neutral_field(
    name: str, predictions: Array, targets: Array, shape: tuple[int, ...] | None = None
) -> Array:
    """Returns one group for `groups`, else ones: equal weights, a full mask, observed events.

    `shape` is that of an example. By default a mask has one value per target, and any other field
    one per example.
    """
    if name == "mask" and (shape is None or len(shape) == targets.ndim - 1):
        return jnp.ones(targets.shape, predictions.dtype)
    whole = (len(predictions), *(shape or ()))
    return jnp.zeros(whole, jnp.int32) if name == "groups" else jnp.ones(whole, predictions.dtype)

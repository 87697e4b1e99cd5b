"""The scale of the initial weights of any model, also a user's."""

from typing import Any

import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts.models._build import Model

PyTree = Any


def scale_weights(model: Model, params: PyTree, factor: float | jax.Array) -> PyTree:
    """Returns `factor` times every weight; biases and normalization parameters are unchanged.

    Weights are the arrays to which `model.filter_axes` assigns an axis. `factor` may be traced.
    Raises UserError if the model has no weights.
    """
    axes = model.filter_axes(params)
    # Parameters first: None as an axis is not an empty tree.
    is_weight = jax.tree.map(lambda _, axis: axis is not None, params, axes)
    if not any(jax.tree.leaves(is_weight)):
        raise UserError(
            "`initialization` scales weights, but `filter_axes` of the model assigns no axis",
            hint="return the axis of the output units of each weight, see docs/own_parts.md",
        )

    def scale(leaf: jax.Array, weight: bool) -> jax.Array:
        return leaf * jnp.asarray(factor, leaf.dtype) if weight else leaf

    return jax.tree.map(scale, params, is_weight)

"""Directions in parameter space along which the risk is sliced.

Each factory returns `direction(key, params, filter_axes) -> pytree like params`, where
`filter_axes` is a pytree like `params` of the filter axis of each weight, None for biases and
normalization parameters.
"""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

PyTree = Any
Direction = Callable[[jax.Array, PyTree, PyTree], PyTree]


def random(
    *,
    normalization: Literal["filter", "layer", "whole", "none"] = "filter",
    biases: Literal["zero", "random"] = "zero",
) -> Direction:
    """Gaussian: every entry is N(0, 1), then normalized to the scale of the parameters.

    `filter`: each filter f (the incoming weights of one unit) becomes d_f ||p_f|| / ||d_f||, so
    that rescaling a whole ReLU layer and undoing it in the next changes no slice; for comparing
    networks and losses (Li et al., Visualizing the Loss Landscape of Neural Nets, 2018).
    `layer`: the same for each weight array as a whole. `whole`: d ||p|| / ||d|| over all
    parameters at once. `none`: as drawn; a unit of distance is then a step of about sqrt(N) in N
    parameters, for comparing mean curvature with trace(H) / N.

    `biases` says what biases and normalization parameters do: `zero` keeps them fixed, the usual
    choice; `random` moves them too, scaled as one filter each. A filter whose norm is zero gives a
    zero direction.
    """

    def direction(key: jax.Array, params: PyTree, filter_axes: PyTree) -> PyTree:
        leaves, tree = jax.tree.flatten(params)
        axes = tree.flatten_up_to(filter_axes)  # type: ignore[attr-defined]
        keys = jax.random.split(key, len(leaves))
        moving = [i for i, axis in enumerate(axes) if axis is not None or biases == "random"]
        drawn = [jnp.zeros_like(leaf) for leaf in leaves]
        for i in moving:
            drawn[i] = jax.random.normal(keys[i], leaves[i].shape, leaves[i].dtype)
        if normalization == "whole":
            norm = optax.tree.norm([leaves[i] for i in moving])
            ratio = norm / optax.tree.norm([drawn[i] for i in moving])
            return jax.tree.unflatten(tree, [d * ratio for d in drawn])
        if normalization != "none":
            for i in moving:
                axis = axes[i] if normalization == "filter" else None
                drawn[i] = _with_norms_of(leaves[i], drawn[i], axis)
        return jax.tree.unflatten(tree, drawn)

    return direction


def _with_norms_of(params: jax.Array, direction: jax.Array, axis: int | None) -> jax.Array:
    """`direction` with the norm of `params` in every filter; one filter where axis is None."""
    others = tuple(i for i in range(params.ndim) if i != axis)
    wanted = jnp.sqrt(jnp.sum(params**2, axis=others, keepdims=True))
    return direction * (wanted / jnp.sqrt(jnp.sum(direction**2, axis=others, keepdims=True)))

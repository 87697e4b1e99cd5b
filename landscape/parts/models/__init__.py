"""Models: `name(input_shape, outputs, *, options) -> Model`, from a dataset's shapes.

Tables have shape `(features,)`, images are channels-first `(channels, height, width)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

PyTree = Any


class Model(NamedTuple):
    """Three pure functions; `batch` is the leading axis of inputs and predictions.

    `init(key)`: parameters, the same for the same key.
    `apply(params, inputs)`: raw predictions (logits): `(batch,)` for one output, else
    `(batch, outputs)`; `(batch, height, width)` for segmentation.
    `filter_axes(params)`: a pytree like `params` with the axis of each weight that counts its
    filters (output units) as an int, and None for biases and normalization parameters. Read it as
    `jax.tree.map(f, params, axes)`, parameters first, so that None is not taken for an empty tree.
    """

    init: Callable[[jax.Array], PyTree]
    apply: Callable[[PyTree, jax.Array], jax.Array]
    filter_axes: Callable[[PyTree], PyTree]

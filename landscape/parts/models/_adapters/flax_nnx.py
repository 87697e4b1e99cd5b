"""Modules of `flax.nnx`: called with a batch, images with channels last."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

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


class _Parts(NamedTuple):
    """A module as a definition for each mode, parameters, keys of randomness, and other state."""

    training: Any
    evaluation: Any
    recompute: Any
    params: Any
    keys: Any
    state: Any


def recognizes(value: Any) -> bool:
    """Returns whether a value is an nnx module."""
    return is_instance(value, "flax.nnx", "Module")


def adapt(build: Build, shapes: ModelShapes, choice: Choice) -> Model:
    """Returns the model of an nnx module; all variables except `Param` and keys are its state.

    An instance keeps its weights, so that all seeds start from them.
    """
    from flax import nnx

    module = build(jax.random.key(0))
    known = _known_axes(module)
    parts = _parts(module)

    def call(
        definition: Any, params: PyTree, inputs: jax.Array, state: PyTree, key: jax.Array
    ) -> tuple[jax.Array, PyTree]:
        variables = (_filled(parts.params, params), _filled(parts.state, state))
        merged = nnx.merge(definition, variables[0], _reseeded(parts.keys, key), variables[1])
        predictions = fitted(merged(channels_last(inputs)), shapes)
        return predictions, nnx.to_pure_dict(_split(merged)[3])

    def apply(params: PyTree, inputs: jax.Array, state: PyTree = {}) -> jax.Array:  # noqa: B006
        return call(parts.evaluation, params, inputs, state, jax.random.key(0))[0]

    params_like, state_like = nnx.to_pure_dict(parts.params), nnx.to_pure_dict(parts.state)
    axes = filter_axes(params_like, known, choice)
    training = TrainingMode(
        init=lambda key: nnx.to_pure_dict(_split(build(key))[3]),
        apply=lambda params, inputs, state, key: call(parts.training, params, inputs, state, key),
        recompute=lambda params, inputs, state: call(
            parts.recompute, params, inputs, state, jax.random.key(0)
        )[0],
    )
    if parts.recompute == parts.evaluation:
        training = training._replace(recompute=None)
    is_plain = parts.training == parts.evaluation and not jax.tree.leaves(state_like)
    return Model(
        init=lambda key: nnx.to_pure_dict(_split(build(key))[1]),
        apply=apply,
        filter_axes=lambda params: axes,
        training=None if is_plain else training,
    )


def _split(module: Any) -> tuple[Any, Any, Any, Any]:
    """Returns definition, parameters, keys of randomness, and other state."""
    from flax import nnx

    parts: Any = nnx.split(module, nnx.Param, nnx.RngState, ...)
    return parts


def _parts(module: Any) -> _Parts:
    from flax import nnx

    module.train()
    training, params, keys, state = _split(module)
    module.eval()
    evaluation = _split(module)[0]
    module.set_attributes(nnx.BatchNorm, use_running_average=False, raise_if_not_found=False)
    return _Parts(training, evaluation, _split(module)[0], params, keys, state)


def _filled(template: Any, values: PyTree) -> Any:
    """Returns a state of nnx with other values."""
    from flax import nnx

    state = jax.tree.map(lambda leaf: leaf, template)
    nnx.replace_by_pure_dict(state, values)
    return state


def _reseeded(keys: Any, key: jax.Array) -> Any:
    """Returns the keys of the layers, drawn from one key, with their counts at 0."""
    leaves, structure = jax.tree.flatten(keys)
    values = [
        jax.random.fold_in(key, number)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else jnp.zeros_like(leaf)
        for number, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, values)


def _known_axes(module: Any) -> dict[str, int | None]:
    from flax import nnx

    layers: dict[Any, dict[str, int]] = {
        (nnx.Linear, nnx.Conv, nnx.ConvTranspose): {"kernel": -1},
        (nnx.Embed,): {"embedding": -1},
        (nnx.BatchNorm, nnx.LayerNorm, nnx.GroupNorm, nnx.RMSNorm): {},
    }
    known: dict[str, int | None] = {}
    for path, layer in nnx.iter_modules(module):
        axes = next((axes for kinds, axes in layers.items() if isinstance(layer, kinds)), None)
        if isinstance(layer, nnx.LinearGeneral) and len(layer.out_features) == 1:
            axes = {"kernel": -1}
        for name, value in vars(layer).items():
            if axes is not None and isinstance(value, nnx.Param):
                known["/".join(map(str, (*path, name)))] = axes.get(name)
    return known

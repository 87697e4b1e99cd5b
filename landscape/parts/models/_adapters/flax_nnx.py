"""Modules of `flax.nnx`: called with a batch, images with channels last."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from landscape.parts.models._adapters.filter_axes import Choice, filter_axes
from landscape.parts.models._adapters.module_calls import ModuleCalls, model_of
from landscape.parts.models._adapters.shapes import Build, ModelShapes, is_instance
from landscape.parts.models._build import Model

PyTree = Any


class ModuleParts(NamedTuple):
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
    parts = split_module(module)
    axes = filter_axes(nnx.to_pure_dict(parts.params), known_axes(module), choice)
    return model_of(
        module_calls(parts),
        init=lambda key: nnx.to_pure_dict(_split(build(key))[1]),
        init_state=lambda key: nnx.to_pure_dict(_split(build(key))[3]),
        axes=axes,
        shapes=shapes,
    )


def module_calls(parts: ModuleParts) -> ModuleCalls:
    """Returns the calls of an nnx module."""
    from flax import nnx

    def call(
        definition: Any, params: PyTree, inputs: Any, state: PyTree, key: jax.Array
    ) -> tuple[Any, PyTree]:
        variables = (_filled(parts.params, params), _filled(parts.state, dict(state)))
        merged = nnx.merge(definition, variables[0], _reseeded(parts.keys, key), variables[1])
        predictions = merged(inputs)
        return predictions, nnx.to_pure_dict(_split(merged)[3])

    def evaluate(params: PyTree, inputs: Any, state: PyTree) -> Any:
        return call(parts.evaluation, params, inputs, state, jax.random.key(0))[0]

    def train(params: PyTree, inputs: Any, state: PyTree, key: jax.Array) -> tuple[Any, PyTree]:
        return call(parts.training, params, inputs, state, key)

    def recompute(params: PyTree, inputs: Any, state: PyTree) -> Any:
        return call(parts.recompute, params, inputs, state, jax.random.key(0))[0]

    is_plain = parts.training == parts.evaluation and not jax.tree.leaves(parts.state)
    return ModuleCalls(
        evaluate,
        train=None if is_plain else train,
        recompute=None if parts.recompute == parts.evaluation else recompute,
    )


def _split(module: Any) -> tuple[Any, Any, Any, Any]:
    """Returns definition, parameters, keys of randomness, and other state."""
    from flax import nnx

    parts: Any = nnx.split(module, nnx.Param, nnx.RngState, ...)
    return parts


def split_module(module: Any) -> ModuleParts:
    """Returns the parts of an nnx module, which stays in the mode in which it is."""
    from flax import nnx

    module = nnx.clone(module)
    module.train()
    training, params, keys, state = _split(module)
    module.eval()
    evaluation = _split(module)[0]
    module.set_attributes(nnx.BatchNorm, use_running_average=False, raise_if_not_found=False)
    return ModuleParts(training, evaluation, _split(module)[0], params, keys, state)


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


def known_axes(module: Any) -> dict[str, int | None]:
    """Returns the axes of the parameters of known layers."""
    from flax import nnx

    layers: dict[Any, dict[str, int]] = {
        (nnx.Linear, nnx.Conv, nnx.ConvTranspose): {"kernel": -1},
        (nnx.Embed,): {"embedding": -1},
        (nnx.BatchNorm, nnx.LayerNorm, nnx.GroupNorm, nnx.RMSNorm): {},
        (nnx.InstanceNorm, nnx.PReLU): {},
    }
    known: dict[str, int | None] = {}
    for path, layer in nnx.iter_modules(module):
        axes = next((axes for kinds, axes in layers.items() if isinstance(layer, kinds)), None)
        if isinstance(layer, nnx.LinearGeneral):
            # Of several axes of outputs the first, such as the heads of an attention.
            axes = {"kernel": -len(layer.out_features)}
        for name, value in vars(layer).items():
            if axes is not None and isinstance(value, nnx.Param):
                known["/".join(map(str, (*path, name)))] = axes.get(name)
    return known

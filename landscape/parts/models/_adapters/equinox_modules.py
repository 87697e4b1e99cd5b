"""Modules of Equinox: called with one example, `state` and `key` if `__call__` has them."""

import inspect
from collections.abc import Hashable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts.models._adapters.filter_axes import Choice, filter_axes, path_of
from landscape.parts.models._adapters.module_calls import ModuleCalls, model_of
from landscape.parts.models._adapters.shapes import Build, ModelShapes
from landscape.parts.models._build import Model

PyTree = Any
# Axis of the output units of each array of a layer; arrays that are not listed have none.
_LAYERS: dict[Any, dict[str, int]] = {
    eqx.nn.Linear: {"weight": 0},
    eqx.nn.Conv: {"weight": 0},
    eqx.nn.ConvTranspose: {"weight": 0},
    eqx.nn.Embedding: {"weight": 1},
    eqx.nn.GRUCell: {"weight_ih": 0, "weight_hh": 0},
    eqx.nn.LSTMCell: {"weight_ih": 0, "weight_hh": 0},
    eqx.nn.BatchNorm: {},
    eqx.nn.LayerNorm: {},
    eqx.nn.GroupNorm: {},
    eqx.nn.RMSNorm: {},
    eqx.nn.PReLU: {},
}


def recognizes(value: Any) -> bool:
    """Returns whether a value is a module, or a pair of a module and its state."""
    if isinstance(value, tuple) and len(value) == 2:
        return isinstance(value[0], eqx.Module) and isinstance(value[1], eqx.nn.State)
    return isinstance(value, eqx.Module)


def adapt(build: Build, shapes: ModelShapes, choice: Choice) -> Model:
    """Returns the model of `build(key) -> module`, or `(module, state)` with state in its layers.

    Parameters are the floating-point arrays of the module. An instance keeps its weights, so that
    all seeds start from them.
    """
    module, first_state = with_state(build(jax.random.key(0)))
    params_like = split_module(module)[0]
    structure = jax.tree.structure(params_like)

    def init(key: jax.Array) -> PyTree:
        built, _ = with_state(build(key))
        # Static fields, such as functions, differ between two builds.
        return jax.tree.unflatten(structure, jax.tree.leaves(split_module(built)[0]))

    return model_of(
        module_calls(module, first_state),
        init,
        init_state=lambda key: state_leaves(with_state(build(key))[1]),
        axes=filter_axes(params_like, known_axes(module), choice),
        shapes=shapes,
        laid_out=lambda inputs: inputs,
    )


def module_calls(module: Any, first_state: eqx.nn.State) -> ModuleCalls:
    """Returns the calls of a module, mapped over a batch; `first_state` is that before training."""
    state_structure = jax.tree.structure(first_state)
    accepts = inspect.signature(type(module).__call__).parameters
    has_state, takes_key = bool(jax.tree.leaves(first_state)), "key" in accepts
    needs_key = takes_key and accepts["key"].default is not None
    evaluation = split_module(eqx.nn.inference_mode(module, True))[1]
    training = split_module(eqx.nn.inference_mode(module, False))[1]
    with_batch_statistics = split_module(_with_batch_statistics(module))[1]
    axis_name = _batch_axis(module)

    def evaluation_key() -> jax.Array | None:
        # A module may read `key=None` as evaluation.
        return jax.random.key(0) if needs_key else None

    def call(
        static: PyTree, params: PyTree, inputs: Any, leaves: PyTree, key: jax.Array | None
    ) -> tuple[Any, PyTree]:
        combined = eqx.combine(params, static)
        state = jax.tree.unflatten(state_structure, leaves)

        def one(x: Any, key: jax.Array | None) -> Any:
            arguments = (x, state) if has_state else (x,)
            result = combined(*arguments, **({"key": key} if takes_key else {}))
            return result if has_state else (result, state)

        examples = len(jax.tree.leaves(inputs)[0])
        keys = None if key is None or not takes_key else jax.random.split(key, examples)
        axes = (0, None if keys is None else 0)
        mapped = jax.vmap(one, in_axes=axes, out_axes=(0, None), axis_name=axis_name)
        predictions, state = mapped(inputs, keys)
        return predictions, state_leaves(state)

    def evaluate(params: PyTree, inputs: Any, state: PyTree) -> Any:
        return call(evaluation, params, inputs, state, evaluation_key())[0]

    def train(params: PyTree, inputs: Any, state: PyTree, key: jax.Array) -> tuple[Any, PyTree]:
        return call(training, params, inputs, state, key)

    def recompute(params: PyTree, inputs: Any, state: PyTree) -> Any:
        # From its initial state, a layer uses the statistics of the batch alone. A layer rejects
        # constants where it had traced values.
        initial = tuple(
            jnp.where(jnp.full(value.shape, True), first.astype(value.dtype), value)
            for first, value in zip(state_leaves(first_state), state, strict=True)
        )
        return call(with_batch_statistics, params, inputs, initial, evaluation_key())[0]

    return ModuleCalls(
        evaluate,
        train=train if has_state or takes_key else None,
        recompute=recompute if axis_name is not None else None,
    )


def with_state(built: Any) -> tuple[Any, eqx.nn.State]:
    """Returns a module and the initial state of its layers."""
    if isinstance(built, tuple):
        return built
    try:
        return eqx.nn.make_with_state(lambda: built)()
    except ValueError:
        raise UserError(
            "the module was built by `eqx.nn.make_with_state`, which took its initial state away",
            hint="return the pair (module, state), or the class of the module",
        ) from None


def before_training(module: Any, state: eqx.nn.State) -> eqx.nn.State:
    """Returns a state in which averages of batch statistics have not begun."""
    state = jax.tree.map(lambda leaf: leaf, state)  # `set` makes the state before it unusable
    for _, layer in _layers(module, eqx.nn.BatchNorm):
        if layer.ema_first_time_index is not None:
            state = state.set(layer.ema_first_time_index, jnp.asarray(True))
    return state


def state_leaves(state: eqx.nn.State) -> tuple[jax.Array, ...]:
    """Returns the arrays of a state; a counter that began as a Python number has a fixed type."""
    leaves = jax.tree.leaves(state)
    return tuple(jax.lax.convert_element_type(leaf, leaf.dtype) for leaf in leaves)


def split_module(module: Any) -> tuple[PyTree, PyTree]:
    """Returns the floating-point arrays of a module, and everything else."""
    return eqx.partition(module, eqx.is_inexact_array)


def _layers(module: Any, kinds: Any) -> list[tuple[str, Any]]:
    """Returns the layers of some kinds by their path in a module."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(
        module, is_leaf=lambda node: isinstance(node, kinds)
    )
    return [(path_of(path), node) for path, node in leaves if isinstance(node, kinds)]


def _with_batch_statistics(module: Any) -> Any:
    """Returns the module in evaluation, except that normalization uses the batch."""
    evaluated = eqx.nn.inference_mode(module, True)

    def inferences(tree: Any) -> list[Any]:
        nodes = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, eqx.nn.BatchNorm))
        return [node.inference for node in nodes if isinstance(node, eqx.nn.BatchNorm)]

    if not inferences(evaluated):
        return evaluated
    return eqx.tree_at(inferences, evaluated, replace_fn=lambda _: False)


def _batch_axis(module: Any) -> Hashable | None:
    names = {layer.axis_name for _, layer in _layers(module, eqx.nn.BatchNorm)}
    if len(names) > 1:
        message = f"the layers of batch normalization name {len(names)} axes: {names}"
        raise UserError(message, hint='give all of them one `axis_name`, such as "batch"')
    return next(iter(names), None)


def known_axes(module: Any) -> dict[str, int | None]:
    """Returns the axes of the parameters of known layers."""
    known: dict[str, int | None] = {}
    for prefix, layer in _layers(module, tuple(_LAYERS)):
        kind = next(kind for kind in _LAYERS if isinstance(layer, kind))
        for path, _ in jax.tree_util.tree_leaves_with_path(eqx.filter(layer, eqx.is_array)):
            name = path_of(path)
            known["/".join(filter(None, (prefix, name)))] = _LAYERS[kind].get(name)
    return known

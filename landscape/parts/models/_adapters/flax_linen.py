"""Modules of `flax.linen`: called with a batch, images with channels last."""

import inspect
from collections.abc import Callable
from typing import Any

import jax

from landscape.errors import UserError
from landscape.parts.models._adapters.filter_axes import Choice, KnownAxes, filter_axes, path_of
from landscape.parts.models._adapters.module_calls import ModuleCalls, model_of
from landscape.parts.models._adapters.shapes import Build, ModelShapes, channels_last, is_instance
from landscape.parts.models._build import Model

PyTree = Any
# Parameters of `__call__` that are true in training, and those that are false.
IN_TRAINING = ("train", "training", "is_training")
IN_EVALUATION = ("deterministic", "inference", "use_running_average")


def recognizes(value: Any) -> bool:
    """Returns whether a value is a linen module."""
    return is_instance(value, "flax.linen", "Module")


def adapt(build: Build, shapes: ModelShapes, choice: Choice) -> Model:
    """Returns the model of a linen module; all collections except `params` are its state."""
    module = build(jax.random.key(0))
    mode = mode_arguments(type(module).__call__)

    def variables(key: jax.Array) -> PyTree:
        inputs = channels_last(shapes.example)
        created = module.init({"params": key, "dropout": key}, inputs, **mode(False))
        return {name: created[name] for name in created if name != "intermediates"}

    def init(key: jax.Array) -> PyTree:
        return variables(key).get("params", {})

    def init_state(key: jax.Array) -> PyTree:
        return {name: tree for name, tree in variables(key).items() if name != "params"}

    state_shapes = jax.eval_shape(init_state, jax.random.key(0))
    calls = module_calls(module, state_shapes)
    if "batch_stats" in state_shapes and not mode(True):
        raise UserError(
            "the module has batch statistics, but its `__call__` cannot tell training from "
            "evaluation",
            hint="add a parameter `train: bool`, and `use_running_average=not train` to BatchNorm",
        )
    params_like, known = axes_by_layer(lambda: jax.eval_shape(init, jax.random.key(0)))
    return model_of(calls, init, init_state, filter_axes(params_like, known, choice), shapes)


def module_calls(module: Any, state: PyTree) -> ModuleCalls:
    """Returns the calls of a linen module; `state` has its collections other than `params`."""
    from flax import linen

    mode = mode_arguments(type(module).__call__)

    def call(
        params: PyTree, inputs: Any, state: PyTree, training: bool, key: jax.Array | None
    ) -> tuple[Any, PyTree]:
        rngs = None if key is None else {"params": key, "dropout": key}
        arguments = {"params": params, **dict(state)}, inputs
        if not (training and state):
            return module.apply(*arguments, rngs=rngs, **mode(training)), state
        predictions, updated = module.apply(
            *arguments, rngs=rngs, mutable=list(state), **mode(training)
        )
        return predictions, dict(updated)

    def recompute(params: PyTree, inputs: Any, state: PyTree) -> Any:
        with linen.intercept_methods(_without_dropout):
            return call(params, inputs, state, True, jax.random.key(0))[0]

    is_plain = not state and not mode(True)
    return ModuleCalls(
        evaluate=lambda params, inputs, state: call(params, inputs, state, False, None)[0],
        train=None
        if is_plain
        else lambda params, inputs, state, key: call(params, inputs, state, True, key),
        recompute=recompute if "batch_stats" in state and mode(True) else None,
    )


def mode_arguments(function: Callable[..., Any]) -> Callable[[bool], dict[str, bool]]:
    """`arguments(training)`: by name, those that tell a function whether it is in training."""
    names = inspect.signature(function).parameters

    def arguments(training: bool) -> dict[str, bool]:
        values = dict.fromkeys(IN_TRAINING, training) | dict.fromkeys(IN_EVALUATION, not training)
        return {name: value for name, value in values.items() if name in names}

    return arguments


def _without_dropout(call: Callable, arguments: tuple, keywords: dict, context: Any) -> Any:
    from flax import linen

    if isinstance(context.module, linen.Dropout) and context.method_name == "__call__":
        return arguments[0]
    return call(*arguments, **keywords)


def axes_by_layer(trace: Callable[[], PyTree]) -> tuple[PyTree, dict[str, int | None]]:
    """Returns the parameters that `trace()` returns, and the axes of those of known layers.

    `trace` calls the module, so that its layers are seen.
    """
    from flax import linen

    layers: dict[Any, dict[str, int]] = {
        (linen.Dense, linen.Conv, linen.ConvTranspose): {"kernel": -1},
        (linen.Embed,): {"embedding": -1},
        (linen.BatchNorm, linen.LayerNorm, linen.GroupNorm, linen.RMSNorm): {},
        (linen.InstanceNorm, linen.PReLU): {},
    }
    axes_of: dict[str, dict[str, int]] = {}

    def record(call: Callable, arguments: tuple, keywords: dict, context: Any) -> Any:
        module, path = context.module, "/".join(context.module.path)
        if isinstance(module, linen.DenseGeneral):
            # Of several axes of outputs the first, such as the heads of an attention.
            features = module.features
            axes_of[path] = {"kernel": -1 if isinstance(features, int) else -len(features)}
        if isinstance(module, linen.OptimizedLSTMCell):
            axes_of.update({f"{path}/{a}{b}": {"kernel": -1} for a in "ih" for b in "ifgo"})
        for kinds, axes in layers.items():
            if isinstance(module, kinds):
                axes_of[path] = axes
        return call(*arguments, **keywords)

    with linen.intercept_methods(record):
        params = trace()
    known: dict[str, int | None] = {}
    for path, _ in jax.tree_util.tree_leaves_with_path(params):
        *steps, name = (str(step.key) for step in path)
        if "/".join(steps) in axes_of:
            known["/".join((*steps, name))] = axes_of["/".join(steps)].get(name)
    return params, known


def axes_by_name(params: PyTree) -> KnownAxes:
    """Returns the axes of the parameters that have names of linen's layers.

    `kernel` and `embedding` have their outputs last. An attention has a filter per head.
    """
    known: dict[str, int | None] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        *steps, name = (str(step.key) for step in path)
        if name in ("kernel", "embedding"):
            per_head = steps and steps[-1] in ("query", "key", "value") and leaf.ndim > 2
            known[path_of(path)] = -2 if per_head else -1
        elif name in ("bias", "scale"):
            known[path_of(path)] = None
    return known

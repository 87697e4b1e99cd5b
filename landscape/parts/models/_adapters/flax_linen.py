"""Modules of `flax.linen`: called with a batch, images with channels last."""

import inspect
from collections.abc import Callable
from typing import Any

import jax

from landscape.errors import UserError
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
# Parameters of `__call__` that are true in training, and those that are false.
IN_TRAINING = ("train", "training", "is_training")
IN_EVALUATION = ("deterministic", "inference", "use_running_average")


def recognizes(value: Any) -> bool:
    """Returns whether a value is a linen module."""
    return is_instance(value, "flax.linen", "Module")


def adapt(build: Build, shapes: ModelShapes, choice: Choice) -> Model:
    """Returns the model of a linen module; all collections except `params` are its state."""
    from flax import linen

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

    def call(
        params: PyTree, inputs: jax.Array, state: PyTree, training: bool, key: jax.Array | None
    ) -> tuple[jax.Array, PyTree]:
        rngs = None if key is None else {"params": key, "dropout": key}
        arguments = {"params": params, **state}, channels_last(inputs)
        if not (training and state):
            return fitted(module.apply(*arguments, rngs=rngs, **mode(training)), shapes), state
        predictions, updated = module.apply(
            *arguments, rngs=rngs, mutable=list(state), **mode(training)
        )
        return fitted(predictions, shapes), dict(updated)

    def apply(params: PyTree, inputs: jax.Array, state: PyTree = {}) -> jax.Array:  # noqa: B006
        return call(params, inputs, state, False, None)[0]

    def recompute(params: PyTree, inputs: jax.Array, state: PyTree) -> jax.Array:
        with linen.intercept_methods(_without_dropout):
            return call(params, inputs, state, True, jax.random.key(0))[0]

    shapes_of_params, known = _known_axes(init)
    state_shapes = jax.eval_shape(init_state, jax.random.key(0))
    if "batch_stats" in state_shapes and not mode(True):
        raise UserError(
            "the module has batch statistics, but its `__call__` cannot tell training from "
            "evaluation",
            hint="add a parameter `train: bool`, and `use_running_average=not train` to BatchNorm",
        )
    axes = filter_axes(shapes_of_params, known, choice)
    training = TrainingMode(
        init=init_state,
        apply=lambda params, inputs, state, key: call(params, inputs, state, True, key),
        recompute=recompute if "batch_stats" in state_shapes else None,
    )
    is_plain = not state_shapes and not mode(True)
    return Model(init, apply, lambda params: axes, training=None if is_plain else training)


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


def _known_axes(init: Callable[[jax.Array], PyTree]) -> tuple[PyTree, dict[str, int | None]]:
    """Returns the shapes of the parameters, and the axes of those of known layers by path."""
    from flax import linen

    layers: dict[Any, dict[str, int]] = {
        (linen.Dense, linen.Conv, linen.ConvTranspose): {"kernel": -1},
        (linen.Embed,): {"embedding": -1},
        (linen.BatchNorm, linen.LayerNorm, linen.GroupNorm, linen.RMSNorm, linen.PReLU): {},
    }
    axes_of: dict[str, dict[str, int]] = {}

    def record(call: Callable, arguments: tuple, keywords: dict, context: Any) -> Any:
        module, path = context.module, "/".join(context.module.path)
        if isinstance(module, linen.DenseGeneral) and isinstance(module.features, int):
            axes_of[path] = {"kernel": -1}
        for kinds, axes in layers.items():
            if isinstance(module, kinds):
                axes_of[path] = axes
        return call(*arguments, **keywords)

    with linen.intercept_methods(record):
        shapes = jax.eval_shape(init, jax.random.key(0))
    known: dict[str, int | None] = {}
    for path, _ in jax.tree_util.tree_leaves_with_path(shapes):
        *steps, name = (str(step.key) for step in path)
        if "/".join(steps) in axes_of:
            known["/".join((*steps, name))] = axes_of["/".join(steps)].get(name)
    return shapes, known

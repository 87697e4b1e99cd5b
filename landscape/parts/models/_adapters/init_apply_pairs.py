"""Pairs `(init, apply)` as of Haiku: `init(key, inputs)`, `apply(params, [state,] [key,] inputs)`.

The parameters of `apply` before the inputs are recognized by their names: `state`, and `rng` or
`key`. With a state, `init` returns `(params, state)` and `apply` `(predictions, state)`.
"""

import inspect
from collections.abc import Callable
from typing import Any

import jax

from landscape.parts.models._adapters.filter_axes import Choice, filter_axes
from landscape.parts.models._adapters.flax_linen import IN_TRAINING, mode_arguments
from landscape.parts.models._adapters.shapes import Build, ModelShapes, channels_last, fitted
from landscape.parts.models._build import Model, TrainingMode

PyTree = Any
Mode = Callable[[bool], dict[str, bool]]
_KEYS = ("rng", "key", "rng_key")


def recognizes(value: Any) -> bool:
    """Returns whether a value is a pair of functions."""
    return isinstance(value, tuple) and len(value) == 2 and all(map(callable, value))


def adapt(build: Build, shapes: ModelShapes, choice: Choice) -> Model:
    """Returns the model of a pair. Images of a pair of Haiku have channels last.

    No layer of a pair is known, so `choice` decides the axes of its weights.
    """
    pair = build(jax.random.key(0))
    init_pair, apply_pair = pair
    is_haiku = type(pair).__module__.partition(".")[0] == "haiku"
    names = [*inspect.signature(apply_pair).parameters][1:3]
    has_state, takes_key = "state" in names, any(name in _KEYS for name in names)
    mode = _mode(init_pair, apply_pair, shapes)

    def laid_out(inputs: jax.Array) -> jax.Array:
        return channels_last(inputs) if is_haiku else inputs

    def variables(key: jax.Array) -> tuple[PyTree, PyTree]:
        takes_inputs = len(_required(init_pair)) > 1
        arguments = (key, laid_out(shapes.example)) if takes_inputs else (key,)
        created = init_pair(*arguments, **(mode(True) if takes_inputs else {}))
        return created if has_state else (created, ())

    def call(
        params: PyTree, inputs: jax.Array, state: PyTree, training: bool, key: jax.Array
    ) -> tuple[jax.Array, PyTree]:
        before = [state] if has_state else []
        values = {name: key for name in names if name in _KEYS}
        keys = [values[name] for name in names if name in values]
        result = apply_pair(params, *before, *keys, laid_out(inputs), **mode(training))
        predictions, state = result if has_state else (result, state)
        return fitted(predictions, shapes), state

    def apply(params: PyTree, inputs: jax.Array, state: PyTree = ()) -> jax.Array:
        return call(params, inputs, state, False, jax.random.key(0))[0]

    def recompute(params: PyTree, inputs: jax.Array, state: PyTree) -> jax.Array:
        # A pair does not show its layers: dropout has the same units at every point.
        return call(params, inputs, state, True, jax.random.key(0))[0]

    axes = filter_axes(jax.eval_shape(variables, jax.random.key(0))[0], {}, choice)
    training = TrainingMode(
        init=lambda key: variables(key)[1],
        apply=lambda params, inputs, state, key: call(params, inputs, state, True, key),
        recompute=recompute if has_state and mode(True) else None,
    )
    return Model(
        init=lambda key: variables(key)[0],
        apply=apply,
        filter_axes=lambda params: axes,
        training=training if has_state or takes_key or mode(True) else None,
    )


def _required(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [p.name for p in parameters if p.kind in kinds and p.default is p.empty]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        required.append("inputs")
    return required


def _mode(init: Callable[..., Any], apply: Callable[..., Any], shapes: ModelShapes) -> Mode:
    """`arguments(training)` that tell `apply` its mode, tried if it takes any keyword."""
    parameters = inspect.signature(apply).parameters.values()
    named = mode_arguments(apply)
    if named(True) or not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return named
    return next((mode for mode in map(_told, IN_TRAINING) if _takes(init, mode, shapes)), named)


def _told(name: str) -> Mode:
    """`arguments(training)` with one argument of this name."""
    return lambda training: {name: training}


def _takes(init: Callable[..., Any], mode: Mode, shapes: ModelShapes) -> bool:
    def create(key: jax.Array) -> PyTree:
        return init(key, channels_last(shapes.example), **mode(True))

    try:
        jax.eval_shape(create, jax.random.key(0))
    except TypeError:
        return False
    return True

"""Pairs `(init, apply)` as of Haiku: `init(key, inputs)`, `apply(params, [state,] [key,] inputs)`.

The parameters of `apply` before the inputs are recognized by their names: `state`, and `rng` or
`key`. With a state, `init` returns `(params, state)` and `apply` `(predictions, state)`.
"""

import inspect
from collections.abc import Callable
from typing import Any

import jax

from landscape.parts.models._adapters.filter_axes import Choice, KnownAxes, filter_axes, path_of
from landscape.parts.models._adapters.flax_linen import IN_TRAINING, mode_arguments
from landscape.parts.models._adapters.module_calls import ModuleCalls, model_of
from landscape.parts.models._adapters.shapes import Build, ModelShapes, channels_last
from landscape.parts.models._build import Model

PyTree = Any
Mode = Callable[[bool], dict[str, bool]]
_KEYS = ("rng", "key", "rng_key")


def recognizes(value: Any) -> bool:
    """Returns whether a value is a pair of functions."""
    return isinstance(value, tuple) and len(value) == 2 and all(map(callable, value))


def adapt(build: Build, shapes: ModelShapes, choice: Choice) -> Model:
    """Returns the model of a pair. Images of a pair of Haiku have channels last.

    No layer of a pair is known except those of Haiku, so `choice` decides the axes of its weights.
    """
    pair = build(jax.random.key(0))
    init_pair, apply_pair = pair
    is_haiku = type(pair).__module__.partition(".")[0] == "haiku"
    mode = _mode(init_pair, apply_pair, shapes)
    has_state = takes_state(apply_pair)

    def laid_out(inputs: jax.Array) -> jax.Array:
        return channels_last(inputs) if is_haiku else inputs

    def variables(key: jax.Array) -> tuple[PyTree, PyTree]:
        takes_inputs = len(_required(init_pair)) > 1
        arguments = (key, laid_out(shapes.example)) if takes_inputs else (key,)
        created = init_pair(*arguments, **(mode(True) if takes_inputs else {}))
        return created if has_state else (created, ())

    params_like = jax.eval_shape(variables, jax.random.key(0))[0]
    known = haiku_axes(params_like) if is_haiku else {}
    return model_of(
        pair_calls(apply_pair, mode),
        init=lambda key: variables(key)[0],
        init_state=lambda key: variables(key)[1],
        axes=filter_axes(params_like, known, choice),
        shapes=shapes,
        laid_out=laid_out,
    )


def pair_calls(apply_pair: Callable[..., Any], mode: Mode) -> ModuleCalls:
    """Returns the calls of the `apply` of a pair."""
    names = _before_inputs(apply_pair)
    has_state, takes_key = takes_state(apply_pair), any(name in _KEYS for name in names)

    def call(
        params: PyTree, inputs: Any, state: PyTree, training: bool, key: jax.Array
    ) -> tuple[Any, PyTree]:
        before = [state] if has_state else []
        keys = [key for name in names if name in _KEYS]
        result = apply_pair(params, *before, *keys, inputs, **mode(training))
        return result if has_state else (result, state)

    def evaluate(params: PyTree, inputs: Any, state: PyTree) -> Any:
        return call(params, inputs, state, False, jax.random.key(0))[0]

    def train(params: PyTree, inputs: Any, state: PyTree, key: jax.Array) -> tuple[Any, PyTree]:
        return call(params, inputs, state, True, key)

    def recompute(params: PyTree, inputs: Any, state: PyTree) -> Any:
        # A pair does not show its layers: dropout has the same units at every point.
        return call(params, inputs, state, True, jax.random.key(0))[0]

    return ModuleCalls(
        evaluate,
        train=train if has_state or takes_key or mode(True) else None,
        recompute=recompute if has_state and mode(True) else None,
    )


def takes_state(apply_pair: Callable[..., Any]) -> bool:
    """Returns whether `apply` has a state, and returns the next one."""
    return "state" in _before_inputs(apply_pair)


def haiku_axes(params: PyTree) -> KnownAxes:
    """Returns the axes of the parameters that have names of Haiku's layers.

    `w` and `embeddings` have their outputs last, except in transposed convolutions.
    """
    known: dict[str, int | None] = {}
    for path, _ in jax.tree_util.tree_leaves_with_path(params):
        module, name = (str(step.key) for step in path)
        if name in ("w", "embeddings"):
            known[path_of(path)] = -2 if "transpose" in module.rpartition("/")[2] else -1
        elif name in ("b", "scale", "offset"):
            known[path_of(path)] = None
    return known


def _before_inputs(apply_pair: Callable[..., Any]) -> list[str]:
    return [*inspect.signature(apply_pair).parameters][1:3]


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

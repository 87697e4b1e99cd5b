"""A model from whatever a config may name: a function, a class, an instance or a pair."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax

from landscape.errors import UserError
from landscape.parts.models._adapters import (
    equinox_modules,
    flax_linen,
    flax_nnx,
    init_apply_pairs,
    keras_models,
)
from landscape.parts.models._adapters.filter_axes import Choice
from landscape.parts.models._adapters.shapes import Build, ModelShapes
from landscape.parts.models._build import Model

_ADAPTERS = (flax_linen, flax_nnx, keras_models, equinox_modules, init_apply_pairs)


def as_model(
    value: Any,
    options: Mapping[str, Any],
    shapes: ModelShapes,
    choice: Choice = None,
    name: str = "the function",
) -> Model:
    """Returns the model of a function or class, called with its options, or of an instance.

    Functions and classes receive what they have a parameter for: `input_shape`, `outputs`,
    `output_shape`, `vocabulary`, `key` (of JAX) and `rngs` (of nnx). The first two parameters of a
    function that have no default and another name receive `input_shape` and `outputs`. `choice` is
    described in `filter_axes`; `name` is for messages. Raises UserError if there is no model.
    """
    build = _builder(value, options, shapes)
    built = build(jax.random.key(0))
    if isinstance(built, Model):
        if choice is not None:
            message = "`filter_axes` is set, but the model states the axes of its weights itself"
            raise UserError(message, hint="remove `filter_axes`")
        return built
    adapter = next((adapter for adapter in _ADAPTERS if adapter.recognizes(built)), None)
    if adapter is None:
        raise UserError(
            f"{name} returns {type(built).__name__}, expected a Model",
            hint="return landscape.parts.models.Model(...), a module of Equinox, Flax or Keras, or "
            "a pair (init, apply)",
        )
    return adapter.adapt(build, shapes, choice)


def is_model(value: Any) -> bool:
    """Returns whether a value is a model already, rather than what builds one."""
    return isinstance(value, Model) or any(adapter.recognizes(value) for adapter in _ADAPTERS)


def _builder(value: Any, options: Mapping[str, Any], shapes: ModelShapes) -> Build:
    if not inspect.isclass(value) and is_model(value):
        return lambda key: value
    parameters = _parameters(value)
    arguments: dict[str, Any] = {
        "input_shape": shapes.input_shape,
        "outputs": shapes.outputs,
        "output_shape": shapes.output_shape,
        "vocabulary": shapes.vocabulary,
    }
    runtime = {n: v for n, v in arguments.items() if n in parameters and n not in options}
    positional = [] if inspect.isclass(value) else _leading(parameters)
    for name, argument in zip(positional[:2], ("input_shape", "outputs"), strict=False):
        if name not in (*arguments, "key", "rngs", *options):
            runtime[name] = arguments[argument]

    def build(key: jax.Array) -> Any:
        keys: dict[str, Callable[[], Any]] = {"key": lambda: key, "rngs": lambda: _rngs(key)}
        drawn = {n: make() for n, make in keys.items() if n in parameters and n not in options}
        return value(**runtime, **drawn, **options)

    return build


def _rngs(key: jax.Array) -> Any:
    from flax import nnx

    return nnx.Rngs(key)


def _parameters(value: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    # A metaclass may hide the parameters of a class.
    function = value.__init__ if inspect.isclass(value) else value
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _leading(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Returns the first parameters that may be passed by position and have no default."""
    names = []
    for parameter in parameters.values():
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            break
        if parameter.default is not parameter.empty:
            break
        names.append(parameter.name)
    return names

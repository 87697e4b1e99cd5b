"""The adapter for Equinox."""

from typing import Any

import equinox as eqx
import jax

from landscape.adapters.adapted_model import AdaptedModel, adapted_model, check_instance
from landscape.errors import UserError
from landscape.parts.models._adapters import equinox_modules
from landscape.parts.models._adapters.filter_axes import Choice

PyTree = Any


def equinox(module: Any, state: Any = None, *, filter_axes: Choice = None) -> AdaptedModel:
    """Returns a trained module of Equinox as a function `apply(params, inputs)` of a batch.

    `module` takes one example; `state` is what `eqx.nn.make_with_state` and training returned,
    for modules with batch normalization. Floating-point arrays are the parameters. The module is
    called as by `eqx.nn.inference_mode`. `filter_axes` states the axes of weights of layers that
    are not known: `first`, `last`, or a function of the parameters.

    Raises UserError if the module needs a state, or the axes of a weight are not known.
    """
    if isinstance(module, tuple) and len(module) == 2 and state is None:
        module, state = module
    check_instance(module, eqx.Module, "equinox", "adapters.equinox(Net(key=key))")
    if state is None:
        _check_stateless(module)
        state = eqx.nn.State(())
    if not isinstance(state, eqx.nn.State):
        message = f"`state` is {type(state).__name__}, expected the `eqx.nn.State` of the module"
        raise UserError(message, hint="call it as `adapters.equinox(module, state)`")
    params, _ = equinox_modules.split_module(module)
    axes = equinox_modules.known_axes(module)
    state = _usable(state)
    return adapted_model(
        equinox_modules.module_calls(module, equinox_modules.before_training(module, state)),
        params,
        equinox_modules.state_leaves(state),
        lambda params: axes,
        filter_axes,
        f"equinox {type(module).__name__}",
    )


def _check_stateless(module: Any) -> None:
    """Raises UserError if layers of a module have a state."""
    nodes = jax.tree.leaves(module, is_leaf=_is_index)
    if any(map(_is_index, nodes)):
        raise UserError(
            "the module has layers with a state, such as batch normalization",
            hint="pass the state of training: `adapters.equinox(module, state)`",
        )


def _is_index(node: Any) -> bool:
    return isinstance(node, eqx.nn.StateIndex)


def _usable(state: eqx.nn.State) -> eqx.nn.State:
    """Returns a copy of a state. Raises UserError if a later one replaced it."""
    try:
        copied: eqx.nn.State = jax.tree.map(lambda leaf: leaf, state)
    except ValueError:
        raise UserError(
            "the state is an old one: a layer has replaced it by its next state",
            hint="pass the state that the last call of the module returned",
        ) from None
    return copied

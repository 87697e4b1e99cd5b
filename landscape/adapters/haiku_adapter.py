"""The adapter for Haiku."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from landscape.adapters.adapted_model import AdaptedModel, adapted_model
from landscape.errors import UserError
from landscape.parts.models._adapters import init_apply_pairs
from landscape.parts.models._adapters.filter_axes import Choice
from landscape.parts.models._adapters.flax_linen import mode_arguments

PyTree = Any


def haiku(
    transformed: Any, params: PyTree, state: PyTree = None, *, filter_axes: Choice = None
) -> AdaptedModel:
    """Returns a trained function of Haiku as a function `apply(params, inputs)`.

    `transformed` is the result of `hk.transform` or `hk.transform_with_state`, with the trained
    `params` and `state`. A parameter such as `is_training` is set for evaluation. Axes are those of
    the names of Haiku's layers (`w`, `b`, `embeddings`, `scale`, `offset`); `filter_axes` states
    those of other weights: `first`, `last`, or a function of the parameters. Recomputed batch
    statistics come with a fixed dropout, since a pair of functions does not show its layers.

    Raises UserError if the parameters do not fit, or the axes of a weight are not known.
    """
    if not init_apply_pairs.recognizes(transformed):
        kind = getattr(transformed, "__name__", type(transformed).__name__)
        raise UserError(
            f"`adapters.haiku` takes a pair (init, apply), not `{kind}`",
            hint="call it as `adapters.haiku(hk.transform(function), params)`",
        )
    apply_pair = transformed[1]
    _check_state(init_apply_pairs.takes_state(apply_pair), state)
    _check_params(params)
    calls = init_apply_pairs.pair_calls(apply_pair, mode_arguments(apply_pair))
    calls = calls._replace(evaluate=_explained(calls.evaluate))
    name = f"haiku {getattr(apply_pair, '__name__', 'function')}"
    return adapted_model(
        calls,
        params,
        () if state is None else state,
        init_apply_pairs.haiku_axes,
        filter_axes,
        name,
    )


def _check_state(is_taken: bool, state: PyTree) -> None:
    if is_taken and state is None:
        raise UserError(
            "the function has a state, such as batch statistics",
            hint="pass the state of training: `adapters.haiku(transformed, params, state)`",
        )
    if not is_taken and jax.tree.leaves(state):
        raise UserError(
            "a state is passed, but `apply` of the function has no parameter `state`",
            hint="use `hk.transform_with_state`, or leave the state out",
        )


def _check_params(params: PyTree) -> None:
    if not isinstance(params, Mapping) or not all(isinstance(v, Mapping) for v in params.values()):
        raise UserError(
            f"`params` is {type(params).__name__}, expected a dict of dicts: module, then name",
            hint="pass the parameters that `transformed.init` returned and training updated",
        )


def _explained(call: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a call whose errors of missing parameters are in the words of this package."""

    def explained(*arguments: Any) -> Any:
        try:
            return call(*arguments)
        except ValueError as error:
            text = str(error)
            if "Unable to retrieve parameter" in text or "does not match shape" in text:
                hint = "pass the parameters of this function, with the options of its training"
                message = f"the parameters do not fit the function: {text.splitlines()[0]}"
                raise UserError(message, hint=hint) from None
            raise

    return explained

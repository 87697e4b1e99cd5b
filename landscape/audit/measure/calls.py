"""Calls a user's loss by its convention, and reads the loss from what it returns."""

from collections.abc import Callable, Mapping
from typing import Any

from landscape.audit.measure.domains import Arguments
from landscape.errors import UserError, nearest
from landscape.numerics.loss_arguments import name_of
from landscape.numerics.user_calls import definition

Array = Any
CALLS = ("predictions-targets", "model-inputs-targets", "params-batch")
_LOSS_KEYS = ("loss", "total_loss", "total")


class Identity:
    """A model that predicts its inputs; as `model(x)` or `model.apply(params, x)`."""

    def __call__(self, inputs: Array, *_: Any, **__: Any) -> Array:
        """Returns the inputs."""
        return inputs

    def apply(self, _params: Any, inputs: Array, *_: Any, **__: Any) -> Array:
        """Returns the inputs."""
        return inputs


def with_targets(
    function: Callable, convention: str, *, targets_first: bool
) -> Callable[[Array, Any], Any]:
    """Returns a function of predictions and targets, which may be `Arguments`.

    It returns what the user's function returns. Under `model-inputs-targets` the model predicts its
    inputs.
    """

    def call(predictions: Array, targets: Any) -> Any:
        values, fields = targets if isinstance(targets, Arguments) else (targets, {})
        if convention == "model-inputs-targets":
            return function(Identity(), predictions, values, **fields)
        if targets_first:
            return function(values, predictions, **fields)
        return function(predictions, values, **fields)

    return call


def loss_of(returned: Any, result: str | None, function: Callable) -> Any:
    """Returns the loss: an array, the first entry of a tuple, or an entry of a dictionary.

    Raises UserError if a dictionary has no entry `result`, or none with a usual name.
    """
    if isinstance(returned, tuple | list) and len(returned) > 1:
        return returned[0]
    if not isinstance(returned, Mapping):
        return returned
    names = [str(key) for key in returned]
    key = _loss_key(returned, result)
    if key in returned:
        return returned[key]
    text = f"`{name_of(function)}` returns a dictionary with {', '.join(names) or 'no entries'}"
    hint = nearest(result, names) if result else "name its loss with `--result KEY`"
    raise UserError(text, place=definition(function), hint=hint)


def result_note(returned: Any, result: str | None) -> str | None:
    """Returns a note on which part of the result is audited; None if it is all of it."""
    if isinstance(returned, tuple | list) and len(returned) > 1:
        return "it returns several values: the first is audited, the others are taken for metrics"
    if isinstance(returned, Mapping):
        return f"its entry `{_loss_key(returned, result)}` is audited (--result decides)"
    return None


def _loss_key(returned: Mapping, result: str | None) -> str | None:
    return result or next((key for key in _LOSS_KEYS if key in returned), None)

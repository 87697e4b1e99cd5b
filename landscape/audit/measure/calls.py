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
    """Returns the loss: an array, the first of `(loss, metrics)`, or the entry named `result`.

    Raises UserError if several values are returned, and none is known to be the loss.
    """
    if not _is_several(returned):
        return returned
    entries = _entries(returned)
    key = _loss_key(returned, result)
    if key in entries:
        return entries[key]
    kind = "a dictionary" if isinstance(returned, Mapping) else f"a {type(returned).__name__}"
    usage = f"name its loss with `--result {next(iter(entries), 'KEY')}`, or return (loss, metrics)"
    raise UserError(
        f"`{name_of(function)}` returns {kind} with {', '.join(entries) or 'no entries'}",
        place=definition(function),
        hint=(nearest(result, list(entries)) if result else None) or usage,
    )


def result_note(returned: Any, result: str | None) -> str | None:
    """Returns a note on which part of the result is audited; None if it is all of it."""
    if not _is_several(returned):
        return None
    key = _loss_key(returned, result)
    return f"of what it returns, the entry `{key}` is audited (--result decides)"


def _is_several(returned: Any) -> bool:
    return isinstance(returned, Mapping | tuple | list)


def _entries(returned: Any) -> dict[str, Any]:
    if isinstance(returned, Mapping):
        return {str(key): value for key, value in returned.items()}
    return {str(number): value for number, value in enumerate(returned)}


def _loss_key(returned: Any, result: str | None) -> str | None:
    """Returns the entry that is the loss; None if it is unknown."""
    if result is not None:
        return result
    if isinstance(returned, Mapping):
        return next((key for key in _LOSS_KEYS if key in returned), None)
    is_pair = len(returned) == 2 and isinstance(returned[1], Mapping)
    return "0" if is_pair else None

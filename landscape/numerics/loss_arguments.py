"""How a loss is called: the one rule of the order and the names of its arguments.

Training, the audit and `landscape.testing` all use it. It reads signatures only: nothing is called.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from landscape.errors import UserError, nearest
from landscape.numerics.user_calls import definition

First = TypeVar("First")
Second = TypeVar("Second")

ORDERS = ("auto", "predictions-first", "targets-first")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
# Words of names of parameters in libraries and papers.
_TARGETS = {"true", "target", "targets", "label", "labels", "truth", "gt"}
_PREDICTIONS = {"pred", "preds", "prediction", "predictions", "predicted", "logit", "logits"}
_PREDICTIONS |= {"hat", "yhat", "output", "outputs", "score", "scores", "prob", "probs"}
_PREDICTIONS |= {"probability", "probabilities", "estimate", "estimates", "forecast"}
# Of distillation: these words decide beside any other, as in `teacher_probs`.
_STUDENT, _TEACHER = {"student"}, {"teacher"}
# Names that mean one or the other only beside a name that is clear.
_OFTEN_TARGETS = {"y", "t", "mask", "masks", "actual"}
_OFTEN_PREDICTIONS = {"p", "input"}
# What a target named `y` is compared with: distances, similarities, outputs of a network.
_BESIDE_Y = {"d", "dist", "distance", "distances", "sim", "similarity", "cosine", "x", "z", "f"}


class LossArguments(NamedTuple):
    """How a loss is called: which of its first two parameters are the targets, and its fields.

    `names` are those of the first two parameters, empty if the signature is unknown. `fields` are
    arrays of the dataset that the loss receives by name, beside its options.
    """

    names: tuple[str, ...] = ()
    targets_first: bool = False
    fields: tuple[str, ...] = ()

    def ordered(self, predictions: First, targets: Second) -> tuple[First | Second, ...]:
        """Returns predictions and targets in the order of the loss's parameters."""
        return (targets, predictions) if self.targets_first else (predictions, targets)

    def describe(self) -> str:
        """Returns the arguments as a call: `(y_true=targets, y_pred=predictions, mask=mask)`."""
        roles = self.ordered("predictions", "targets")
        names = self.names if len(self.names) == 2 else roles
        pairs = [*zip(names, roles, strict=True), *zip(self.fields, self.fields, strict=True)]
        return f"({', '.join(f'{name}={value}' for name, value in pairs)})"


def loss_arguments(
    function: Callable,
    *,
    order: str = "auto",
    options: Collection[str] = (),
    fields: Collection[str] | None = None,
    what: str = "loss",
) -> LossArguments:
    """Returns how a loss is called: predictions and targets first, then fields by name.

    With `order="auto"` the targets come first if the names of the first two parameters say so. Each
    further parameter receives the field of its name, unless it is one of the `options`, which the
    config sets. `fields` None: those of the dataset are unknown. `what` is the word for the
    function in errors: a metric of predictions and targets is called in the same way.

    Raises UserError if the function takes fewer than two arguments, or requires one that is neither
    an option nor a field.
    """
    if order not in ORDERS:
        raise UserError(f"unknown order `{order}`", hint=nearest(order, ORDERS))
    parameters = parameters_of(function)
    if parameters is None:
        return LossArguments(targets_first=order == "targets-first")
    positional = [p for p in parameters.values() if p.kind in POSITIONAL]
    if len(positional) < 2 and not any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
        raise _too_few(function, [p.name for p in positional], fields, what)
    names = tuple(p.name for p in positional[:2])
    others = [*positional[2:], *(p for p in parameters.values() if p.kind is p.KEYWORD_ONLY)]
    free = [p for p in others if p.name not in options]
    by_name = [p.name for p in free if p.name in (fields or ()) and p.kind is not p.POSITIONAL_ONLY]
    missing = [p.name for p in free if p.default is p.empty and p.name not in by_name]
    if missing:
        raise _missing(function, missing, fields, what)
    first = names_say_targets_first(names) if order == "auto" else order == "targets-first"
    return LossArguments(names, first, tuple(by_name))


def options_beside(
    fields: Collection[str], function: Callable, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the options of a loss without those whose place a field takes.

    These are defaults, also those that the config has filled in.
    """
    parameters = parameters_of(function) or {}
    return {
        name: value
        for name, value in options.items()
        if name not in fields or name not in parameters or value != parameters[name].default
    }


def names_say_targets_first(names: Sequence[str]) -> bool:
    """Returns whether the names of two parameters say that targets come before predictions.

    One clear name decides unless the other contradicts it: `(labels, x)` and `(d, y_pred)` have the
    targets first, as have `(y, p)` and `(y, distance)`; `(y, t)` and `(a, b)` say nothing, and have
    the predictions first.
    """
    if len(names) < 2:
        return False
    first, second = map(_role, names)
    if first is None and names[0].lower() in _OFTEN_TARGETS and second != "targets":
        beside = names[1].lower()
        is_y = names[0].lower() == "y"
        is_often = beside in _OFTEN_PREDICTIONS or (is_y and beside in _BESIDE_Y)
        return second == "predictions" or is_often
    is_clear = first == "targets" or second == "predictions"
    return is_clear and first != "predictions" and second != "targets" and not _hinted(names)


def _hinted(names: Sequence[str]) -> bool:
    """Returns whether an unclear name beside a clear one says that predictions come first."""
    return names[0].lower() in _OFTEN_PREDICTIONS or names[1].lower() in _OFTEN_TARGETS


def _role(name: str) -> str | None:
    """Returns `targets` or `predictions` if the words of a name say so, else None."""
    words = set(name.lower().split("_"))
    if bool(words & _STUDENT) != bool(words & _TEACHER):
        return "targets" if words & _TEACHER else "predictions"
    if bool(words & _TARGETS) == bool(words & _PREDICTIONS):
        return None
    return "targets" if words & _TARGETS else "predictions"


def parameters_of(function: Callable) -> Mapping[str, inspect.Parameter] | None:
    """Returns the parameters of a function by name; None if its signature is unknown."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None


def name_of(function: Callable) -> str:
    """Returns the name of a function, also of one bound by functools.partial."""
    inner: Any = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    return getattr(inner, "__name__", type(inner).__name__)


def _too_few(
    function: Callable, names: list[str], fields: Collection[str] | None, what: str
) -> UserError:
    hint = "for a function of one argument use `--kind activation` or `--kind function`"
    if fields is not None:
        hint = (
            f"for a class, or a function that returns a {what}, define "
            "`f(predictions, targets, *, option=...)` that calls it"
        )
    return UserError(
        f"`{name_of(function)}` takes too few arguments by position "
        f"({', '.join(names) or 'none'}); a {what} takes predictions and targets",
        place=definition(function),
        hint=hint,
    )


def _missing(
    function: Callable, names: list[str], fields: Collection[str] | None, what: str
) -> UserError:
    name, listed = names[0], ", ".join(names)
    if fields is None:
        return UserError(
            f"`{name_of(function)}` requires other arguments: {listed}",
            place=definition(function),
            hint=f"set `--option {name}=VALUE`, or bind it with functools.partial",
        )
    known = f"fields of the dataset: {', '.join(fields)}" if fields else "the dataset has no fields"
    return UserError(
        f"{what} `{name_of(function)}` requires `{listed}`, which is neither an option in the "
        "config nor a field of the dataset",
        place=definition(function),
        hint=f"{known}; to make it an option, write `{name}: VALUE` beside the name of the {what}",
    )

"""Infers how to audit a function from its arguments and results, and checks them."""

import contextlib
import functools
import inspect
import io
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from landscape.errors import UserError, nearest
from landscape.numerics.user_calls import definition

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_ORDERS = ("auto", "predictions-first", "targets-first")
_FIRST_TARGETS = {"y_true", "true", "target", "targets", "label", "labels", "y", "ground_truth"}
_FIRST_TARGETS |= {"gt", "truth", "actual", "mask", "masks", "t", "true_labels", "targets_true"}


_THEN_PREDICTIONS = {"y_pred", "pred", "preds", "prediction", "predictions", "logits", "y_hat"}
_THEN_PREDICTIONS |= {"yhat", "output", "outputs", "scores", "probs", "p", "predicted", "logit"}


_TASK_WORDS = {
    "segmentation": ("dice", "jaccard", "tversky", "lovasz", "iou", "segment"),
    "multiclass": ("categorical", "multiclass", "softmax", "sparsemax"),
    "binary": ("binary", "sigmoid"),
}


def name_of(function: Callable) -> str:
    """Returns the name of a function, also of one bound by functools.partial."""
    inner = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    return getattr(inner, "__name__", type(inner).__name__)


def check_choice(value: str, choices: tuple[str, ...], what: str) -> None:
    """Raises UserError if a value is not one of the choices, with the nearest one."""
    if value not in choices:
        raise UserError(f"unknown {what} `{value}`", hint=nearest(value, choices))


def takes_targets_first(function: Callable, order: str) -> bool:
    """Whether the function takes its targets first.

    Raises UserError if it does not take two arguments, or requires more.
    """
    names = _first_two_arguments(function)
    check_choice(order, _ORDERS, "order")
    if order != "auto" or len(names) < 2:
        return order == "targets-first"
    return names[0].lower() in _FIRST_TARGETS and names[1].lower() in _THEN_PREDICTIONS


def _first_two_arguments(function: Callable) -> list[str]:
    """Returns the names of the first two arguments; empty if the signature is unknown.

    Raises UserError if more are required, or fewer accepted.
    """
    parameters = _parameters(function)
    if parameters is None:
        return []
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    if len(positional) < 2 and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        names = ", ".join(p.name for p in positional) or "none"
        raise UserError(
            f"`{name_of(function)}` takes too few arguments ({names}); a loss takes predictions "
            "and targets",
            place=definition(function),
            hint="for a function of one argument use `--kind activation` or `--kind function`",
        )
    _refuse_required(
        function, [*positional[2:], *(p for p in parameters if p.kind is p.KEYWORD_ONLY)]
    )
    return [p.name for p in positional[:2]]


def _parameters(function: Callable) -> list[inspect.Parameter] | None:
    """Returns the parameters of a function; None if its signature is unknown."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _refuse_required(function: Callable, parameters: list[inspect.Parameter]) -> None:
    missing = [p.name for p in parameters if p.default is p.empty]
    if missing:
        raise UserError(
            f"`{name_of(function)}` requires other arguments: {', '.join(missing)}",
            place=definition(function),
            hint=f"set `--option {missing[0]}=VALUE`, or bind it with functools.partial",
        )


def infer_task(function: Callable, batched: Callable) -> tuple[str, str]:
    """Returns the task that the names of a function and its arguments suggest, and the reason.

    `batched` is the function with its predictions first.
    """
    name = name_of(function).lower()
    arguments = {n.lower() for n in _first_two_arguments(function)}
    for task, words in _TASK_WORDS.items():
        if any(word in name for word in words):
            return task, "its name says so"
    if arguments & {"mask", "masks"}:
        return "segmentation", "an argument is named mask"
    logits = sorted(arguments & {"logits", "logit", "scores", "log_probs"})
    if not logits:
        return "regression", "no name suggests another task"
    shape = jax.ShapeDtypeStruct((2, 4), jnp.float32)
    for targets in (shape, jax.ShapeDtypeStruct((2,), jnp.int32)):
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            if getattr(jax.eval_shape(batched, shape, targets), "shape", None) == (2,):
                return "multiclass", f"it takes {logits[0]} and returns one value per row"
    return "binary", f"it takes {logits[0]} and returns one value per element"


def infer_domain(function: Callable, task: str | None) -> str:
    """Returns `unit` or `simplex` if `from_logits` defaults to False, else `real`."""
    if any(p.name == "from_logits" and p.default is False for p in _parameters(function) or []):
        return "simplex" if task == "multiclass" else "unit"
    return "real"


def count_inputs(function: Callable, kind: str) -> int:
    """Returns the number of arrays that an activation or a function takes.

    Raises UserError if a keyword-only argument is required, or an activation takes several arrays.
    """
    parameters = _parameters(function) or []
    required = [p.name for p in parameters if p.kind in _POSITIONAL and p.default is p.empty]
    _refuse_required(function, [p for p in parameters if p.kind is p.KEYWORD_ONLY])
    if kind == "activation" and len(required) > 1:
        raise UserError(
            f"`{name_of(function)}` takes {', '.join(required)}; an activation takes one array",
            place=definition(function),
            hint="use `--kind function` for several arrays, or bind an argument with `--option`",
        )
    return max(len(required), 1)


def check_real(out: Any, label: str, function: Callable) -> None:
    """Raises UserError unless a function returns an array of real floating-point numbers."""
    place = definition(function)
    if not hasattr(out, "shape") or not hasattr(out, "dtype"):
        kind = "None (is a `return` missing?)" if out is None else f"a {type(out).__name__}"
        raise UserError(f"{label} returns {kind}, not an array", place=place)
    if jnp.issubdtype(out.dtype, jnp.complexfloating):
        raise UserError(
            f"{label} returns complex numbers; the result must be real",
            place=place,
            hint="take jnp.abs or jnp.real of the result",
        )
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise UserError(
            f"{label} returns {out.dtype}; no gradient flows through integers or booleans",
            place=place,
            hint="compute in floating point; a count or a comparison cannot be trained",
        )


def check_loss_shape(out: Any, shape: tuple[int, ...], label: str, function: Callable) -> None:
    """Raises UserError unless a loss returns a scalar, or values per example or prediction."""
    rows = shape[:1]
    if out.shape not in {(), rows, shape, rows * 2, (*rows, 1), (1, *rows), shape[:-1]}:
        raise UserError(
            f"{label} returns shape {out.shape} for predictions of shape {shape}",
            place=definition(function),
            hint="return a scalar, one value per example, or one per prediction",
        )

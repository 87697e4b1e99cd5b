"""Infers how to audit a function from its arguments and results, and checks them."""

import contextlib
import inspect
import io
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from landscape.errors import UserError, nearest
from landscape.numerics.loss_arguments import POSITIONAL, name_of, parameters_of
from landscape.numerics.user_calls import definition

FIELDS = ("weights", "mask", "groups", "events")  # arrays that a loss takes by name
_TASK_FIELDS = {"events": "survival", "groups": "ranking"}
_TASK_WORDS = {
    "boxes": ("giou", "ciou", "diou", "bbox", "boxes"),
    "embedding": ("triplet", "info_nce", "infonce", "nt_xent", "ntxent", "embedding"),
    "ordinal": ("ordinal", "coral"),
    "multilabel": ("multilabel", "multi_label"),
    "segmentation": ("dice", "jaccard", "tversky", "lovasz", "iou", "segment"),
    "multiclass": ("categorical", "multiclass", "softmax", "sparsemax"),
    "binary": ("binary", "sigmoid"),
}


def check_choice(value: str, choices: tuple[str, ...], what: str) -> None:
    """Raises UserError if a value is not one of the choices, with the nearest one."""
    if value not in choices:
        raise UserError(f"unknown {what} `{value}`", hint=nearest(value, choices))


def _parameters(function: Callable) -> list[inspect.Parameter]:
    """Returns the parameters of a function; none if its signature is unknown."""
    return list((parameters_of(function) or {}).values())


def further_arguments(function: Callable, skipped: int = 2) -> dict[str, bool]:
    """Returns the names of arguments after the first ones, and whether each is required."""
    parameters = _parameters(function)
    positional = [p for p in parameters if p.kind in POSITIONAL]
    further = positional[skipped:] + [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    return {p.name: p.default is p.empty for p in further}


def argument_names(function: Callable) -> list[str]:
    """Returns the names of the positional arguments; empty if the signature is unknown."""
    return [p.name for p in _parameters(function) if p.kind in POSITIONAL]


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
    arguments = {n.lower() for n in argument_names(function)[:2]}
    for task, words in _TASK_WORDS.items():
        if any(word in name for word in words):
            return task, "its name says so"
    for field in further_arguments(function):
        if field in _TASK_FIELDS:
            return _TASK_FIELDS[field], f"it takes {field}"
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
    if any(p.name == "from_logits" and p.default is False for p in _parameters(function)):
        return "simplex" if task == "multiclass" else "unit"
    return "real"


def count_inputs(function: Callable, kind: str) -> int:
    """Returns the number of arrays that an activation or a function takes.

    Raises UserError if a keyword-only argument is required, or an activation takes several arrays.
    """
    parameters = _parameters(function)
    required = [p.name for p in parameters if p.kind in POSITIONAL and p.default is p.empty]
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
    parts = {shape[:end] for end in range(len(shape) + 1)}
    if out.shape not in parts | {rows * 2, (*rows, 1), (1, *rows)}:
        raise UserError(
            f"{label} returns shape {out.shape} for predictions of shape {shape}",
            place=definition(function),
            hint="return a scalar, one value per example, or one per prediction",
        )

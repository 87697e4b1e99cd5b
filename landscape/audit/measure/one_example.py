"""Losses that are written for one example, and so treat a batch as one."""

import contextlib
from collections.abc import Callable
from typing import Any

import jax

from landscape.audit.measure.domains import batch
from landscape.audit.measure.subject import SubjectOptions
from landscape.errors import UserError

ROWS = 3  # not the number of classes
TASKS = ("multiclass", "binary", "regression", "segmentation")
WRAP = "if it is written for one example, wrap it in jax.vmap"


def accepts_one_example(function: Callable, predictions: Any, targets: Any) -> bool:
    """Whether a function returns a number for the first example of a batch without its axis."""
    with contextlib.suppress(Exception):
        out = jax.eval_shape(function, predictions[0], targets[0])
        return getattr(out, "shape", None) == ()
    return False


def with_hint(error: UserError, function: Callable, options: SubjectOptions) -> UserError:
    """Returns the error of a batch, with a hint if the function accepts a single example."""
    if error.hint is not None or options.kind != "loss":
        return error
    for task in [options.task] if options.task in TASKS else TASKS:
        for form in ("onehot", "labels") if task == "multiclass" else (options.form,):
            predictions, targets = batch(task, form, "unit", ROWS, options.outputs)
            for arguments in ((predictions, targets), (targets, predictions)):
                if accepts_one_example(function, *arguments):
                    return UserError(error.message, place=error.place, hint=WRAP)
    return error

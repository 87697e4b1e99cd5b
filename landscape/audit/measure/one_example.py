"""Losses that are written for one example, and so treat a batch as one."""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from landscape.audit.measure.subject import SubjectOptions
from landscape.audit.measure.task_examples import EXAMPLES
from landscape.audit.measure.task_targets import Layout
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
    rng = np.random.default_rng(11)
    for task in [options.task] if options.task in TASKS else TASKS:
        for examples in EXAMPLES[task]:
            shape = (ROWS, *examples.shape(options.outputs or examples.outputs))
            form = options.form if examples.form == "auto" else examples.form
            targets = examples.random(rng, Layout(shape, form, "unit")).cast(np.float32)
            predictions = rng.uniform(size=shape).astype(np.float32)
            for arguments in ((predictions, targets), (targets, predictions)):
                if accepts_one_example(function, *arguments):
                    return UserError(error.message, place=error.place, hint=WRAP)
    return error

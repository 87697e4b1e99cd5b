"""Builds the subject of `loss(params, batch)`: its parameters take the place of predictions."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from landscape.audit.measure.calls import loss_of
from landscape.audit.measure.domains import PLAUSIBLE, Domain, Target
from landscape.audit.measure.signature import check_real
from landscape.audit.measure.subject import Subject, SubjectOptions, checked, row_of
from landscape.errors import UserError
from landscape.numerics.user_calls import guarded

Array = Any
MOST_PARAMETERS = 64


def parameter_subject(function: Callable, options: SubjectOptions) -> Subject:
    """Returns the subject of the parameters of an example, for its fixed batch.

    The arrays of the example are named `params` and `batch`, or by their keys: `params/w`,
    `batch/0`. Raises UserError if one of both is missing, or there are too many parameters.
    """
    arrays = {name: np.asarray(array) for name, array in (options.example or {}).items()}
    trees = [nested(arrays, root) for root in ("params", "batch")]
    if any(tree is None for tree in trees):
        raise UserError(
            f"`--call params-batch` needs the arrays of `params` and of `batch`, found "
            f"{', '.join(arrays) or 'none'}",
            hint="pass `--example FILE.npz` with names such as `params/w`, `batch/0` and `batch/1`",
        )
    params, batch = trees
    vector, restore = ravel_pytree(jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), params))
    if vector.size > MOST_PARAMETERS:
        raise UserError(
            f"the example has {vector.size} parameters; at most {MOST_PARAMETERS} are audited",
            hint="use a smaller model, or write the loss of predictions and targets",
        )
    shape = (1, vector.size)

    def batched(predictions: Array, _: Array) -> Array:
        parameters = restore(predictions[0].astype(vector.dtype))
        return loss_of(function(parameters, batch), options.result, function)

    label = f"loss `{options.name}`"
    out = guarded(lambda: jax.eval_shape(batched, jnp.zeros(shape), 0), label, function)
    check_real(out, label, function)
    return checked(
        Subject(
            name=options.name,
            kind="loss",
            task="custom",
            goal="free",
            aim=options.aim,
            usual_aim="none",
            domain=_around(np.asarray(vector, np.float64)[None]),
            shape=shape,
            targets=[Target("the batch", np.zeros(()), np.ones(shape))],
            row=row_of(batched),
            batched=batched,
            function=function,
            notes=("predictions are the parameters of the example, for its batch",),
        )
    )


def nested(arrays: Mapping[str, np.ndarray], root: str) -> Any:
    """Returns the array of this name, or the tree of the arrays whose names begin with `root/`.

    A level whose keys are 0, 1, ... is a tuple, any other a dictionary. None if no name begins so.
    """
    if root in arrays:
        return arrays[root]
    prefix = f"{root}/"
    keys = dict.fromkeys(n[len(prefix) :].split("/")[0] for n in arrays if n.startswith(prefix))
    if not keys:
        return None
    tree = {key: nested(arrays, prefix + key) for key in keys}
    if all(key.isdigit() for key in tree):
        return tuple(tree[key] for key in sorted(tree, key=int))
    return tree


def _around(params: np.ndarray) -> Domain:
    def within(distance: float) -> Any:
        def draw(rng: np.random.Generator, count: int, target: Target) -> np.ndarray:
            return params + rng.uniform(-distance, distance, (count, *params.shape))

        return draw

    return Domain("real", -np.inf, np.inf, within(PLAUSIBLE / 5), within(PLAUSIBLE), (0.0,))

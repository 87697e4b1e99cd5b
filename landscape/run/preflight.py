"""What is checked of a loss and a model before anything is trained."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape import catalog
from landscape.errors import UserError
from landscape.numerics.compiling import jit_once
from landscape.numerics.risk import Examples, Loss, from_labels
from landscape.numerics.train import Metric
from landscape.numerics.user_calls import definition, guarded
from landscape.parts.directions import Direction, Point
from landscape.parts.metrics import Snapshot
from landscape.parts.models import Model

PyTree = Any


def refuse_other_task(name: str, label: str, task: str, dataset: str) -> None:
    """Raises UserError for a loss of the menu that is made for another task than the dataset's."""
    fitting = catalog.menu("losses", task)
    if ":" in name or name in fitting:
        return
    tasks = [t for t in catalog.TASKS if name in catalog.menu("losses", t)]
    raise UserError(
        f"loss `{label}` is for {' and '.join(tasks)}, but dataset `{dataset}` is {task}",
        hint=f"losses for {task}: {', '.join(sorted(fitting))}",
    )


def check_predictions(
    model: Model, name: str, params: PyTree, examples: Examples, task: str, outputs: int
) -> jax.Array:
    """The model's predictions on a few examples; UserError where their shape is not the task's."""
    predictions = guarded(
        lambda: jit_once(model.apply)(params, examples.inputs), f"model `{name}`", model.apply
    )
    batch = len(examples.targets)
    wanted: tuple[int, ...] = (batch,) if outputs == 1 else (batch, outputs)
    if task == "segmentation":
        wanted = examples.targets.shape
    if predictions.shape != wanted:
        raise UserError(
            f"model `{name}` predicts shape {predictions.shape} for {batch} examples, but the "
            f"{task} dataset needs {wanted}",
            hint="use `unet`" if task == "segmentation" else None,
        )
    return predictions


def check_metrics(
    metrics: Sequence[Metric], predictions: jax.Array, targets: jax.Array
) -> tuple[str, ...]:
    """The names that the metrics report; UserError where one does not fit the predictions."""
    snapshot = Snapshot(predictions, targets)
    return tuple(name for metric in metrics for name in _metric_names(metric, snapshot))


def _metric_names(metric: Metric, snapshot: Snapshot) -> list[str]:
    return list(guarded(lambda: jax.eval_shape(metric, snapshot), "metric", metric))


def fit_targets(
    loss: Loss, label: str, form: str, predictions: jax.Array, targets: jax.Array, task: str
) -> str:
    """The form in which `loss` takes the dataset's targets, checked on real predictions.

    `onehot` or `labels` for multiclass, else `auto`: there is only one. Labels are handed over
    one-hot unless the loss refuses that form and accepts integer labels; `form` (`auto`, `onehot`,
    `labels`) decides by hand. UserError where the loss raises, returns something other than a
    floating-point scalar, one value an example or one a prediction, or returns NaN.
    """
    if task != "multiclass":
        candidates = {"auto": loss}
    else:
        onehot = from_labels(loss, predictions.shape[-1])
        candidates = {"onehot": onehot, "labels": loss}
        if form != "auto":
            candidates = {form: candidates[form]}
    errors = []
    for name, candidate in candidates.items():
        try:
            _check(candidate, loss, label, predictions, targets)
        except UserError as error:
            errors.append(error)
        else:
            return name
    raise errors[0]


def _check(
    loss: Loss, function: Callable, label: str, predictions: jax.Array, targets: jax.Array
) -> None:
    name = f"loss `{label}`"
    place = definition(function)

    def array(predictions: jax.Array, targets: jax.Array) -> jax.Array:
        values = loss(predictions, targets)
        if not isinstance(values, jax.Array | np.ndarray | np.generic | float):
            raise UserError(f"{name} returns {type(values).__name__}, not an array", place=place)
        return jnp.asarray(values)

    values = guarded(lambda: jit_once(array)(predictions, targets), name, function)
    allowed = {(), predictions.shape[:1], predictions.shape}
    if values.shape not in allowed:
        shapes = ", ".join(str(shape) for shape in sorted(allowed, key=len))
        raise UserError(
            f"{name} returns shape {values.shape} for predictions of shape {predictions.shape}",
            place=place,
            hint=f"expected one of {shapes}: a scalar, one value an example, or one a prediction",
        )
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise UserError(
            f"{name} returns {values.dtype}; a loss must return floating-point values",
            place=place,
            hint="no gradient flows through integers or booleans; compute in floating point",
        )
    if bool(jnp.isnan(values).any()):
        share = float(jnp.isnan(values).mean())
        raise UserError(
            f"{name} returns NaN for {share:.0%} of its values on an untrained model", place=place
        )


def check_direction(name: str, direction: Direction, params: PyTree, filter_axes: PyTree) -> None:
    """UserError where a direction raises, or returns something other than a tree like `params`.

    It is tried once, at the initial parameters, with stand-ins for what training would leave.
    """
    called = f"direction `{name}`"
    point = Point(
        params=params,
        filter_axes=filter_axes,
        gradient=lambda: params,
        eigenvector=lambda end, index: params,
        update=params,
        path=jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), params),
        target=params,
    )
    found = guarded(lambda: direction(jax.random.key(0), point), called, direction)
    place = definition(direction)
    wanted: Any = jax.tree.structure(params)
    if jax.tree.structure(found) != wanted:
        raise UserError(
            f"{called} does not return a tree like the parameters",
            place=place,
            hint="build it with jax.tree.map over point.params",
        )
    for (path, leaf), other in zip(
        jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(found), strict=True
    ):
        if jnp.shape(other) != leaf.shape:
            where = jax.tree_util.keystr(path, simple=True, separator="/")
            raise UserError(
                f"{called} has shape {jnp.shape(other)} at `{where}`, where the parameters have "
                f"{leaf.shape}",
                place=place,
            )
        if not bool(jnp.isfinite(jnp.asarray(other)).all()):
            raise UserError(f"{called} is not finite at the initial parameters", place=place)

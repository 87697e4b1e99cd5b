"""Tries a loss on the predictions of an untrained model, before anything is trained."""

import dataclasses
from collections.abc import Container, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import Place, UserError
from landscape.interop.libraries import library_of
from landscape.numerics.compiling import jit_once
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.loss_arguments import name_of
from landscape.numerics.user_calls import definition, guarded
from landscape.parts.tasks import Task


def describe_call(loss: Loss, fields: Container[str] = ()) -> str:
    """Returns how a loss is called: `ramp(predictions=predictions, targets=targets)`.

    `fields` are those of the dataset.
    """
    notes = ["targets one-hot"] if loss.classes is not None else []
    notes += ["classes in the second axis"] if loss.class_axis == "second" else []
    notes += ["one example at a time"] if loss.vmap else []
    notes += ["returns metrics beside its value"] if loss.has_metrics else []
    notes += ["its values are multiplied by the field `weights`"] if loss.weighted else []
    if "weights" in fields and not loss.weighted and not takes_weights(loss):
        notes.append("the field `weights` is not used, since it returns one value for a batch")
    call = f"{name_of(loss.function)}{loss.arguments.describe()}"
    return ", ".join([call, *notes])


def takes_weights(loss: Loss) -> bool:
    """Returns whether the function of a loss receives `weights`, as a field or as an option."""
    return "weights" in (*loss.arguments.fields, *loss.options)


def fit_targets(
    loss: Loss, label: str, form: str, predictions: jax.Array, targets: Targets, task: Task
) -> Loss:
    """Returns the loss in the form that takes the dataset's targets, checked on real predictions.

    For tasks with `onehot`, labels are passed one-hot unless the loss rejects that form and accepts
    integer labels; `form` (`auto`, `onehot`, `labels`) decides explicitly. A loss of PyTorch may
    expect the classes of pixels or tokens in the second axis. Raises UserError if the
    loss raises, returns something other than a floating-point scalar, one value per example or one
    per prediction, alone or with a dict of metrics, or returns NaN.
    """
    candidates = {"labels": loss}
    if task.onehot and targets.values.ndim == 1:
        onehot = dataclasses.replace(loss, classes=predictions.shape[-1])
        candidates = {"onehot": onehot, "labels": loss}
        if form != "auto":
            candidates = {form: candidates[form]}
    errors = []
    has_places = predictions.ndim == targets.values.ndim + 1 > 2
    for candidate in candidates.values():
        for laid_out in _by_axis(candidate, task) if has_places else (candidate,):
            try:
                return _checked_loss(laid_out, label, predictions, targets)
            except UserError as error:
                errors.append(error)
    raise errors[0]


def _by_axis(loss: Loss, task: Task) -> list[Loss]:
    """Returns the loss for each axis that may hold the classes, the usual one first."""
    if library_of(loss.function) != "PyTorch":
        return [loss]
    second = dataclasses.replace(loss, class_axis="second")
    return [second, loss] if task.name == "segmentation" else [loss, second]


def _checked_loss(loss: Loss, label: str, predictions: jax.Array, targets: Targets) -> Loss:
    """Returns the loss, with `has_metrics` as it is; raises UserError as `fit_targets` does."""
    name, place = f"loss `{label}`", definition(loss.function)

    def result(predictions: jax.Array, targets: Targets) -> Any:
        returned = loss.result(predictions, targets)
        value, metrics = _value_and_metrics(returned, name, place)
        return jnp.asarray(value), metrics

    try:
        compiled = jit_once(result)
        value, metrics = guarded(lambda: compiled(predictions, targets), name, loss.function)
        _check_values(value, predictions.shape, targets.values.shape, name, place)
    except UserError as error:
        raise _with_vmap_hint(error, loss, predictions, targets) from error.__cause__
    if bool(jnp.isnan(value).any()):
        share = float(jnp.isnan(value).mean())
        raise UserError(
            f"{name} returns NaN for {share:.0%} of its values on an untrained model", place=place
        )
    weighted = _is_weighted(loss, value.shape, targets, name, place)
    return dataclasses.replace(loss, has_metrics=metrics is not None, weighted=weighted)


def _is_weighted(
    loss: Loss, shape: tuple[int, ...], targets: Targets, name: str, place: Place | None
) -> bool:
    """Returns whether the program weights the values (shape) of a loss that takes no weights."""
    weights = targets.fields.get("weights")
    if weights is None or takes_weights(loss) or shape == ():
        return False
    if weights.shape != shape[: weights.ndim]:
        raise UserError(
            f"{name} returns values of shape {shape}, which the field `weights` of shape "
            f"{weights.shape} does not fit",
            place=place,
            hint="give one weight per example, or a loss with a parameter `weights`",
        )
    return True


def _value_and_metrics(
    returned: Any, name: str, place: Place | None
) -> tuple[Any, dict[str, Any] | None]:
    """Returns the value of a loss and its metrics, None if it returns the value alone."""
    if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], dict)):
        _check_array(returned, name, place)
        return returned, None
    value, metrics = returned
    _check_array(value, f"{name}, before its metrics,", place)
    for key, metric in metrics.items():
        _check_array(metric, f"{name}, as its metric `{key}`,", place)
    return value, {str(key): jnp.asarray(metric) for key, metric in metrics.items()}


def _check_array(value: Any, name: str, place: Place | None) -> None:
    if isinstance(value, jax.Array | np.ndarray | np.generic | float):
        return
    hint = None
    if isinstance(value, dict | tuple | list):
        hint = "return the value alone, or `(value, metrics)` with a dict of the arrays to record"
    raise UserError(f"{name} returns {type(value).__name__}, not an array", place=place, hint=hint)


def _with_vmap_hint(
    error: UserError, loss: Loss, predictions: jax.Array, targets: Targets
) -> UserError:
    """Returns the error, with a hint if the loss works for one example at a time."""
    if loss.vmap:
        return error
    mapped = dataclasses.replace(loss, vmap=True)
    try:
        values = jax.eval_shape(mapped.result, predictions, targets)
    except Exception:  # a loss may raise anything
        return error
    value = values[0] if isinstance(values, tuple) else values
    if getattr(value, "shape", None) != predictions.shape[:1]:
        return error
    hint = "it looks written for one example: set `vmap: true` beside the name of the loss"
    return UserError(error.message, place=error.place, hint=hint, part=error.part)


def _check_values(
    values: Any,
    predictions: tuple[int, ...],
    targets: tuple[int, ...],
    name: str,
    place: Place | None,
) -> None:
    """Raises UserError unless a loss returns floating-point values of one of the allowed shapes."""
    positions = {targets} if predictions[: len(targets)] == targets else set()
    allowed = {(), predictions[:1], predictions} | positions
    if values.shape not in allowed:
        shapes = ", ".join(str(shape) for shape in sorted(allowed, key=len))
        raise UserError(
            f"{name} returns shape {values.shape} for predictions of shape {predictions}",
            place=place,
            hint=f"expected one of {shapes}: a scalar, one value per example or per prediction",
        )
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise UserError(
            f"{name} returns {values.dtype}; a loss must return floating-point values",
            place=place,
            hint="integers and booleans have no gradient; compute in floating point",
        )


def check_batch_sizes(
    loss: Loss, label: str, predictions: jax.Array, targets: Targets, sizes: Iterable[int]
) -> None:
    """Raises UserError if a loss raises or returns another shape or dtype at one of the sizes.

    Recording and slices call it with batches of the evaluation set, the last of which is smaller.
    Nothing is compiled.
    """
    for size in sizes:
        _check_batch_size(loss, label, predictions, targets, size)


def _check_batch_size(
    loss: Loss, label: str, predictions: jax.Array, targets: Targets, size: int
) -> None:
    name = f"loss `{label}`, called with {size} of the evaluation examples,"
    place = definition(loss.function)

    def result(predictions: jax.Array, targets: Targets) -> Any:
        value, metrics = _value_and_metrics(loss.result(predictions, targets), name, place)
        return jnp.asarray(value), metrics

    def resized(array: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((size, *array.shape[1:]), array.dtype)

    batch = jax.tree.map(resized, (predictions, targets))
    value, metrics = guarded(lambda: jax.eval_shape(result, *batch), name, loss.function)
    _check_values(value, batch[0].shape, batch[1].values.shape, name, place)
    if (metrics is not None) != loss.has_metrics:
        raise UserError(f"{name} returns metrics at some sizes of a batch only", place=place)

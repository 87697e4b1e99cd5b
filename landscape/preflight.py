"""What is checked of a loss and a model before anything is trained."""

import inspect
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

import landscape
from landscape import catalog
from landscape.errors import Place, UserError
from landscape.parts.metrics import Snapshot
from landscape.parts.models import Model
from landscape.risk import Examples, Loss, from_labels
from landscape.train import Metric

PyTree = Any
Result = TypeVar("Result")
_LIBRARIES = tuple(
    str(Path(inspect.getfile(module)).parent) for module in (jax, np, landscape, inspect)
)
_EXPLAINED = {
    jax.errors.TracerBoolConversionError: (
        "branches in Python (if, while, and, or) on a value that is known only when the compiled "
        "program runs",
        "use jnp.where, jnp.logical_and or jax.lax.cond instead",
    ),
    jax.errors.TracerArrayConversionError: (
        "hands a traced value to NumPy, through which no gradient can flow",
        "use jax.numpy in place of numpy",
    ),
    jax.errors.ConcretizationTypeError: (
        "needs a concrete value where the compiled program has none yet",
        "use jax.numpy and jax.lax operations on arrays instead of float(), int() or range()",
    ),
}


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
    predictions = _guarded(
        lambda: model.apply(params, examples.inputs), f"model `{name}`", model.apply
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
    return list(_guarded(lambda: jax.eval_shape(metric, snapshot), "metric", metric))


def fit_targets(
    loss: Loss, label: str, form: str, predictions: jax.Array, targets: jax.Array, task: str
) -> Loss:
    """`loss` as a function of the dataset's own targets, checked on real predictions.

    Multiclass labels are handed over one-hot unless the loss refuses that form and accepts integer
    labels; `form` (`auto`, `onehot`, `labels`) decides by hand. UserError where the loss raises,
    returns something other than a floating-point scalar, one value an example or one a prediction,
    or returns NaN.
    """
    if task != "multiclass":
        candidates = {"targets": loss}
    else:
        onehot = from_labels(loss, predictions.shape[-1])
        candidates = {"onehot": onehot, "labels": loss}
        if form != "auto":
            candidates = {form: candidates[form]}
    errors = []
    for candidate in candidates.values():
        try:
            _check(candidate, loss, label, predictions, targets)
        except UserError as error:
            errors.append(error)
        else:
            return candidate
    raise errors[0]


def _check(
    loss: Loss, function: Callable, label: str, predictions: jax.Array, targets: jax.Array
) -> None:
    name = f"loss `{label}`"
    values = _guarded(lambda: loss(predictions, targets), name, function)
    _guarded(lambda: jax.eval_shape(loss, predictions, targets), name, function)
    place = definition(function)
    if not isinstance(values, jax.Array | np.ndarray | np.generic | float):
        raise UserError(f"{name} returns {type(values).__name__}, not an array", place=place)
    values = jnp.asarray(values)
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


def definition(function: Callable) -> Place | None:
    """Where a function is defined, if that can be known."""
    while hasattr(function, "func"):
        function = function.func
    try:
        lines, number = inspect.getsourcelines(inspect.unwrap(function))
        file = inspect.getsourcefile(inspect.unwrap(function))
    except (OSError, TypeError):
        return None
    line = next((i for i, text in enumerate(lines) if text.lstrip().startswith("def ")), 0)
    return Place(str(file), number + line, text=lines[line])


def raised_at(trace: TracebackType | None, fallback: Callable) -> Place | None:
    """The last line that ran in code other than jax's, NumPy's or this program's."""
    frames = [f for f in traceback.extract_tb(trace) if not f.filename.startswith(_LIBRARIES)]
    if not frames:
        return definition(fallback)
    frame = frames[-1]
    return Place(frame.filename, frame.lineno, text=frame.line)


def _guarded(call: Callable[[], Result], name: str, function: Callable) -> Result:
    try:
        return call()
    except UserError as error:
        raise UserError(f"{name}: {error.message}", place=error.place, hint=error.hint) from None
    except Exception as error:
        place = raised_at(error.__traceback__, function)
        for kind, (what, hint) in _EXPLAINED.items():
            if isinstance(error, kind):
                raise UserError(f"{name} {what}", place=place, hint=hint) from error
        first = str(error).strip().split("\n")[0]
        raise UserError(f"{name} raises {type(error).__name__}: {first}", place=place) from error

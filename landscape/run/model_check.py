"""Builds the model of a run and checks its predictions before anything is trained."""

import functools
from typing import Any

import jax
import numpy as np

from landscape import catalog
from landscape.config import Run
from landscape.errors import UserError
from landscape.numerics.compiling import jit_once
from landscape.numerics.loss_arguments import parameters_of
from landscape.numerics.risk import Examples
from landscape.numerics.user_calls import guarded
from landscape.parts.datasets import Dataset
from landscape.parts.models import Model, ModelShapes, as_model
from landscape.parts.tasks import Task
from landscape.run import preflight

PyTree = Any


def model_shapes(run: Run, data: Dataset) -> ModelShapes:
    """Returns the shapes of one example that a model is built for."""
    inputs, target_shape = data.train.inputs, data.train.targets.shape[1:]
    return ModelShapes(
        input_shape=inputs.shape[1:],
        outputs=data.outputs,
        output_shape=preflight.build_task(run, data).prediction_shape(target_shape, data.outputs),
        vocabulary=data.vocabulary,
        input_dtype=inputs.dtype,
    )


def build_model(run: Run, shapes: ModelShapes) -> Model:
    """Returns the model of a run; raises UserError if the part builds anything else."""
    part = run.model
    make = catalog.build("models", part, folder=run.folder)
    assert isinstance(make, functools.partial)
    takes_tokens = "vocabulary" in (parameters_of(make.func) or {})
    if shapes.vocabulary is not None and part.name in catalog.menu("models") and not takes_tokens:
        raise UserError(
            f"model `{part.name}` would read tokens as quantities",
            hint="use `transformer` or `cnn1d`, which take tokens",
            part=part.name,
        )
    axes: Any = part.filter_axes
    if axes is not None and ":" in axes:
        axes = catalog.load(axes, run.folder)

    def build() -> Model:
        return as_model(make.func, make.keywords, shapes, axes, f"model `{part.name}`")

    return preflight.call_part(build, f"model `{part.name}`", part, make.func)


def check_predictions(
    model: Model, name: str, params: PyTree, examples: Examples, task: Task, outputs: int
) -> jax.Array:
    """Returns the model's predictions; raises UserError if their shape does not fit the task."""
    predictions = guarded(
        lambda: jit_once(model.predict)(params, examples.inputs, examples.state),
        f"model `{name}`",
        model.apply,
    )
    batch = len(examples.targets)
    expected = (batch, *task.prediction_shape(examples.targets.values.shape[1:], outputs))
    if task.any_shape:
        expected = (batch, *predictions.shape[1:])
    if predictions.shape != expected:
        raise UserError(
            f"model `{name}` predicts shape {predictions.shape} for {batch} examples, but the "
            f"{task.name} dataset needs {expected}",
            hint=task.advice,
            part=name,
        )
    if model.training is not None:
        _check_training_mode(model, name, params, examples, predictions)
    return predictions


def refuse_probabilities(
    run: Run, model: Model, params: PyTree, examples: Examples, task: Task
) -> None:
    """Raises UserError if a model ends in a softmax or sigmoid, and the loss takes logits.

    A loss of the user may take probabilities, but the metrics of the menu for yes or no do not.
    """
    if not task.logits or ":" not in run.model.name:
        return
    ending = _ending(model, params, examples)
    if ending is None:
        return
    menu = catalog.menu("metrics")
    metrics = [part.name for part in run.metrics or ()] or [*task.metrics]
    misled = [name for name in metrics if name in menu] if ending == "sigmoid" else []
    if ":" not in run.loss.name:
        reader = f"loss `{run.loss.label}` takes logits"
    elif misled:
        reader = f"metric `{misled[0]}` takes logits"
    else:
        return
    raise UserError(
        f"model `{run.model.name}` returns probabilities, but {reader}",
        hint=f"remove the {ending} at the end of the model; a loss of yours that takes "
        f"probabilities can apply the {ending} itself",
        part=run.model.name,
    )


def _ending(model: Model, params: PyTree, examples: Examples) -> str | None:
    """Returns `softmax` or `sigmoid` if predictions are probabilities, however large the weights.

    Logits of an untrained model may lie between 0 and 1, but those of weights times 100 do not.
    """
    predict = jit_once(model.predict)
    for factor in (1.0, 100.0, -100.0):
        scaled = jax.tree.map(lambda leaf, factor=factor: factor * leaf, params)
        predictions = np.asarray(predict(scaled, examples.inputs, examples.state))
        if not ((predictions >= 0) & (predictions <= 1)).all():
            return None
    if predictions.max() == 0.0:
        return None  # the last layer is a ReLU, and no unit is active
    sums = predictions.sum(axis=-1)
    return "softmax" if predictions.ndim > 1 and np.allclose(sums, 1, atol=1e-3) else "sigmoid"


def _check_training_mode(
    model: Model, name: str, params: PyTree, examples: Examples, predictions: jax.Array
) -> None:
    """Raises UserError if a model in training returns other shapes than in evaluation."""
    assert model.training is not None
    mode, subject = model.training, f"model `{name}` in training"
    shaped, state = guarded(
        lambda: jax.eval_shape(
            mode.apply, params, examples.inputs, examples.state, jax.random.key(0)
        ),
        subject,
        mode.apply,
    )
    if shaped.shape != predictions.shape:
        raise UserError(
            f"{subject} predicts shape {shaped.shape}, in evaluation {predictions.shape}",
            hint="both modes predict alike",
            part=name,
        )
    before, after = (str(jax.tree.map(_described, tree)) for tree in (examples.state, state))
    if before != after:
        raise UserError(
            f"{subject} changes its state from {before} to {after}",
            hint="return a state with the same structure, shapes and dtypes",
            part=name,
        )


def _described(leaf: Any) -> str:
    """Returns type and shape of an array as text."""
    return f"{leaf.dtype}{list(leaf.shape)}"

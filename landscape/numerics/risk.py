"""Risk: the mean of the loss over examples, in batches, as a function of the parameters."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from landscape.numerics.loss import Objective, Targets
from landscape.parts.models import Model

PyTree = Any


class Examples(NamedTuple):
    """Inputs `(n, *input_shape)`, or a tree of such; targets and fields with this leading axis.

    `state`: the state of the model with which these examples are evaluated, such as batch
    statistics; it has no axis of examples, and is None for a model without one.
    """

    inputs: jax.Array
    targets: Targets
    state: PyTree = None


class BatchMeasure(NamedTuple):
    """Measures of one batch: `means` over its examples, and `rows` with its leading axis."""

    means: dict[str, PyTree]
    rows: dict[str, jax.Array]


class Evaluation(NamedTuple):
    """The fixed evaluation set, measured at one point of parameter space.

    `prediction_gradients` is the derivative of the summed loss, so that its zeros do not depend on
    the number of examples; `gradients` is the derivative of the risk. Both are None if only values
    were computed.
    """

    risk: jax.Array
    predictions: jax.Array
    prediction_gradients: jax.Array | None = None
    gradients: PyTree = None


def mean_risk(model: Model) -> Callable[[Objective, PyTree, Examples], jax.Array]:
    """`risk(loss, params, examples) = mean(loss(predictions, targets))`, in evaluation."""

    def risk(loss: Objective, params: PyTree, examples: Examples) -> jax.Array:
        predictions = model.predict(params, examples.inputs, examples.state)
        return loss.mean(predictions, examples.targets)

    return risk


def training_risk(
    model: Model,
) -> Callable[[Objective, PyTree, Examples, jax.Array], tuple[jax.Array, PyTree]]:
    """`risk(loss, params, batch, key)`: the risk in training, and the next state of the model.

    `key` determines what is random, such as dropout; it is not used by a model without a training
    mode, whose state is None.
    """

    def risk(
        loss: Objective, params: PyTree, batch: Examples, key: jax.Array
    ) -> tuple[jax.Array, PyTree]:
        if model.training is None:
            return loss.mean(model.apply(params, batch.inputs), batch.targets), None
        predictions, state = model.training.apply(params, batch.inputs, batch.state, key)
        return loss.mean(predictions, batch.targets), state

    return risk


def batch_measure(
    model: Model, *, gradients: bool
) -> Callable[[Objective, PyTree, Examples], BatchMeasure]:
    """`measure(loss, params, batch)`: the fields of `Evaluation` on one batch."""

    def values(loss: Objective, params: PyTree, batch: Examples) -> BatchMeasure:
        predictions = model.predict(params, batch.inputs, batch.state)
        risk = loss.mean(predictions, batch.targets)
        return BatchMeasure({"risk": risk}, {"predictions": predictions})

    def with_gradients(loss: Objective, params: PyTree, batch: Examples) -> BatchMeasure:
        predictions, pull_back = jax.vjp(
            lambda p: model.predict(p, batch.inputs, batch.state), params
        )
        value = loss.mean_and_slopes(predictions, batch.targets)
        (weights,) = pull_back(value.mean_slopes)
        return BatchMeasure(
            {"risk": value.mean, "gradients": weights},
            {"predictions": predictions, "prediction_gradients": value.slopes},
        )

    return with_gradients if gradients else values


def evaluator(
    model: Model, *, batch_size: int, gradients: bool
) -> Callable[[Objective, PyTree, Examples], Evaluation]:
    """`evaluate(loss, params, examples) -> Evaluation`, over batches weighted by their counts.

    Memory is bounded by one batch plus the predictions. A loss that mixes the examples of a batch
    (a scalar loss such as Dice over the whole batch) is averaged over these same batches.
    """
    measure = batch_measure(model, gradients=gradients)

    def evaluate(loss: Objective, params: PyTree, examples: Examples) -> Evaluation:
        whole = over_batches(lambda batch: measure(loss, params, batch), examples, batch_size)
        return Evaluation(**whole.means, **whole.rows)

    return evaluate


def loss_metric_columns(
    batch_size: int,
) -> Callable[[Objective, jax.Array, Examples], dict[str, jax.Array]]:
    """`columns(loss, predictions, examples) -> {"loss/NAME": scalar}`, over batches.

    The metrics are those that the loss returns beside its value; empty if it returns none.
    """

    def columns(
        loss: Objective, predictions: jax.Array, examples: Examples
    ) -> dict[str, jax.Array]:
        def measure(batch: Examples) -> BatchMeasure:
            metrics = loss.metrics(batch.inputs, batch.targets)
            return BatchMeasure({f"loss/{name}": value for name, value in metrics.items()}, {})

        if not jax.eval_shape(loss.metrics, predictions, examples.targets):
            return {}
        return over_batches(measure, Examples(predictions, examples.targets), batch_size).means

    return columns


def over_batches(
    measure: Callable[[Examples], BatchMeasure], examples: Examples, size: int
) -> BatchMeasure:
    """Measures all examples in batches: means weighted by count, rows concatenated.

    The last batch may be smaller than the others.
    """
    count = len(examples.targets)
    if count <= size:
        return measure(examples)
    whole, state = count // size, examples.state
    rows_of = examples._replace(state=None)  # the state has no axis of examples
    head = jax.tree.map(lambda a: a[: whole * size].reshape(whole, size, *a.shape[1:]), rows_of)

    def on_batch(batch: Examples) -> BatchMeasure:
        return measure(batch._replace(state=state))

    shapes = jax.eval_shape(on_batch, jax.tree.map(lambda a: a[0], head)).means
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def add(total: dict, batch: Examples) -> tuple[dict, dict]:
        means, rows = on_batch(batch)
        return jax.tree.map(lambda t, m: t + m * (size / count), total, means), rows

    total, rows = lax.scan(add, zeros, head)
    rows = jax.tree.map(lambda a: a.reshape(whole * size, *a.shape[2:]), rows)
    rest = count - whole * size
    if rest == 0:
        return BatchMeasure(total, rows)
    means, tail = on_batch(jax.tree.map(lambda a: a[whole * size :], rows_of))
    total = jax.tree.map(lambda t, m: t + m * (rest / count), total, means)
    return BatchMeasure(total, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), rows, tail))

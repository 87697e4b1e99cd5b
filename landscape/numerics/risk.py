"""Risk: the mean of the loss over examples, in batches, as a function of the parameters."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from landscape.numerics.loss import Objective
from landscape.parts.models import Model

PyTree = Any


class Examples(NamedTuple):
    """Inputs `(n, *input_shape)` and targets with the same leading axis."""

    inputs: jax.Array
    targets: jax.Array


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
    """`risk(loss, params, examples) = mean(loss(apply(params, inputs), targets))`."""

    def risk(loss: Objective, params: PyTree, examples: Examples) -> jax.Array:
        return loss.mean(model.apply(params, examples.inputs), examples.targets)

    return risk


def batch_measure(
    model: Model, *, gradients: bool
) -> Callable[[Objective, PyTree, Examples], BatchMeasure]:
    """`measure(loss, params, batch)`: the fields of `Evaluation` on one batch."""

    def values(loss: Objective, params: PyTree, batch: Examples) -> BatchMeasure:
        predictions = model.apply(params, batch.inputs)
        risk = loss.mean(predictions, batch.targets)
        return BatchMeasure({"risk": risk}, {"predictions": predictions})

    def with_gradients(loss: Objective, params: PyTree, batch: Examples) -> BatchMeasure:
        predictions, pull_back = jax.vjp(lambda p: model.apply(p, batch.inputs), params)
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


def over_batches(
    measure: Callable[[Examples], BatchMeasure], examples: Examples, size: int
) -> BatchMeasure:
    """Measures all examples in batches: means weighted by count, rows concatenated.

    The last batch may be smaller than the others.
    """
    count = examples.inputs.shape[0]
    if count <= size:
        return measure(examples)
    whole = count // size
    head = jax.tree.map(lambda a: a[: whole * size].reshape(whole, size, *a.shape[1:]), examples)
    shapes = jax.eval_shape(measure, jax.tree.map(lambda a: a[0], head)).means
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def add(total: dict, batch: Examples) -> tuple[dict, dict]:
        means, rows = measure(batch)
        return jax.tree.map(lambda t, m: t + m * (size / count), total, means), rows

    total, rows = lax.scan(add, zeros, head)
    rows = jax.tree.map(lambda a: a.reshape(whole * size, *a.shape[2:]), rows)
    rest = count - whole * size
    if rest == 0:
        return BatchMeasure(total, rows)
    means, tail = measure(jax.tree.map(lambda a: a[whole * size :], examples))
    total = jax.tree.map(lambda t, m: t + m * (rest / count), total, means)
    return BatchMeasure(total, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), rows, tail))

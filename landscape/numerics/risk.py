"""Risk: the mean of the loss over examples. The one place where a loss is reduced."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from landscape.parts.models import Model

Loss = Callable[[jax.Array, jax.Array], jax.Array]
PyTree = Any
# Values of options that are numbers, by name: they are arguments of a compiled program.
Numbers = dict[str, Any]


class Examples(NamedTuple):
    """Inputs `(n, *input_shape)` and targets with the same leading axis."""

    inputs: jax.Array
    targets: jax.Array


class Evaluation(NamedTuple):
    """What the fixed evaluation set says of one point of parameter space.

    `prediction_gradients` is the derivative of the summed loss, so that its zeros do not depend on
    how many examples there are; `gradients` is the derivative of the risk. Both are None where
    only values were asked for.
    """

    risk: jax.Array
    predictions: jax.Array
    prediction_gradients: jax.Array | None = None
    gradients: PyTree = None


def from_labels(loss: Loss, classes: int) -> Loss:
    """`loss` on one-hot targets, as a loss on integer labels `(batch,)`."""

    def on_labels(predictions: jax.Array, labels: jax.Array) -> jax.Array:
        return loss(predictions, jax.nn.one_hot(labels, classes, dtype=predictions.dtype))

    return on_labels


def mean_risk(loss: Loss, model: Model) -> Callable[[PyTree, Examples], jax.Array]:
    """`risk(params, examples) = mean(loss(apply(params, inputs), targets))`."""

    def risk(params: PyTree, examples: Examples) -> jax.Array:
        return jnp.mean(loss(model.apply(params, examples.inputs), examples.targets))

    return risk


def batch_measure(
    loss: Loss, model: Model, *, gradients: bool
) -> Callable[[PyTree, Examples], tuple[dict, dict]]:
    """`measure(params, batch) -> (means, rows)`: what `Evaluation` has, of one batch.

    `means` are means over the batch, `rows` have its leading axis.
    """

    def values(params: PyTree, batch: Examples) -> tuple[dict, dict]:
        predictions = model.apply(params, batch.inputs)
        return {"risk": jnp.mean(loss(predictions, batch.targets))}, {"predictions": predictions}

    def with_gradients(params: PyTree, batch: Examples) -> tuple[dict, dict]:
        predictions, pull_to_params = jax.vjp(lambda p: model.apply(p, batch.inputs), params)
        losses, pull_to_predictions = jax.vjp(lambda p: loss(p, batch.targets), predictions)
        (slopes,) = pull_to_predictions(jnp.ones_like(losses))
        (weights,) = pull_to_params(slopes / losses.size)
        means = {"risk": jnp.mean(losses), "gradients": weights}
        return means, {"predictions": predictions, "prediction_gradients": slopes}

    return with_gradients if gradients else values


def evaluator(
    loss: Loss, model: Model, *, batch_size: int, gradients: bool
) -> Callable[[PyTree, Examples], Evaluation]:
    """`evaluate(params, examples) -> Evaluation`, over batches that are weighted by their count.

    Memory is bounded by one batch plus the predictions. A loss that mixes the examples of a batch
    (a scalar loss such as a Dice over the whole batch) is averaged over these same batches.
    """
    measure = batch_measure(loss, model, gradients=gradients)

    def evaluate(params: PyTree, examples: Examples) -> Evaluation:
        means, rows = over_batches(lambda batch: measure(params, batch), examples, batch_size)
        return Evaluation(**means, **rows)

    return evaluate


def over_batches(
    measure: Callable[[Examples], tuple[dict, dict]], examples: Examples, size: int
) -> tuple[dict, dict]:
    """Means weighted by count, rows joined; the last batch may be smaller than the others."""
    count = examples.inputs.shape[0]
    if count <= size:
        return measure(examples)
    whole = count // size
    head = jax.tree.map(lambda a: a[: whole * size].reshape(whole, size, *a.shape[1:]), examples)
    shapes = jax.eval_shape(measure, jax.tree.map(lambda a: a[0], head))[0]
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    def add(total: dict, batch: Examples) -> tuple[dict, dict]:
        means, rows = measure(batch)
        return jax.tree.map(lambda t, m: t + m * (size / count), total, means), rows

    total, rows = lax.scan(add, zeros, head)
    rows = jax.tree.map(lambda a: a.reshape(whole * size, *a.shape[2:]), rows)
    rest = count - whole * size
    if rest == 0:
        return total, rows
    means, tail = measure(jax.tree.map(lambda a: a[whole * size :], examples))
    total = jax.tree.map(lambda t, m: t + m * (rest / count), total, means)
    return total, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), rows, tail)

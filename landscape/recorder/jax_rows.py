"""Numbers of one step of a training loop in JAX, as pure functions that are compiled once.

The definitions are those of `numerics/train.py`: docs/definitions.md states them.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from landscape.config.fields import GradientSettings
from landscape.numerics.loss import Loss
from landscape.numerics.risk import Examples, evaluator
from landscape.numerics.step import all_finite
from landscape.numerics.train import Counts, count_steps
from landscape.parts.metrics import (
    Metric,
    Snapshot,
    columns,
    dead_gradients,
    gradient_norm,
    update_ratio,
)
from landscape.parts.models import Model

PyTree = Any
Row = dict[str, jax.Array]
EVALUATION_BATCH = 512  # examples
_THRESHOLDS = GradientSettings()


class Tally(NamedTuple):
    """Steps so far by kind of gradient; `lost` is the first of the last steps without a finite one.

    `lost` is -1 if the last gradient was finite. On the device it is one array, in this order.
    """

    step: int
    vanishing: int
    exploding: int
    dead: int
    lost: int

    @property
    def columns(self) -> dict[str, int]:
        """The columns `step` and `steps/...` of a row."""
        counts = {f"steps/{name}": getattr(self, name) for name in Counts._fields}
        return {"step": int(self.step)} | counts


class RowFunctions(NamedTuple):
    """`of_step(params, batch, gradients, examples)` and `of_set(params, examples)`, compiled.

    `of_step` is a row without the update that follows: risk of the batch, and norms of `gradients`,
    which are those of the batch. On the evaluation set `examples` it has what `of_set` has: risk,
    metrics, gradient norm and dead fractions. Without a set (None), dead fractions are those of the
    batch.
    """

    of_step: Callable[..., Row]
    of_set: Callable[..., Row]


def first_tally() -> jax.Array:
    """Returns the tally before the first step, on the device."""
    return jnp.array(Tally(0, 0, 0, 0, lost=-1), jnp.int32)


@jax.jit
def tallied(tally: jax.Array, gradients: PyTree) -> jax.Array:
    """Returns the tally after a step with these gradients.

    Its fields are one array, which takes less time to pass than five.
    """
    step, vanishing, exploding, dead, lost = tally
    counts = Counts(vanishing, exploding, dead)
    counts = count_steps(counts, gradients, _THRESHOLDS.vanishing, _THRESHOLDS.exploding)
    lost = jnp.where(all_finite(gradients), -1, jnp.where(lost < 0, step, lost))
    return jnp.stack([step + 1, *counts, lost]).astype(jnp.int32)


@jax.jit
def ratios(before: PyTree, after: PyTree) -> Row:
    """Returns the columns `update_ratio` of the step between two points."""
    updates = jax.tree.map(jnp.subtract, after, before)
    nothing = jnp.zeros(0)
    return update_ratio()(Snapshot(nothing, nothing, params=before, updates=updates))


@jax.jit
def copied(tree: PyTree) -> PyTree:
    """Returns a copy: a training step may take its arguments' memory."""
    return jax.tree.map(jnp.copy, tree)


def row_functions(
    apply: Callable[[PyTree, Any], jax.Array],
    loss: Loss,
    metrics: Mapping[str, Metric],
    axes: Callable[[PyTree], PyTree],
) -> RowFunctions:
    """Returns functions that measure; `axes(params)` are the filter axes, None if unknown."""
    scores = columns(metrics)

    def of_step(params: PyTree, batch: Examples, gradients: PyTree, examples: Any) -> Row:
        value = loss.mean_and_slopes(apply(params, batch.inputs), batch.targets)
        targets = batch.targets.values
        of_batch = Snapshot(value.slopes, targets, gradients=gradients)
        row = {"risk/batch": value.mean} | gradient_norm()(of_batch)
        if examples is not None:
            return row | of_set(params, examples)
        of_batch = of_batch._replace(
            prediction_gradients=value.slopes,
            evaluation_gradients=gradients,
            filter_axes=axes(differentiable(params)),
        )
        return row | dead_gradients()(of_batch)

    def of_set(params: PyTree, examples: Examples) -> Row:
        arrays, rest = eqx.partition(params, eqx.is_inexact_array)
        model = Model(
            init=lambda key: arrays,
            apply=lambda a, inputs: apply(eqx.combine(a, rest), inputs),
            filter_axes=axes,
        )
        evaluate = evaluator(model, batch_size=EVALUATION_BATCH, gradients=True)
        evaluation = evaluate(loss, arrays, examples)
        snapshot = Snapshot(
            evaluation.predictions,
            examples.targets.values,
            fields=examples.targets.fields,
            prediction_gradients=evaluation.prediction_gradients,
            evaluation_gradients=evaluation.gradients,
            filter_axes=axes(arrays),
        )
        row = {"risk/evaluation": evaluation.risk} | scores(snapshot)
        return row | gradient_norm()(snapshot) | dead_gradients()(snapshot)

    return RowFunctions(eqx.filter_jit(of_step), eqx.filter_jit(of_set))


def differentiable(params: PyTree) -> PyTree:
    """Returns the parameters with None in place of what has no gradient, such as functions."""
    return eqx.filter(params, eqx.is_inexact_array)

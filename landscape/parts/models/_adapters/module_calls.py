"""A module of another library as pure functions, in the layout of its library."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from landscape.parts.models._adapters.shapes import ModelShapes, channels_last, fitted
from landscape.parts.models._build import Model, TrainingMode

PyTree = Any


class ModuleCalls(NamedTuple):
    """Calls of a module with a batch, which change nothing.

    `evaluate(params, inputs, state)`: predictions in evaluation.
    `train(params, inputs, state, key)`: predictions in training, and the next state; None if they
    are those in evaluation, and there is no state.
    `recompute(params, inputs, state)`: predictions with the statistics of this batch, without
    dropout; None if there are no batch statistics.
    """

    evaluate: Callable[[PyTree, Any, PyTree], Any]
    train: Callable[[PyTree, Any, PyTree, jax.Array], tuple[Any, PyTree]] | None = None
    recompute: Callable[[PyTree, Any, PyTree], Any] | None = None


def model_of(
    calls: ModuleCalls,
    init: Callable[[jax.Array], PyTree],
    init_state: Callable[[jax.Array], PyTree],
    axes: PyTree,
    shapes: ModelShapes,
    laid_out: Callable[[jax.Array], jax.Array] = channels_last,
) -> Model:
    """Returns the model of these calls for a dataset: `laid_out` arranges its inputs."""

    def apply(params: PyTree, inputs: jax.Array, state: PyTree = ()) -> jax.Array:
        return fitted(calls.evaluate(params, laid_out(inputs), state), shapes)

    if calls.train is None:
        return Model(init, apply, lambda params: axes)
    train, recompute = calls.train, calls.recompute

    def apply_in_training(
        params: PyTree, inputs: jax.Array, state: PyTree, key: jax.Array
    ) -> tuple[jax.Array, PyTree]:
        predictions, state = train(params, laid_out(inputs), state, key)
        return fitted(predictions, shapes), state

    def apply_recomputed(params: PyTree, inputs: jax.Array, state: PyTree) -> jax.Array:
        assert recompute is not None
        return fitted(recompute(params, laid_out(inputs), state), shapes)

    mode = TrainingMode(
        init=init_state,
        apply=apply_in_training,
        recompute=None if recompute is None else apply_recomputed,
    )
    return Model(init, apply, lambda params: axes, training=mode)

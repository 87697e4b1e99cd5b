"""Training under one loss: a pure function of parameters, data and order, compiled once.

Row `s` of what is recorded describes the parameters after `s` updates and the step about to be
taken from there, so row 0 is the initialization and the last row the trained point.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from landscape.parts.metrics import Snapshot
from landscape.parts.models import Model
from landscape.risk import Examples, Loss, evaluator, mean_risk

PyTree = Any
Metric = Callable[[Snapshot], dict[str, jax.Array]]


class Counts(NamedTuple):
    """Steps so far whose gradient vanished, exploded, or was zero in every parameter."""

    vanishing: jax.Array
    exploding: jax.Array
    dead: jax.Array


class State(NamedTuple):
    """Where training stands; `diverged` freezes it at the last finite parameters."""

    step: jax.Array
    params: PyTree
    update: PyTree
    optimizer: optax.OptState
    counts: Counts
    diverged: jax.Array


class Trained(NamedTuple):
    """The last finite parameters, whether training diverged at `step`, and the recorded rows.

    `update` is the last step taken, zero where there was none; `checkpoints` are the parameters at
    the recorded steps that were asked for, with a leading axis.
    """

    params: PyTree
    update: PyTree
    checkpoints: PyTree
    step: jax.Array
    diverged: jax.Array
    rows: dict[str, jax.Array]


def recorded_steps(steps: int, every: int) -> list[int]:
    """0, `every`, 2 `every`, … and always `steps`: the numbers of updates after which to record."""
    return [*range(0, steps, every), steps]


def checkpoint_slots(stops: Sequence[int], count: int) -> list[int]:
    """The place of each recorded step among `count` checkpoints, `count` where it has none.

    Checkpoints are spread evenly over the recorded steps, the first and the last among them; of
    fewer recorded steps than that each is one.
    """
    count = min(count, len(stops))
    spread = [round(i * (len(stops) - 1) / max(count - 1, 1)) for i in range(count)]
    return [spread.index(i) if i in spread else count for i in range(len(stops))]


def draw_order(key: jax.Array, examples: int, steps: int, batch_size: int) -> jax.Array:
    """Example numbers `(steps + 1, batch_size)`: shuffled epochs, one after the other.

    The last row is the batch on which the trained point is measured; no update is made from it.
    """
    wanted = (steps + 1) * batch_size
    epochs = -(-wanted // examples)
    keys = jax.random.split(key, epochs)
    shuffled = jax.vmap(lambda k: jax.random.permutation(k, examples))(keys)
    return shuffled.reshape(-1)[:wanted].reshape(steps + 1, batch_size).astype(jnp.int32)


def trainer(
    loss: Loss,
    model: Model,
    optimizer: optax.GradientTransformation,
    metrics: Sequence[Metric],
    *,
    evaluation_batch: int,
    vanishing: float,
    exploding: float,
    checkpoints: int = 0,
) -> Callable[[PyTree, Examples, Examples, jax.Array, jax.Array, jax.Array], Trained]:
    """`train(params, training, evaluation, order, stops, slots) -> Trained`.

    `order` is `(steps + 1, batch_size)`, `stops` the numbers of updates to record at, as
    `recorded_steps` gives them, `slots` the place of each among the checkpoints, as
    `checkpoint_slots` does. A step whose risk, gradient or result is not finite is not taken:
    training is frozen there and every later row repeats the row of that step.
    """
    risk = mean_risk(loss, model)
    evaluate = evaluator(loss, model, batch_size=evaluation_batch, gradients=True)

    def propose(
        state: State, training: Examples, order: jax.Array
    ) -> tuple[jax.Array, PyTree, PyTree, optax.OptState]:
        batch = jax.tree.map(lambda a: a[order[state.step]], training)
        value, gradients = jax.value_and_grad(risk)(state.params, batch)
        updates, memory = optimizer.update(gradients, state.optimizer, state.params)
        return value, gradients, updates, memory

    def step(state: State, training: Examples, order: jax.Array) -> State:
        value, gradients, updates, memory = propose(state, training, order)
        params = optax.apply_updates(state.params, updates)
        counts = _count(state.counts, gradients, vanishing, exploding)
        taken = State(state.step + 1, params, updates, memory, counts, state.diverged)
        finite = jnp.isfinite(value) & _all_finite(gradients) & _all_finite(params)
        frozen = state._replace(diverged=jnp.array(True))
        return jax.tree.map(lambda new, old: jnp.where(finite, new, old), taken, frozen)

    def measure(
        state: State, training: Examples, evaluation: Examples, order: jax.Array
    ) -> dict[str, jax.Array]:
        value, gradients, updates, _ = propose(state, training, order)
        found = evaluate(state.params, evaluation)
        snapshot = Snapshot(
            predictions=found.predictions,
            targets=evaluation.targets,
            prediction_gradients=found.prediction_gradients,
            params=state.params,
            gradients=gradients,
            updates=updates,
            evaluation_gradients=found.gradients,
            filter_axes=model.filter_axes(state.params),
        )
        row = {"step": state.step, "risk/batch": value, "risk/evaluation": found.risk}
        for metric in metrics:
            row |= metric(snapshot)
        return row | {f"steps/{name}": count for name, count in state.counts._asdict().items()}

    def train(
        params: PyTree,
        training: Examples,
        evaluation: Examples,
        order: jax.Array,
        stops: jax.Array,
        slots: jax.Array,
    ) -> Trained:
        def until_stop(
            carry: tuple[State, PyTree], at: tuple[jax.Array, jax.Array]
        ) -> tuple[tuple[State, PyTree], dict[str, jax.Array]]:
            (state, kept), (stop, slot) = carry, at
            state = lax.while_loop(
                lambda s: (s.step < stop) & ~s.diverged, lambda s: step(s, training, order), state
            )
            if checkpoints:
                kept = jax.tree.map(lambda k, p: k.at[slot].set(p, mode="drop"), kept, state.params)
            return (state, kept), measure(state, training, evaluation, order)

        none = jnp.zeros((), jnp.int32)
        counts = Counts(none, none, none)
        still = optax.tree.zeros_like(params)
        memory = optimizer.init(params)
        state = State(none, params, still, memory, counts, jnp.array(False))
        kept = jax.tree.map(lambda p: jnp.zeros((checkpoints, *p.shape), p.dtype), params)
        (state, kept), rows = lax.scan(until_stop, (state, kept), (stops, slots))
        return Trained(state.params, state.update, kept, state.step, state.diverged, rows)

    return train


def _count(counts: Counts, gradients: PyTree, vanishing: float, exploding: float) -> Counts:
    leaves = jax.tree.leaves(gradients)
    size = sum(leaf.size for leaf in leaves)
    mean = sum(jnp.sum(jnp.abs(leaf)) for leaf in leaves) / size
    dead = jnp.all(jnp.stack([jnp.all(leaf == 0) for leaf in leaves]))
    seen = Counts(
        vanishing=(mean < vanishing) & ~dead,
        exploding=optax.tree.norm(gradients) > exploding,
        dead=dead,
    )
    return jax.tree.map(lambda count, now: count + now.astype(count.dtype), counts, seen)


def _all_finite(tree: PyTree) -> jax.Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))

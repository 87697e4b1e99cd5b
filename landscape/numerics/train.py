"""Training under one loss: a pure function of parameters, data and order, compiled once.

Row `s` of what is recorded describes the parameters after `s` updates and the step about to be
taken from there, so row 0 is the initialization and the last row the trained point.
"""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from landscape.numerics.compiling import jit_loop
from landscape.numerics.risk import Examples, Loss, evaluator, mean_risk
from landscape.parts.metrics import Snapshot
from landscape.parts.models import Model

PyTree = Any
Metric = Callable[[Snapshot], dict[str, jax.Array]]


class Counts(NamedTuple):
    """Steps so far whose gradient vanished, exploded, or was zero in every parameter."""

    vanishing: jax.Array
    exploding: jax.Array
    dead: jax.Array


class TrainState(NamedTuple):
    """Where training stands; `diverged` freezes it at the last finite parameters."""

    step: jax.Array
    params: PyTree
    update: PyTree
    optimizer: optax.OptState
    counts: Counts
    diverged: jax.Array


class Proposal(NamedTuple):
    """The step about to be taken: risk and gradient on its batch, the update, optimizer memory."""

    risk: jax.Array
    gradients: PyTree
    updates: PyTree
    memory: optax.OptState


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


class Carry(NamedTuple):
    """What goes round in the loop: where training stands, the rows so far, the checkpoints."""

    state: TrainState
    rows: dict[str, jax.Array]
    checkpoints: PyTree


class Loop(NamedTuple):
    """Training, to be run in pieces.

    `begin(params, training, evaluation, order, stops, slots) -> Carry` and
    `advance(carry, first, end, training, evaluation, order, stops, slots) -> Carry`, which makes
    the steps from `first` to before `end`. The last one, of number `steps`, is recorded, not taken.
    """

    begin: Callable[..., Carry]
    advance: Callable[..., Carry]


# A piece takes about this many seconds: between two of them a caller can look on.
PIECE = 0.5


def run(
    loop: Loop, given: tuple, tell: Callable[[int, Carry], None] = lambda step, carry: None
) -> Trained:
    """Runs a loop over all its steps; `tell(step, carry)` after each piece of it.

    The pieces end at recorded steps. How many there are changes no number: each is the same
    compiled program. `given` is what `begin` takes; of several runs side by side it has a leading
    axis, `stops` too.
    """
    others = given[1:]
    stops = np.asarray(others[-2])
    ends = [int(stop) + 1 for stop in stops.reshape(-1, stops.shape[-1])[0]]
    carry = loop.begin(*given)
    first, place, stride = 0, 0, 1
    while first < ends[-1]:
        began = time.monotonic()
        place = min(place + stride, len(ends))
        end = ends[place - 1]
        carry = loop.advance(carry, first, end, *others)
        jax.block_until_ready(carry)
        tell(end - 1, carry)
        took = time.monotonic() - began
        stride = stride * 2 if took < PIECE / 2 else max(stride // 2, 1) if took > PIECE else stride
        first = end
    state, rows, kept = carry
    return Trained(state.params, state.update, kept, state.step, state.diverged, rows)


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


@functools.partial(jit_loop, static_argnums=(1, 2, 3))
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
) -> Loop:
    """Training under a loss, as pure functions.

    `order` is `(steps + 1, batch_size)`, `stops` the numbers of updates to record at, as
    `recorded_steps` gives them, `slots` the place of each among the checkpoints, as
    `checkpoint_slots` does. A step whose risk, gradient or result is not finite is not taken:
    training is frozen there and every later row repeats the row of that step.
    """
    risk = mean_risk(loss, model)
    evaluate = evaluator(loss, model, batch_size=evaluation_batch, gradients=True)

    def propose(state: TrainState, training: Examples, order: jax.Array) -> Proposal:
        batch = jax.tree.map(lambda a: a[order[state.step]], training)
        value, gradients = jax.value_and_grad(risk)(state.params, batch)
        updates, memory = optimizer.update(gradients, state.optimizer, state.params)
        return Proposal(value, gradients, updates, memory)

    def take(state: TrainState, proposal: Proposal) -> TrainState:
        value, gradients, updates, memory = proposal
        params = optax.apply_updates(state.params, updates)
        counts = _count(state.counts, gradients, vanishing, exploding)
        taken = TrainState(state.step + 1, params, updates, memory, counts, state.diverged)
        finite = jnp.isfinite(value) & _all_finite(gradients) & _all_finite(params)
        frozen = state._replace(diverged=jnp.array(True))
        goes_on = finite & ~state.diverged
        return jax.tree.map(lambda new, old: jnp.where(goes_on, new, old), taken, frozen)

    def measure(
        state: TrainState, proposal: Proposal, evaluation: Examples
    ) -> dict[str, jax.Array]:
        found = evaluate(state.params, evaluation)
        snapshot = Snapshot(
            predictions=found.predictions,
            targets=evaluation.targets,
            prediction_gradients=found.prediction_gradients,
            params=state.params,
            gradients=proposal.gradients,
            updates=proposal.updates,
            evaluation_gradients=found.gradients,
            filter_axes=model.filter_axes(state.params),
        )
        row = {"step": state.step, "risk/batch": proposal.risk, "risk/evaluation": found.risk}
        for metric in metrics:
            row |= metric(snapshot)
        return row | {f"steps/{name}": count for name, count in state.counts._asdict().items()}

    def begin(
        params: PyTree,
        training: Examples,
        evaluation: Examples,
        order: jax.Array,
        stops: jax.Array,
        slots: jax.Array,
    ) -> Carry:
        none = jnp.zeros((), jnp.int32)
        counts = Counts(none, none, none)
        still = optax.tree.zeros_like(params)
        state = TrainState(none, params, still, optimizer.init(params), counts, jnp.array(False))
        shapes = jax.eval_shape(
            lambda s: measure(s, propose(s, training, order), evaluation), state
        )
        rows = jax.tree.map(lambda row: jnp.zeros((len(stops), *row.shape), row.dtype), shapes)
        kept = jax.tree.map(lambda p: jnp.zeros((checkpoints, *p.shape), p.dtype), params)
        return Carry(state, rows, kept)

    def advance(
        carry: Carry,
        first: jax.Array,
        end: jax.Array,
        training: Examples,
        evaluation: Examples,
        order: jax.Array,
        stops: jax.Array,
        slots: jax.Array,
    ) -> Carry:
        # The step that is recorded is the one that is taken: its gradient is computed once. Whether
        # to record depends on the number of the step alone, so that it stays a branch, and is not
        # computed at every step, where several seeds train side by side.
        def step(number: jax.Array, carry: Carry) -> Carry:
            state, rows, kept = carry
            proposal = propose(state, training, order)
            place = places[number]
            rows = lax.cond(
                place < len(stops),
                lambda: _put(rows, place, measure(state, proposal, evaluation)),
                lambda: rows,
            )
            if checkpoints:
                slot = jnp.where(place < len(stops), slots[place], checkpoints)
                kept = _put(kept, slot, state.params)
            state = lax.cond(number < last, lambda: take(state, proposal), lambda: state)
            return Carry(state, rows, kept)

        last = len(order) - 1
        places = jnp.full(len(order), len(stops), stops.dtype).at[stops].set(jnp.arange(len(stops)))
        return lax.fori_loop(first, end, step, carry)

    return Loop(begin, advance)


def _put(table: PyTree, place: jax.Array, row: PyTree) -> PyTree:
    """`table` with `row` at a place, unchanged where there is no such place."""
    return jax.tree.map(lambda t, r: t.at[place].set(r, mode="drop"), table, row)


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

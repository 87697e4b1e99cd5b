"""Training under a loss: a pure function of parameters, data and order, compiled once.

Row `s` of the recorded rows describes the parameters after `s` updates and the step about to be
taken from there, so row 0 is the initialization and the last row the trained point.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from landscape.numerics.loss import Objective
from landscape.numerics.param_vector import Layout, as_tree, layout_for
from landscape.numerics.recording import Best, Recording, better, first_best, score
from landscape.numerics.risk import Examples, evaluator, loss_metric_columns
from landscape.numerics.step import Numbers, Proposal, all_finite, proposer
from landscape.parts.metrics import Snapshot
from landscape.parts.models import Model

PyTree = Any


class TrainingInputs(NamedTuple):
    """Arguments of a training beside its loss. All are traced.

    optimizer: values of the optimizer's options that are numbers
    params: the initial parameters
    training, evaluation: examples to train on, and the fixed set on which rows are measured
    order: `(steps + 1, batch_size)` numbers of training examples, see `training_order.draw_order`
    record_at: `(R,)` numbers of updates after which a row is recorded, see `recorded_steps`
    slots: `(R,)` place of each recorded step among the checkpoints, see `checkpoint_slots`
    state: the initial state of the model, None for a model without a training mode
    key: of what is random in training, such as dropout; None for a model without a training mode
    """

    optimizer: Numbers
    params: PyTree
    training: Examples
    evaluation: Examples
    order: jax.Array
    record_at: jax.Array
    slots: jax.Array
    state: PyTree = None
    key: jax.Array | None = None


class Variables(NamedTuple):
    """Parameters, and the state of the model that belongs to them: None without one."""

    params: PyTree
    state: PyTree = None


class Counts(NamedTuple):
    """Steps so far whose gradient vanished, exploded, or was zero in every parameter."""

    vanishing: jax.Array
    exploding: jax.Array
    dead: jax.Array


class TrainState(NamedTuple):
    """The state of training; `diverged` freezes it at the last finite parameters.

    `params` and `update` are vectors if the optimizer is elementwise, see `trainer`. `state` is
    that of the model.
    """

    step: jax.Array
    params: PyTree
    update: PyTree
    optimizer: optax.OptState
    counts: Counts
    diverged: jax.Array
    state: PyTree = None

    @property
    def variables(self) -> Variables:
        """The parameters and the state of the model."""
        return Variables(self.params, self.state)


class Trained(NamedTuple):
    """The last finite variables, whether training diverged at `step`, and the recorded rows.

    `update` is the last step taken, zero if none was; `best` are the variables at the recorded
    step with the best primary metric; `checkpoints` are the variables at the recorded steps that
    have a slot, with a leading axis.
    """

    last: Variables
    update: PyTree
    best: Variables
    checkpoints: Variables
    step: jax.Array
    diverged: jax.Array
    rows: dict[str, jax.Array]


class Carry(NamedTuple):
    """The loop carry: the state of training, the rows so far, the best step, the checkpoints."""

    state: TrainState
    rows: dict[str, jax.Array]
    best: Best
    checkpoints: Variables


class Loop(NamedTuple):
    """Training, to be run in pieces.

    `begin(loss, inputs) -> Carry` and `advance(loss, carry, first, end, inputs) -> Carry`, which
    makes the steps from `first` to before `end`. The last one, number `steps`, is recorded, not
    taken.
    """

    begin: Callable[[Objective, TrainingInputs], Carry]
    advance: Callable[..., Carry]


# A piece takes about this many seconds; callers are notified after each.
PIECE_SECONDS = 0.5


def run_in_pieces(
    loop: Loop,
    loss: Objective,
    inputs: TrainingInputs,
    notify: Callable[[int, Carry], None] = lambda step, carry: None,
) -> Trained:
    """Runs a loop over all its steps and calls `notify(step, carry)` after each piece.

    Pieces end at recorded steps. Their number changes no result: each is the same compiled
    program. For several runs side by side, every input has a leading axis.
    """
    record_at = np.asarray(inputs.record_at)
    ends = [int(step) + 1 for step in record_at.reshape(-1, record_at.shape[-1])[0]]
    carry = loop.begin(loss, inputs)
    first, recorded, stride = 0, 0, 1
    while first < ends[-1]:
        started = time.monotonic()
        recorded = min(recorded + stride, len(ends))
        end = ends[recorded - 1]
        carry = loop.advance(loss, carry, first, end, inputs)
        jax.block_until_ready(carry)
        notify(end - 1, carry)
        stride = _next_stride(stride, time.monotonic() - started)
        first = end
    return _finish(carry, inputs)


def _finish(carry: Carry, inputs: TrainingInputs) -> Trained:
    state, rows, best, checkpoints = carry
    runs = inputs.record_at.ndim - 1  # leading axes
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape[runs:], leaf.dtype), inputs.params
    )

    def unpacked(variables: Variables) -> Variables:
        return Variables(as_tree(variables.params, shapes), variables.state)

    return Trained(
        last=unpacked(state.variables),
        update=as_tree(state.update, shapes),
        best=unpacked(best.variables),
        checkpoints=unpacked(checkpoints),
        step=state.step,
        diverged=state.diverged,
        rows=rows,
    )


def _next_stride(stride: int, seconds: float) -> int:
    """Doubles or halves the recorded steps per piece, so that a piece takes `PIECE_SECONDS`."""
    if seconds < PIECE_SECONDS / 2:
        return stride * 2
    if seconds > PIECE_SECONDS:
        return max(stride // 2, 1)
    return stride


def trainer(
    model: Model,
    build_optimizer: Callable[[Numbers], optax.GradientTransformation],
    recording: Recording,
    *,
    elementwise: bool = False,
) -> Loop:
    """Returns training as pure functions; `build_optimizer(numbers)` is called inside the trace.

    A step whose risk, gradient or result is not finite is not taken: training is frozen there and
    every later row repeats the row of that step. `elementwise` states that the optimizer treats
    every entry of the parameters alike; it then receives them as one vector, which is faster.
    """
    layout = layout_for(elementwise)
    measure = _row_measure(model, recording, layout)
    propose = proposer(model, build_optimizer, layout)

    def next_step(loss: Objective, state: TrainState, inputs: TrainingInputs) -> Proposal:
        return propose(loss, state.step, state.params, state.state, state.optimizer, inputs)

    def begin(loss: Objective, inputs: TrainingInputs) -> Carry:
        zero = jnp.zeros((), jnp.int32)
        params = layout(inputs.params).pack(inputs.params)
        state = TrainState(
            step=zero,
            params=params,
            update=optax.tree.zeros_like(params),
            optimizer=build_optimizer(inputs.optimizer).init(params),
            counts=Counts(zero, zero, zero),
            diverged=jnp.array(False),
            state=inputs.state,
        )
        shapes = jax.eval_shape(
            lambda s: measure(loss, s, next_step(loss, s, inputs), inputs), state
        )
        rows = _zeros(len(inputs.record_at), shapes)
        checkpoints = _zeros(recording.checkpoints, state.variables)
        return Carry(state, rows, first_best(state.variables), checkpoints)

    def advance(
        loss: Objective, carry: Carry, first: jax.Array, end: jax.Array, inputs: TrainingInputs
    ) -> Carry:
        # The recorded step is the one that is taken: its gradient is computed once. Whether to
        # record depends on the number of the step alone: a branch for seeds side by side too.
        def step(number: jax.Array, carry: Carry) -> Carry:
            state, rows, best, checkpoints = carry
            proposal = next_step(loss, state, inputs)
            place = places[number]

            def record() -> tuple[dict[str, jax.Array], jax.Array]:
                row = measure(loss, state, proposal, inputs)
                return _put(rows, place, row), score(recording, row)

            rows, value = lax.cond(place < count, record, lambda: (rows, nothing))
            best = better(best, value, state.variables)
            if recording.checkpoints:
                slot = jnp.where(place < count, inputs.slots[place], recording.checkpoints)
                checkpoints = _put(checkpoints, slot, state.variables)
            state = lax.cond(
                number < last, lambda: _take(recording, state, proposal), lambda: state
            )
            return Carry(state, rows, best, checkpoints)

        nothing = jnp.full((), -jnp.inf, jnp.float32)
        count, last = len(inputs.record_at), len(inputs.order) - 1
        places = _row_numbers(inputs.record_at, len(inputs.order))
        return lax.fori_loop(first, end, step, carry)

    return Loop(begin, advance)


def _take(recording: Recording, state: TrainState, proposal: Proposal) -> TrainState:
    """Returns the state after the proposed step, or the frozen state if it is not finite."""
    value, gradients, updates, memory, model_state = proposal
    params = optax.apply_updates(state.params, updates)
    counts = count_steps(state.counts, gradients, recording.vanishing, recording.exploding)
    taken = TrainState(state.step + 1, params, updates, memory, counts, state.diverged, model_state)
    # 0 * x is NaN unless x is finite: one pass over both.
    zeros = jax.tree.map(lambda g, p: 0 * g + 0 * p, gradients, params)
    finite = jnp.isfinite(value) & all_finite(zeros)
    frozen = state._replace(diverged=jnp.array(True))
    goes_on = finite & ~state.diverged
    return jax.tree.map(lambda new, old: jnp.where(goes_on, new, old), taken, frozen)


def _row_measure(
    model: Model, recording: Recording, layout: Callable[[PyTree], Layout]
) -> Callable[..., dict[str, jax.Array]]:
    """`measure(loss, state, proposal, inputs)`: one row of what is recorded."""
    evaluate = evaluator(model, batch_size=recording.evaluation_batch, gradients=True)
    loss_metrics = loss_metric_columns(recording.evaluation_batch)

    def measure(
        loss: Objective, state: TrainState, proposal: Proposal, inputs: TrainingInputs
    ) -> dict[str, jax.Array]:
        unpack = layout(inputs.params).unpack
        params = unpack(state.params)
        evaluation = evaluate(loss, params, inputs.evaluation._replace(state=state.state))
        snapshot = Snapshot(
            predictions=evaluation.predictions,
            targets=inputs.evaluation.targets.values,
            fields=inputs.evaluation.targets.fields,
            prediction_gradients=evaluation.prediction_gradients,
            params=params,
            gradients=unpack(proposal.gradients),
            updates=unpack(proposal.updates),
            evaluation_gradients=evaluation.gradients,
            filter_axes=model.filter_axes(params),
        )
        row = {
            "step": state.step,
            "risk/batch": proposal.risk,
            "risk/evaluation": evaluation.risk,
        }
        for measurement in recording.measurements:
            row |= measurement(snapshot)
        row |= loss_metrics(loss, evaluation.predictions, inputs.evaluation)
        return row | {f"steps/{name}": count for name, count in state.counts._asdict().items()}

    return measure


def _row_numbers(record_at: jax.Array, steps: int) -> jax.Array:
    """Returns the number of the row of each step; steps without a row get the number of rows."""
    count = len(record_at)
    return jnp.full(steps, count, record_at.dtype).at[record_at].set(jnp.arange(count))


def _zeros(count: int, row: PyTree) -> PyTree:
    """Returns a table of `count` rows of zeros, each like `row`."""
    return jax.tree.map(lambda r: jnp.zeros((count, *r.shape), r.dtype), row)


def _put(table: PyTree, place: jax.Array, row: PyTree) -> PyTree:
    """Writes `row` at a place of `table`; a place past its end changes nothing."""
    return jax.tree.map(lambda t, r: t.at[place].set(r, mode="drop"), table, row)


def count_steps(counts: Counts, gradients: PyTree, vanishing: float, exploding: float) -> Counts:
    """Returns the counts after a step of these gradients; the bounds are those of `Recording`."""
    leaves = jax.tree.leaves(gradients)
    size = sum(leaf.size for leaf in leaves)
    total = jnp.sum(jnp.stack([jnp.sum(jnp.abs(leaf)) for leaf in leaves]))
    present = Counts(
        vanishing=(total / size < vanishing) & (total > 0),
        exploding=optax.tree.norm(gradients) > exploding,
        dead=total == 0,
    )
    return jax.tree.map(lambda count, now: count + now.astype(count.dtype), counts, present)

"""Where training succeeds in the plane of learning rate and scale of the initial weights.

One compiled program trains many cells of that plane side by side: the rate and the scale are
arguments. The data, their order and the initial draw of a seed are shared by its cells.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import PartitionSpec

from landscape.numerics.loss import Objective
from landscape.numerics.param_vector import layout_for
from landscape.numerics.risk import BatchMeasure, Examples, over_batches
from landscape.numerics.step import Numbers, all_finite, proposer
from landscape.numerics.train import TrainingInputs
from landscape.parts.metrics import Metric, Snapshot
from landscape.parts.models import Model, scale_weights

PyTree = Any


class Cells(NamedTuple):
    """Points of the plane: `rates` and `scales` have the shape `(devices, width)`."""

    rates: jax.Array
    scales: jax.Array


class _State(NamedTuple):
    """The state of one cell; `diverged` freezes it at the last finite parameters."""

    params: PyTree
    state: PyTree
    optimizer: optax.OptState
    diverged: jax.Array


CellTrainer = Callable[[Objective, Cells, TrainingInputs], jax.Array]


def cell_trainer(
    model: Model,
    build_optimizer: Callable[[Numbers], optax.GradientTransformation],
    metric: Metric,
    *,
    evaluation_batch: int,
    elementwise: bool = False,
) -> CellTrainer:
    """`final(loss, cells, inputs)`: the value of `metric` after training, NaN if it diverged.

    The result has the shape of `cells.rates`. Each cell is trained as `train.trainer` does, on the
    `steps` batches of `inputs.order` before its last row, with its rate as `learning_rate` and its
    scale as factor of the weights of `inputs.params`. Cells of a row of `cells` are computed side
    by side, rows on one device each.
    """
    layout = layout_for(elementwise)
    propose = proposer(model, build_optimizer, layout)

    def train(loss: Objective, rate: jax.Array, scale: jax.Array, inputs: TrainingInputs) -> PyTree:
        inputs = inputs._replace(
            optimizer=inputs.optimizer | {"learning_rate": rate},
            params=scale_weights(model, inputs.params, scale),
        )
        pack, unpack = layout(inputs.params)

        def step(number: jax.Array, state: _State) -> _State:
            variables = state.params, state.state
            proposal = propose(loss, number, *variables, state.optimizer, inputs)
            params = optax.apply_updates(state.params, proposal.updates)
            finite = (
                jnp.isfinite(proposal.risk) & all_finite(proposal.gradients) & all_finite(params)
            )
            goes_on = finite & ~state.diverged
            taken = _State(params, proposal.state, proposal.optimizer, state.diverged)
            frozen = state._replace(diverged=jnp.array(True))
            return jax.tree.map(lambda new, old: jnp.where(goes_on, new, old), taken, frozen)

        params = pack(inputs.params)
        memory = build_optimizer(inputs.optimizer).init(params)
        state = _State(params, inputs.state, memory, jnp.array(False))
        state = lax.fori_loop(0, len(inputs.order) - 1, step, state)
        return unpack(state.params), state.state, state.diverged

    def final(
        loss: Objective, rate: jax.Array, scale: jax.Array, inputs: TrainingInputs
    ) -> jax.Array:
        params, state, diverged = train(loss, rate, scale, inputs)

        def predict(batch: Examples) -> BatchMeasure:
            predictions = model.predict(params, batch.inputs, batch.state)
            return BatchMeasure({}, {"predictions": predictions})

        examples = inputs.evaluation._replace(state=state)
        predictions = over_batches(predict, examples, evaluation_batch).rows["predictions"]
        targets = inputs.evaluation.targets
        score = metric(Snapshot(predictions, targets.values, fields=targets.fields))
        return jnp.where(diverged, jnp.nan, score)

    def row(loss: Objective, cells: Cells, inputs: TrainingInputs) -> jax.Array:
        # One row per device.
        side_by_side = jax.vmap(final, (None, 0, 0, None))
        return side_by_side(loss, cells.rates[0], cells.scales[0], inputs)[None]

    return _one_row_per_device(row)


def _one_row_per_device(row: CellTrainer) -> CellTrainer:
    def rows(loss: Objective, cells: Cells, inputs: TrainingInputs) -> jax.Array:
        mesh = jax.make_mesh(
            (len(cells.rates),), ("cells",), axis_types=(jax.sharding.AxisType.Auto,)
        )
        split, whole = PartitionSpec("cells"), PartitionSpec()
        mapped = jax.shard_map(
            row, mesh=mesh, in_specs=(whole, split, whole), out_specs=split, check_vma=False
        )
        return mapped(loss, cells, inputs)

    return rows

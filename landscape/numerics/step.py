"""One step of an optimizer on the risk of a batch, proposed but not taken."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from landscape.numerics.loss import Objective
from landscape.numerics.param_vector import Layout
from landscape.numerics.risk import Examples, training_risk
from landscape.parts.models import Model

PyTree = Any
Numbers = dict[str, Any]


class StepInputs(Protocol):
    """What a step needs of `train.TrainingInputs`."""

    @property
    def optimizer(self) -> Numbers: ...
    @property
    def params(self) -> PyTree: ...
    @property
    def training(self) -> Examples: ...
    @property
    def order(self) -> jax.Array: ...
    @property
    def key(self) -> jax.Array | None: ...


class Proposal(NamedTuple):
    """The step about to be taken: risk and gradient on its batch, update, optimizer, model state.

    `state` is the next state of the model, None for a model without one.
    """

    risk: jax.Array
    gradients: PyTree
    updates: PyTree
    optimizer: optax.OptState
    state: PyTree = None


def proposer(
    model: Model,
    build_optimizer: Callable[[Numbers], optax.GradientTransformation],
    layout: Callable[[PyTree], Layout],
) -> Callable[..., Proposal]:
    """`propose(loss, step, params, state, optimizer_state, inputs)`: from packed parameters.

    `state` is that of the model. What is random in training depends on the number of the step.
    """
    risk = training_risk(model)

    def propose(
        loss: Objective,
        step: jax.Array,
        params: PyTree,
        state: PyTree,
        memory: optax.OptState,
        inputs: StepInputs,
    ) -> Proposal:
        batch = jax.tree.map(lambda a: a[inputs.order[step]], inputs.training)
        batch = batch._replace(state=state)
        key = None if inputs.key is None else jax.random.fold_in(inputs.key, step)
        pack, unpack = layout(inputs.params)
        differentiate = jax.value_and_grad(risk, 1, has_aux=True)
        (value, state), tree = differentiate(loss, unpack(params), batch, key)
        gradients = pack(tree)
        optimizer = build_optimizer(inputs.optimizer)
        updates, memory = optimizer.update(gradients, memory, params)
        return Proposal(value, gradients, updates, memory, state)

    return propose


def all_finite(tree: PyTree) -> jax.Array:
    """Returns whether every number of the arrays of a tree is finite."""
    # 0 * x is NaN unless x is finite. The sum is one operation on a CPU, that of truth values is
    # several, and a maximum omits NaN there.
    leaves = jax.tree.leaves(tree)
    return jnp.sum(jnp.stack([jnp.sum(jnp.zeros_like(leaf) * leaf) for leaf in leaves])) == 0

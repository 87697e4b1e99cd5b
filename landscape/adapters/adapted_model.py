"""What an adapter returns: a trained model as a function of its parameters."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import UserError
from landscape.parts.models import Model, TrainingMode
from landscape.parts.models._adapters.filter_axes import Choice, KnownAxes, filter_axes
from landscape.parts.models._adapters.module_calls import ModuleCalls

PyTree = Any
_ADVICE = (
    'pass `filter_axes="last"` (or "first"), or a function from the parameters to a tree with the '
    "number of the axis of each weight, None for biases"
)


@dataclasses.dataclass(frozen=True, eq=False)
class AdaptedModel:
    """A trained model in evaluation: `apply(params, inputs)`, in the layout of its library.

    apply: predictions in evaluation. `apply(params, inputs, state)` uses another state
    params: the floating-point arrays that are trained
    state: everything else that predictions depend on, such as batch statistics; None if nothing
    filter_axes: pytree like `params` with the axis that counts the filters (output units) of each
        weight, None for biases and normalization
    training: how predictions differ in training; None if they do not
    description: the library, the model and its mode, in one line
    """

    apply: Callable[..., Any]
    params: PyTree
    state: PyTree | None
    filter_axes: PyTree
    training: TrainingMode | None
    description: str

    @property
    def model(self) -> Model:
        """The model whose initial parameters are the trained ones, whatever the key."""
        return Model(
            init=lambda key: self.params,
            apply=self.apply,
            filter_axes=lambda params: self.filter_axes,
            training=self.training,
        )

    def with_batch_statistics(self, kind: str) -> "AdaptedModel":
        """Returns the model with `frozen` or `recomputed` batch statistics.

        Recomputed ones are those of the batch that is passed, without dropout. Raises UserError if
        the model has none.
        """
        if kind not in ("frozen", "recomputed"):
            message = f"`batch_statistics` is {kind!r}, expected `frozen` or `recomputed`"
            raise UserError(message)
        if kind == "frozen":
            return self
        recompute = self.model.with_batch_statistics(kind).apply
        state = self.state

        def apply(params: PyTree, inputs: Any, state: PyTree = state) -> Any:
            return recompute(params, inputs, state)

        description = self.description.replace("frozen", "recomputed")
        return dataclasses.replace(self, apply=apply, description=description)


def adapted_model(
    calls: ModuleCalls,
    params: PyTree,
    state: PyTree,
    known: Callable[[PyTree], KnownAxes],
    choice: Choice,
    name: str,
) -> AdaptedModel:
    """Returns the model of these calls at trained parameters; `name` begins its description.

    Arrays are copied. Those of `params` that are not floating-point stay as they are.
    """
    check_choice(choice)
    arrays = jax.tree.map(_copied, params)
    trained, constant = eqx.partition(arrays, eqx.is_inexact_array)
    if not jax.tree.leaves(trained):
        raise UserError(f"{name} has no floating-point parameters, expected at least one")
    axes = filter_axes(trained, known(trained), choice, _ADVICE)
    state = jax.tree.map(_copied, state)
    frozen = state if calls.train is not None else None

    def apply(params: PyTree, inputs: Any, state: PyTree = frozen) -> Any:
        return calls.evaluate(eqx.combine(params, constant), inputs, () if state is None else state)

    training = None
    if calls.train is not None:
        train, recompute = calls.train, calls.recompute
        training = TrainingMode(
            init=lambda key: frozen,
            apply=lambda params, *others: train(eqx.combine(params, constant), *others),
            recompute=None
            if recompute is None
            else lambda params, *others: recompute(eqx.combine(params, constant), *others),
        )
    mode = "evaluation mode"
    if calls.recompute is not None:
        mode += ", batch statistics frozen"
    return AdaptedModel(apply, trained, frozen, axes, training, f"{name}, {mode}")


def check_choice(choice: Choice) -> None:
    """Raises UserError unless `filter_axes` is `first`, `last`, a function or None."""
    if choice is None or choice in ("first", "last") or callable(choice):
        return
    raise UserError(
        f"`filter_axes` is {choice!r}, expected `first`, `last` or a function", hint=_ADVICE
    )


def check_instance(value: Any, kind: type, adapter: str, example: str) -> None:
    """Raises UserError unless a value is an instance of the class that an adapter takes."""
    if isinstance(value, kind):
        return
    if inspect.isclass(value):
        message = f"`adapters.{adapter}` takes a model, not its class {value.__name__}"
    else:
        message = f"`adapters.{adapter}` takes a {kind.__name__}, not {type(value).__name__}"
    raise UserError(message, hint=f"call it as `{example}`")


def missing_package(package: str, extra: str) -> UserError:
    """Returns the error for an adapter whose library is not installed."""
    return UserError(
        f"`adapters.{extra}` needs the package {package}, which is not installed",
        hint=f"install it: `pip install 'landscape[{extra}]'`",
    )


def _copied(leaf: Any) -> jax.Array:
    # JAX may share the memory of an array of NumPy, which its owner may change.
    return jnp.array(leaf) if isinstance(leaf, np.ndarray) else jnp.asarray(leaf)

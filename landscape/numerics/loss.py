"""A loss as a value: a pytree that compiled functions take as their first argument.

`Loss` is one loss; `LossFamily` is one of several, compiled together. Compiled functions use either
only as an `Objective`.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax

from landscape.numerics.class_axis import ClassAxis, second_axis
from landscape.numerics.loss_arguments import LossArguments

Function = Callable[..., Any]


class Targets(eqx.Module):
    """All that a loss receives beside the predictions, each with the leading axis of the examples.

    `values` are the targets of the dataset; `fields` its other arrays by name, such as `weights`.
    """

    values: Any
    fields: dict[str, Any] = eqx.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)


class StaticOptions(Mapping[str, Any]):
    """Options that are part of a compiled program, hashable whatever their values are.

    Two are equal if their values print alike, so 1, 1.0, and True are three programs.
    """

    def __init__(self, options: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._options = dict(options)
        self._text = repr(sorted(self._options.items()))

    def __getitem__(self, name: str) -> Any:
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StaticOptions) and self._text == other._text

    def __repr__(self) -> str:
        return f"StaticOptions({self._options!r})"


class LossValue(NamedTuple):
    """The mean of a loss over a batch and its slopes with respect to the predictions.

    `slopes` are the derivative of the sum, so that their zeros do not depend on the size of the
    batch; `mean_slopes` are the derivative of the mean.
    """

    mean: jax.Array
    slopes: jax.Array
    mean_slopes: jax.Array


class Objective(Protocol):
    """All that compiled functions need of a loss."""

    def mean(self, predictions: jax.Array, targets: Targets) -> jax.Array:
        """Returns the mean of the loss over a batch."""

    def mean_and_slopes(self, predictions: jax.Array, targets: Targets) -> LossValue:
        """Returns the mean of the loss and its slopes with respect to the predictions."""

    def metrics(self, predictions: jax.Array, targets: Targets) -> dict[str, jax.Array]:
        """Returns the metrics that the loss returns beside its value; empty if it has none."""


class Loss(eqx.Module):
    """`loss(predictions, targets)`: elementwise, one value per example, or a scalar.

    `function` and `options` are static: another one is another program. `numbers` are traced: all
    of their values share one compilation. With `classes` the function receives integer labels
    `(batch,)` as one-hot targets `(batch, classes)`. `arguments` are the order of its arguments and
    the fields that it receives by name. With `vmap` it receives one example at a time. With
    `has_metrics` it returns `(value, metrics)`, a dict of arrays that are recorded. With `weighted`
    the value of each example is multiplied by the field `weights`, which the function does not
    take: the mean is sum(weights * loss) / count, so that it does not depend on the batches. With
    `class_axis="second"` the function receives predictions (batch, ..., classes) as PyTorch has
    them: (batch, classes, ...).
    """

    function: Function = eqx.field(static=True)
    options: StaticOptions = eqx.field(static=True, default=StaticOptions())
    numbers: dict[str, Any] = eqx.field(default_factory=dict)
    classes: int | None = eqx.field(static=True, default=None)
    arguments: LossArguments = eqx.field(static=True, default=LossArguments())
    vmap: bool = eqx.field(static=True, default=False)
    has_metrics: bool = eqx.field(static=True, default=False)
    weighted: bool = eqx.field(static=True, default=False)
    class_axis: ClassAxis = eqx.field(static=True, default="last")

    def __call__(self, predictions: jax.Array, targets: Targets) -> jax.Array:
        result = self.result(predictions, targets)
        value: jax.Array = result[0] if self.has_metrics else result
        return _times(value, targets.fields["weights"]) if self.weighted else value

    def result(self, predictions: jax.Array, targets: Targets) -> Any:
        """Returns what the function returns: the value, or `(value, metrics)`."""
        values = targets.values
        if self.classes is not None:
            values = jax.nn.one_hot(values, self.classes, dtype=predictions.dtype)
        if self.class_axis == "second":
            predictions, values = second_axis(predictions, values)
        fields = {name: targets.fields[name] for name in self.arguments.fields}
        call = jax.vmap(self._call) if self.vmap else self._call
        return call(predictions, values, fields)

    def _call(self, predictions: jax.Array, values: jax.Array, fields: dict[str, Any]) -> Any:
        ordered = self.arguments.ordered(predictions, values)
        return self.function(*ordered, **fields, **self.options, **self.numbers)

    def mean(self, predictions: jax.Array, targets: Targets) -> jax.Array:
        """Returns the mean of the loss over a batch."""
        return jnp.mean(self(predictions, targets))

    def metrics(self, predictions: jax.Array, targets: Targets) -> dict[str, jax.Array]:
        """Returns the mean over a batch of each metric that the loss returns beside its value."""
        if not self.has_metrics:
            return {}
        _, metrics = self.result(predictions, targets)
        return {name: jnp.mean(values) for name, values in metrics.items()}

    def mean_and_slopes(self, predictions: jax.Array, targets: Targets) -> LossValue:
        """Returns the mean of the loss and its slopes with respect to the predictions."""
        losses, pull_back = jax.vjp(lambda p: self(p, targets), predictions)
        (slopes,) = pull_back(jnp.ones_like(losses))
        return LossValue(jnp.mean(losses), slopes, slopes / losses.size)

    def traced(self, names: Iterable[str]) -> "Loss":
        """Returns the same loss with these options among its numbers."""
        numbers = {name: self.options[name] for name in names}
        options = {name: value for name, value in self.options.items() if name not in numbers}
        return dataclasses.replace(
            self, options=StaticOptions(options), numbers=self.numbers | numbers
        )

    @property
    def bound(self) -> Function:
        """The function with its options, as the audit receives it: targets as they are."""
        return functools.partial(self.function, **self.options, **self.numbers)


def _times(value: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns values (n, ...) times weights (n, ...) of the same or fewer axes."""
    axes = value.ndim - weights.ndim
    return value * weights.astype(value.dtype).reshape(*weights.shape, *[1] * axes)


class LossFamily(eqx.Module):
    """The loss `members[index]`, in a program that is compiled once for all members.

    Each member is a branch of its own of a `lax.switch`, which XLA optimizes separately. So the
    results of a member do not depend on the other members or on their order. All members return
    values of one dtype, and metrics of the same names. `index` is traced; under `vmap` it must not
    have a mapped axis, since JAX then evaluates all members and selects.
    """

    members: tuple[Loss, ...]
    index: Any

    def mean(self, predictions: jax.Array, targets: Targets) -> jax.Array:
        """Returns the mean of the loss over a batch.

        Its derivative with respect to the predictions comes from the same switch: differentiating
        `lax.switch` itself would store the intermediate values of all members.
        """
        return _switched_mean(predictions, targets, self)

    def mean_and_slopes(self, predictions: jax.Array, targets: Targets) -> LossValue:
        """Returns the mean of the loss and its slopes with respect to the predictions."""
        return _switch(self, Loss.mean_and_slopes, predictions, targets)

    def metrics(self, predictions: jax.Array, targets: Targets) -> dict[str, jax.Array]:
        """Returns the metrics that the selected member returns beside its value."""
        if not self.members[0].has_metrics:
            return {}
        metrics: dict[str, jax.Array] = _switch(self, Loss.metrics, predictions, targets)
        return metrics

    @property
    def mapped_axes(self) -> "LossFamily":
        """`in_axes` of `jax.vmap` for families of one index, stacked along a leading axis."""
        return LossFamily(jax.tree.map(lambda _: 0, self.members), None)


def _switch(
    family: LossFamily, evaluate: Callable[..., Any], predictions: jax.Array, targets: Targets
) -> Any:
    """Returns `evaluate(member, predictions, targets)` of the member that the index selects."""

    def branch(position: int) -> Callable[..., Any]:
        return lambda members, *batch: evaluate(members[position], *batch)

    arguments = family.members, predictions, targets
    branches = [branch(position) for position in range(len(family.members))]
    if len(branches) == 1:  # JAX inlines a switch with one branch, which changes last bits
        shapes = jax.eval_shape(branches[0], *arguments)
        branches.append(lambda *_: jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes))
    return lax.switch(family.index, branches, *arguments)


def _mean_and_gradient(
    loss: Loss, predictions: jax.Array, targets: Targets
) -> tuple[jax.Array, jax.Array]:
    return jax.value_and_grad(loss.mean)(predictions, targets)


@jax.custom_vjp
def _switched_mean(predictions: jax.Array, targets: Targets, family: LossFamily) -> jax.Array:
    return _switch(family, Loss.mean, predictions, targets)


def _switched_mean_forward(
    predictions: jax.Array, targets: Targets, family: LossFamily
) -> tuple[jax.Array, jax.Array]:
    return _switch(family, _mean_and_gradient, predictions, targets)


def _switched_mean_backward(
    gradient: jax.Array, cotangent: jax.Array
) -> tuple[jax.Array, None, None]:
    return cotangent.astype(gradient.dtype) * gradient, None, None


_switched_mean.defvjp(_switched_mean_forward, _switched_mean_backward)

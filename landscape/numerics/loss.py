"""A loss as a value: a pytree that compiled functions take as their first argument."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

Function = Callable[..., jax.Array]


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
    batch; divided by `size`, the number of values that were averaged, they belong to the mean.
    """

    mean: jax.Array
    slopes: jax.Array
    size: int


class Loss(eqx.Module):
    """`loss(predictions, targets)`: elementwise, one value per example, or a scalar.

    `function` and `options` are static: another one is another program. `numbers` are traced: all
    of their values share one compilation. With `classes` the function receives integer labels
    `(batch,)` as one-hot targets `(batch, classes)`.

    Compiled functions use a loss only through `mean` and `mean_and_slopes`.
    """

    function: Function = eqx.field(static=True)
    options: StaticOptions = eqx.field(static=True, default=StaticOptions())
    numbers: dict[str, Any] = eqx.field(default_factory=dict)
    classes: int | None = eqx.field(static=True, default=None)

    def __call__(self, predictions: jax.Array, targets: jax.Array) -> jax.Array:
        if self.classes is not None:
            targets = jax.nn.one_hot(targets, self.classes, dtype=predictions.dtype)
        return self.function(predictions, targets, **self.options, **self.numbers)

    def mean(self, predictions: jax.Array, targets: jax.Array) -> jax.Array:
        """Returns the mean of the loss over a batch."""
        return jnp.mean(self(predictions, targets))

    def mean_and_slopes(self, predictions: jax.Array, targets: jax.Array) -> LossValue:
        """Returns the mean of the loss and its slopes with respect to the predictions."""
        losses, pull_back = jax.vjp(lambda p: self(p, targets), predictions)
        (slopes,) = pull_back(jnp.ones_like(losses))
        return LossValue(jnp.mean(losses), slopes, losses.size)

    def traced(self, names: Iterable[str]) -> "Loss":
        """Returns the same loss with these options among its numbers."""
        numbers = {name: self.options[name] for name in names}
        options = {name: value for name, value in self.options.items() if name not in numbers}
        return Loss(self.function, StaticOptions(options), self.numbers | numbers, self.classes)

    @property
    def bound(self) -> Function:
        """The function with its options, as the audit receives it: targets as they are."""
        return functools.partial(self.function, **self.options, **self.numbers)

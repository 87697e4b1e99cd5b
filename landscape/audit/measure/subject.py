"""The subject of an audit: a function of one example, its targets and its traced programs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.domains import Domain, Target
from landscape.audit.static.equations import equations
from landscape.errors import Place, UserError
from landscape.numerics.class_axis import ClassAxis
from landscape.numerics.user_calls import definition, guarded

Array = Any
AIMS = ("target", "order", "distribution", "decision", "none")
CALLBACKS = ("debug_callback", "debug_print", "io_callback")


class SubjectOptions(NamedTuple):
    """How to audit a function; None, "auto" and an empty name are inferred.

    `form` is that of the targets, `outputs` the number of outputs or classes, `target_range` the
    least and the largest target of a regression. `example` holds arrays by the names of arguments.
    `call` is a convention of `calls.CALLS`, `result` the entry of a dictionary that is the loss.
    """

    kind: str = "loss"
    task: str | None = None
    domain: str | None = None
    head: str | None = None
    order: str = "auto"
    form: str = "auto"
    outputs: int | None = None
    name: str = ""
    aim: str = "auto"
    target_range: tuple[float, float] | None = None
    example: Mapping[str, np.ndarray] | None = None
    call: str = "predictions-targets"
    result: str | None = None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One example as a function `row(x, target) -> scalar` with x of `shape`, and its programs.

    `batched(predictions, targets)` is the user's function with its arguments in this order; `shape`
    starts with the number of rows, 1 unless a loss mixes them. `draw(rows)` returns random
    predictions and targets of a batch. `goal` and `class_axis` are those of `TaskExamples`, and
    `usual_aim` its aim.
    """

    name: str
    kind: str
    domain: Domain
    shape: tuple[int, ...]
    targets: list[Target]
    row: Callable[[Array, Any], Array]
    batched: Callable[[Array, Any], Array]
    function: Callable
    draw: Callable[[int], tuple[Array, Any]] | None = None
    task: str | None = None
    goal: str = "free"
    class_axis: ClassAxis = "last"
    form: str = "auto"
    head: str | None = None
    aim: str = "auto"
    usual_aim: str | None = None
    target_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def value(self) -> jex.ClosedJaxpr:
        """The program of the row, traced in float32."""
        return jax.make_jaxpr(lambda x, t: self.row(x, t))(*self._example())

    @cached_property
    def gradient(self) -> jex.ClosedJaxpr:
        """The program of value and gradient by autodiff, traced in float32."""
        both = jax.value_and_grad(self.row)
        return jax.make_jaxpr(lambda x, t: both(x, t))(*self._example())

    def _example(self) -> tuple[Array, Any]:
        return jnp.zeros(self.shape, jnp.float32), self.targets[0].cast(np.float32)

    @cached_property
    def place(self) -> Place | None:
        """The definition of the function in the user's source."""
        return definition(self.function)

    @property
    def label(self) -> str:
        """Kind and name, for messages."""
        return f"{self.kind} `{self.name}`"

    @property
    def is_directed(self) -> bool:
        """Whether paths lead from right to wrong predictions.

        Not those of embeddings, nor on a sphere, where the gradient falls with the norm alone.
        """
        if self.head == "normalize":
            return False
        return self.goal != "free" or self.kind != "loss" or self.task == "distribution"

    @property
    def rows(self) -> int:
        """The number of examples that are audited together."""
        return self.shape[0]

    @property
    def size(self) -> int:
        """The number of elements of the predictions."""
        return int(np.prod(self.shape))

    @cached_property
    def is_scalar(self) -> bool:
        """Whether the function returns one number for all of its inputs together."""
        arguments = self._example()
        return jax.eval_shape(self.batched, *arguments).shape == ()

    @property
    def calls_back(self) -> bool:
        """Whether the compiled program prints or calls Python."""
        return any(eqn.primitive.name in CALLBACKS for _, eqn, _ in equations(self.value))

    def replaced(self, batched: Callable[[Array, Any], Array]) -> "Subject":
        """Returns the subject of another function of predictions and targets."""
        return checked(replace(self, batched=batched, row=row_of(batched)))


def row_of(batched: Callable[[Array, Any], Array]) -> Callable[[Array, Array], Array]:
    """Returns the function of one example: the sum of the result for a batch of it."""
    return lambda x, target: jnp.sum(batched(x, target))


def checked(subject: Subject) -> Subject:
    """Returns the traced subject. Raises UserError if it is random or has no gradient."""
    value = guarded(lambda: subject.value, subject.label, subject.function)
    again = guarded(lambda: replace(subject).value, subject.label, subject.function)
    if str(value) != str(again) or not _same_constants(value, again):
        raise UserError(
            f"{subject.label} is random: tracing it twice gives two different programs",
            place=subject.place,
            hint="draw random numbers from a fixed jax.random.key",
        )
    guarded(lambda: subject.gradient, subject.label, subject.function)
    return subject


def _same_constants(a: jex.ClosedJaxpr, b: jex.ClosedJaxpr) -> bool:
    return all(
        np.array_equal(np.asarray(x), np.asarray(y), equal_nan=np.asarray(x).dtype.kind == "f")
        for x, y in zip(a.consts, b.consts, strict=True)
    )

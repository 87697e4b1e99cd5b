"""B501, a broadcast: predictions of all examples are combined with the targets of all others.

Such as shapes (n, 1) and (n,), which give (n, n).

## Why

All predictions are led to one value, such as the mean of the targets.

## Severity

Error: if the loss returns such an array, or if measurement shows that equal predictions cost less
than right ones and that descent leads to them. For sets and distributions all pairs are compared on
purpose.

## Instead

Give predictions and targets the same shape.

## Example (--task regression)

    import jax.numpy as jnp


    def squared_error(predictions, targets):
        return jnp.square(predictions[:, None] - targets)

## Fixed

    import jax.numpy as jnp


    def squared_error(predictions, targets):
        return jnp.square(predictions - targets)
"""

from typing import Any, NamedTuple

import jax

from landscape.audit.codes._batches import ROWS, random_batch, values_of
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.codes._pairings import collapse
from landscape.audit.measure.subject import Subject
from landscape.audit.measure.survey import Survey
from landscape.audit.static.equations import equations
from landscape.audit.static.interpreter import Interpreter
from landscape.audit.static.source import locate
from landscape.numerics.primitives import called_program
from landscape.storage.audit_records import Finding, Where

PREDICTIONS, TARGETS = frozenset({"predictions"}), frozenset({"targets"})
COMBINING = ("add", "sub", "mul", "div", "max", "min", "eq", "ne", "lt", "le", "gt", "ge", "pow")


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the first such combination in the traced program."""
    subject = survey.subject
    if subject.kind != "loss" or (subject.goal in ("free", "order") and not _has_heads(subject)):
        return []
    predictions, targets = random_batch(survey)
    try:
        program = jax.make_jaxpr(survey.subject.batched)(predictions, targets)
    except Exception:  # the loss refuses such a batch; the shapes it accepts were checked before
        return []
    returned = program.jaxpr.outvars[0].aval.shape
    flow = _Flow(program, survey.source_file)
    fields = [_Dependence()] * (len(program.jaxpr.invars) - 2)
    flow.run(program, [_Dependence(PREDICTIONS), _Dependence(TARGETS), *fields], 0)
    shape = returned if returned.count(ROWS) > 1 else flow.meeting_shape
    if shape is None:
        return []
    is_returned = returned.count(ROWS) > 1
    collapsed = None if _has_heads(subject) else collapse(survey)
    if collapsed is None and not is_returned and not _has_heads(subject):
        return []
    effect = "every example is compared with the targets of all others"
    if collapsed is not None:
        effect += (
            f", so equal predictions {brief(collapsed.prediction)} cost {collapsed.value:.4g}, "
            f"but right ones {collapsed.value_at_targets:.4g}"
        )
    return [
        Finding(
            code="B501",
            severity="error",
            message=(
                f"predictions {predictions.shape} and targets {values_of(targets).shape} are "
                f"combined in an array of shape {tuple(shape)}: {effect}"
            ),
            where=flow.meeting or flow.square or survey.definition,
            evidence={
                "predictions": list(predictions.shape),
                "targets": list(values_of(targets).shape),
                "result": list(shape),
                "returned": list(returned),
                "equal": None if collapsed is None else quote(collapsed.prediction),
            },
            suggestion="give both the same shape before: reshape, or drop the [:, None]",
        )
    ]


def _has_heads(subject: Subject) -> bool:
    """Whether each example predicts a distribution of its own target, so that none meets others."""
    return subject.task == "distribution"


class _Dependence(NamedTuple):
    """The inputs that an array depends on, and its axes along which it repeats itself."""

    sources: frozenset[str] = frozenset()
    repeated: frozenset[int] = frozenset()


class _Flow(Interpreter):
    """Follows predictions and targets through a program, up to where they meet."""

    def __init__(self, program: Any, source_file: str | None):
        super().__init__(None, False, {})
        self.calls = {number: calls for number, _, calls in equations(program)}
        self.source_file = source_file
        self.meeting_shape: tuple[int, ...] | None = None
        self.meeting: Where | None = None
        self.square: Where | None = None

    def convert(self, value: Any) -> _Dependence:
        return value if isinstance(value, _Dependence) else _Dependence()

    def step(self, eqn: Any, inputs: list[Any], number: int) -> tuple[list[Any], list[Any]]:
        if called_program(eqn) is not None:
            return super().step(eqn, inputs, number)
        if not eqn.outvars:
            return [], []
        shape = getattr(eqn.outvars[0].aval, "shape", ())
        varying = [value.repeated for value in inputs if value.sources]
        repeated = frozenset[int].intersection(*varying) if varying else frozenset()
        if eqn.primitive.name == "broadcast_in_dim":
            repeated = _repeated_by_broadcast(eqn)
        if shape.count(ROWS) > 1:
            where = locate(eqn, self.calls[number - 1], self.source_file)
            self.square = self.square or where
            if eqn.primitive.name in COMBINING:
                repeated = self._combined(eqn, inputs, where)
        sources = frozenset[str]().union(*(value.sources for value in inputs))
        return [_Dependence(sources, repeated)] * len(eqn.outvars), []

    def _combined(self, eqn: Any, inputs: list[_Dependence], where: Where | None) -> frozenset[int]:
        """Returns the axes along which the result of two operands repeats itself.

        Remembers the first meeting of predictions with targets that repeat along other axes.
        """
        shape = eqn.outvars[0].aval.shape
        first, second = (
            value.repeated | _widened(v.aval.shape, shape)
            for v, value in zip(eqn.invars, inputs, strict=True)
        )
        apart = {value.sources for value in inputs} == {PREDICTIONS, TARGETS}
        if apart and first and second and not first & second and self.meeting_shape is None:
            self.meeting, self.meeting_shape = where, shape
        constant = [not value.sources for value in inputs]
        if any(constant) and not all(constant):  # measurement decides whether it is a mask
            return second if constant[0] else first
        return first & second


def _repeated_by_broadcast(eqn: Any) -> frozenset[int]:
    """Returns the axes of length ROWS along which the result repeats its operand."""
    dimensions = eqn.params["broadcast_dimensions"]
    before, after = eqn.invars[0].aval.shape, eqn.params["shape"]
    same = {axis for axis, size in zip(dimensions, before, strict=True) if size == after[axis]}
    return frozenset(i for i, size in enumerate(after) if size == ROWS and i not in same)


def _widened(shape: tuple, whole: tuple) -> frozenset[int]:
    """Returns the axes along which an operand is widened by the operation itself."""
    padded = (1,) * (len(whole) - len(shape)) + tuple(shape)
    return frozenset(i for i, size in enumerate(whole) if size == ROWS and padded[i] == 1)

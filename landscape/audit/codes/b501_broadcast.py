"""B501, a broadcast: predictions of all examples meet the targets of all others.

Such as shapes (n, 1) and (n,), which meet in (n, n). The minimum is at the mean of the targets. An
error.
"""

from typing import Any, NamedTuple

import jax
import jax.extend.core as jex

from landscape.audit.codes._batches import ROWS, random_batch
from landscape.audit.findings import Finding, Where
from landscape.audit.measure.survey import Survey
from landscape.audit.static.equations import Calls
from landscape.audit.static.source import locate
from landscape.numerics.primitives import called_program

PREDICTIONS, TARGETS = "predictions", "targets"
COMBINING = ("add", "sub", "mul", "div", "max", "min", "eq", "ne", "lt", "le", "gt", "ge", "pow")


def find(survey: Survey) -> list[Finding]:
    """At most one finding, for the first such meeting in the traced program."""
    if survey.subject.kind != "loss":
        return []
    predictions, targets = random_batch(survey)
    try:
        program = jax.make_jaxpr(survey.subject.batched)(predictions, targets)
    except Exception:  # the loss takes no such batch; what it takes has been checked before
        return []
    returned = program.jaxpr.outvars[0].aval.shape
    flow = _Flow(survey.source_file)
    flow.run(program, [_Value({PREDICTIONS}), _Value({TARGETS})], ())
    square = returned.count(ROWS) > 1
    if not square and flow.meeting_shape is None:
        return []
    shape = returned if square else flow.meeting_shape or ()
    return [
        Finding(
            code="B501",
            severity="error",
            message=(
                f"predictions {predictions.shape} meet targets {targets.shape} in an array of "
                f"shape {tuple(shape)}: every example is compared with the targets of all others, "
                "so the minimum is at their mean"
            ),
            where=flow.meeting or flow.square or survey.definition,
            evidence={
                "predictions": list(predictions.shape),
                "targets": list(targets.shape),
                "result": list(shape),
                "returned": list(returned),
            },
            suggestion="give both the same shape before they meet: reshape, or drop the [:, None]",
        )
    ]


class _Value(NamedTuple):
    """What an array is computed from, and its axes along which it repeats itself."""

    sources: frozenset[str] | set[str] = frozenset()
    repeated: frozenset[int] = frozenset()


class _Flow:
    """Follows predictions and targets through a program, up to where they meet."""

    def __init__(self, source_file: str | None):
        self.source_file = source_file
        self.meeting_shape: tuple[int, ...] | None = None
        self.meeting: Where | None = None
        self.square: Where | None = None

    def run(self, program: jex.ClosedJaxpr, arguments: list[_Value], calls: Calls) -> list[_Value]:
        values: dict[Any, _Value] = dict.fromkeys(program.jaxpr.constvars, _Value())
        values.update(zip(program.jaxpr.invars, arguments, strict=True))

        def get(v: Any) -> _Value:
            return _Value() if isinstance(v, jex.Literal) else values[v]

        for eqn in program.jaxpr.eqns:
            inputs = [get(v) for v in eqn.invars]
            if not eqn.outvars:
                continue
            called = called_program(eqn)
            if called is not None:
                outputs = self.run(called, inputs[-len(called.jaxpr.invars) :], (*calls, eqn))
            else:
                outputs = self.step(eqn, inputs, calls)
            values.update(zip(eqn.outvars, outputs, strict=True))
        return [get(v) for v in program.jaxpr.outvars]

    def step(self, eqn: Any, inputs: list[_Value], calls: Calls) -> list[_Value]:
        shape = getattr(eqn.outvars[0].aval, "shape", ())
        square = shape.count(ROWS) > 1
        if square and self.square is None:
            self.square = locate(eqn, calls, self.source_file)
        repeated = inputs[0].repeated if len(inputs) == 1 else frozenset()
        if eqn.primitive.name == "broadcast_in_dim":
            repeated = _repeated_by_broadcast(eqn)
        elif eqn.primitive.name in COMBINING and square:
            axes = [
                value.repeated | _widened(v.aval.shape, shape)
                for v, value in zip(eqn.invars, inputs, strict=True)
            ]
            self.meet(eqn, inputs, axes, calls)
            repeated = axes[0] & axes[1] if len(axes) == 2 else frozenset()
        sources = frozenset[str]().union(*(value.sources for value in inputs))
        return [_Value(sources, repeated)] * len(eqn.outvars)

    def meet(self, eqn: Any, inputs: list[_Value], axes: list[frozenset], calls: Calls) -> None:
        """Remembers the first meeting of predictions with targets that repeat along other axes."""
        sources = [set(value.sources) for value in inputs]
        apart = sources in ([{PREDICTIONS}, {TARGETS}], [{TARGETS}, {PREDICTIONS}])
        across = axes[0] and axes[1] and not axes[0] & axes[1]
        if apart and across and self.meeting_shape is None:
            self.meeting = locate(eqn, calls, self.source_file)
            self.meeting_shape = eqn.outvars[0].aval.shape


def _repeated_by_broadcast(eqn: Any) -> frozenset[int]:
    """Axes of length ROWS along which the result repeats its operand."""
    dimensions = eqn.params["broadcast_dimensions"]
    before, after = eqn.invars[0].aval.shape, eqn.params["shape"]
    same = {axis for axis, size in zip(dimensions, before, strict=True) if size == after[axis]}
    return frozenset(i for i, size in enumerate(after) if size == ROWS and i not in same)


def _widened(shape: tuple, whole: tuple) -> frozenset[int]:
    """Axes along which an operand is widened by the operation itself."""
    padded = (1,) * (len(whole) - len(shape)) + tuple(shape)
    return frozenset(i for i, size in enumerate(whole) if size == ROWS and padded[i] == 1)

"""The record of a torch loss: its ATen operations for inputs of one shape and dtype."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import UserError

# Operations that choose among equal values, which torch does in an undefined way.
UNORDERED = frozenset({"kthvalue", "median", "sort", "topk"})


class Variable(NamedTuple):
    """A tensor that depends on the inputs, by its number in the record."""

    number: int


class Count(NamedTuple):
    """A number: `multiple` times the count of a mask, or times its inverse."""

    mask: Variable
    multiple: float
    inverse: bool


class RaggedAxis(NamedTuple):
    """An axis of all elements of a mask, each `multiple` times, of which those selected count."""

    mask: Variable
    multiple: int


class Constant:
    """A tensor that does not depend on the inputs, as an array, and its ragged axes."""

    def __init__(self, array: np.ndarray, axes: Mapping[int, RaggedAxis] | None = None) -> None:
        self.array = array
        self.axes = axes or {}


class CodePosition(NamedTuple):
    """The user's source of an operation; columns count bytes and are None if unknown."""

    file: str
    line: int
    end_line: int | None = None
    column: int | None = None
    end_column: int | None = None


class TensorType(NamedTuple):
    """Shape and dtype of a result; the dtype is that of NumPy in a program with 64 bits."""

    shape: tuple[int, ...]
    dtype: Any


class Overlay(NamedTuple):
    """The operation that writes a changed tensor into another view of its memory.

    `view` and `written` are the positions in memory of the elements of both.
    """

    view: np.ndarray
    written: np.ndarray


@dataclass(frozen=True)
class Step:
    """One operation. `operation` is its ATen name; arguments may nest variables in lists."""

    operation: str | Overlay
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    outputs: tuple[int, ...]
    types: tuple[TensorType, ...]
    position: CodePosition | None


@dataclass(frozen=True, eq=False)
class Record:
    """The operations of a loss, and of its gradient with respect to some of the inputs.

    `results` are the tensors that the loss returns, with their types, and `structure` how it
    returns them. `gradients` has a value per differentiated input, None if the loss does not depend
    on it; `cotangents` are the numbers of the cotangents of the results, None if a result has no
    gradient. With `reads_targets` the record holds for the targets alone with which it was made.
    It holds for targets with the outcomes of its `decisions`; the steps with `axes`, by the number
    of a variable, are on all elements of masks (`sites`), of which the selected ones count.
    """

    inputs: tuple[int, ...]
    steps: tuple[Step, ...]
    results: tuple[Any, ...]
    result_types: tuple[TensorType, ...]
    structure: Any
    differentiated: tuple[int, ...]
    gradients: tuple[Any, ...]
    cotangents: tuple[int | None, ...]
    scalars: tuple[float, ...] = ()
    reads_targets: UserError | None = None
    decisions: tuple[Any, ...] = ()
    sites: tuple[Any, ...] = ()
    axes: Mapping[int, Mapping[int, RaggedAxis]] = dataclasses.field(default_factory=dict)

    def steps_of(self, values: Sequence[Any], *, masks: bool = True) -> list[Step]:
        """Returns the steps that some values need, in order."""
        ragged = [axis for axes in self.axes.values() for axis in axes.values()]
        needed = {axis.mask.number for axis in ragged} if masks else set()
        needed |= {v.number for v in variables(list(values))}
        steps = []
        for step in reversed(self.steps):
            if needed.intersection(step.outputs):
                steps.append(step)
                needed |= {v.number for v in variables((step.arguments, step.keywords))}
        return steps[::-1]

    @property
    def sorts(self) -> bool:
        """Returns whether equal values may be ordered in another way than torch orders them."""
        names = [step.operation for step in self.steps if isinstance(step.operation, str)]
        return not UNORDERED.isdisjoint(names)

    def pattern(self) -> tuple[Any, ...]:
        """Returns what records have in common that differ only in sizes above 1."""
        steps = tuple(
            (
                step.operation if isinstance(step.operation, str) else "overlay",
                *(tuple(min(size, 2) for size in kind.shape) for kind in step.types),
            )
            for step in self.steps
        )
        outcomes = tuple(decision.outcome for decision in self.decisions)
        return outcomes, len(self.sites), steps

    def same_as(self, other: "Record") -> bool:
        """Returns whether two records have equal operations and constants.

        Operations that neither results nor gradients need do not count.
        """
        pairs = [record.steps_of((*record.results, *record.gradients)) for record in (self, other)]
        return (
            len(pairs[0]) == len(pairs[1])
            and all(map(_same_step, *pairs))
            and all(map(_same_value, self.results, other.results))
        )


def variables(value: Any) -> Iterator[Variable]:
    """Yields the variables in nested arguments."""
    if isinstance(value, Variable):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from variables(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from variables(inner)


def _same_step(a: Step, b: Step) -> bool:
    if isinstance(a.operation, Overlay) or isinstance(b.operation, Overlay):
        return type(a.operation) is type(b.operation)
    return a.operation == b.operation and _same_value(a.arguments, b.arguments)


def _same_value(a: Any, b: Any) -> bool:
    if isinstance(a, Constant) and isinstance(b, Constant):
        return np.array_equal(a.array, b.array, equal_nan=a.array.dtype.kind == "f")
    if isinstance(a, Variable) or isinstance(b, Variable):
        return a == b
    if isinstance(a, tuple | list) and isinstance(b, tuple | list) and type(a) is type(b):
        return len(a) == len(b) and all(map(_same_value, a, b))
    return type(a) is type(b) and bool(a == b or a != a)

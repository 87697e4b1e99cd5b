"""Records a loss once per outcome of its conditions on the targets, for all targets together."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import UserError
from landscape.interop.aten_record import (
    Affine,
    Constant,
    Count,
    Overlay,
    RaggedAxis,
    Record,
    Step,
    Variable,
)
from landscape.interop.target_reads import TargetReads, Unresolved

MOST_VARIANTS = 16
_TOLERANCE = 1e-12
Run = Callable[[TargetReads], Record]


def variants(run: Run, classes: int) -> tuple[Record, ...]:
    """Returns a record for each outcome of the conditions on the targets.

    Whole numbers that determine what the loss does are from 0 to the number of classes. Raises
    Unresolved if there are too many outcomes, or if a record depends on the targets in another way.
    An outcome for which the loss raises has no record.
    """
    whole_numbers = tuple(range(min(classes, MOST_VARIANTS), -1, -1))
    new_reads = functools.partial(TargetReads, whole_numbers=whole_numbers)
    with contextlib.suppress(Unresolved, UserError):
        return _variants(run, new_reads)
    return _variants(run, functools.partial(new_reads, decide_all=True))


def _variants(run: Run, new_reads: Callable[..., TargetReads]) -> tuple[Record, ...]:
    records: list[Record] = []
    waiting: list[tuple[Any, ...]] = [()]
    errors: list[UserError] = []
    while waiting:
        if len(records) + len(waiting) > MOST_VARIANTS:
            raise Unresolved
        outcomes = waiting.pop()
        reads = new_reads(outcomes)
        try:
            records.append(_compared(run, reads, functools.partial(new_reads, outcomes)))
        except UserError as error:
            errors.append(error)
        for position in range(len(outcomes), len(reads.decisions)):
            before = tuple(decision.outcome for decision in reads.decisions[:position])
            waiting += [(*before, other) for other in reads.decisions[position].choices[1:]]
    if not records:
        raise errors[0]
    return _without_equal(records)


def _compared(run: Run, reads: TargetReads, new_reads: Callable[[int], TargetReads]) -> Record:
    """Returns a record whose sizes and numbers are those of any targets with these outcomes."""
    record = run(reads)
    if not reads.sites and not reads.numbers:
        return record
    others = [new_reads(number) for number in range(1, reads.recordings)]
    recorded = [record, *map(run, others)]
    return _Comparison(recorded, [reads, *others]).unified()


def _without_equal(records: Sequence[Record]) -> tuple[Record, ...]:
    """Returns the records without those that do for an empty selection what others do for any."""
    if len(records) == 1:
        return tuple(records)
    first = records[0]
    if all(_operations(record) == _operations(first) for record in records[1:]) and all(
        site for record in records for site in record.sites
    ):
        only_sites = all(
            any(decision.value == site.mask for site in first.sites) for decision in first.decisions
        )
        if only_sites:
            return (dataclasses.replace(first, decisions=()),)
    return tuple(records)


def _operations(record: Record) -> tuple[Any, ...]:
    return tuple(
        step.operation if isinstance(step.operation, str) else "overlay" for step in record.steps
    )


class _Origin(NamedTuple):
    """What a number is in each recording, and the value that stands for it."""

    numbers: tuple[float, ...]
    value: Any


class _Comparison:
    """Recordings with equal outcomes, whose differences are sizes and numbers of the targets."""

    def __init__(self, records: Sequence[Record], reads: Sequence[TargetReads]) -> None:
        self.records = records
        self.sites = list(reads[0].sites.values())
        keys = list(reads[0].sites)
        if any(list(r.sites) != keys or len(r.numbers) != len(reads[0].numbers) for r in reads):
            raise Unresolved
        self.counts = [
            tuple(r.count(key, r.sites[key].mask, r.sites[key].size) for r in reads) for key in keys
        ]
        self.numbers = [
            _Origin(tuple(r.numbers[i].number for r in reads), reads[0].numbers[i].value)
            for i in range(len(reads[0].numbers))
        ]

    def unified(self) -> Record:
        first, *others = self.records
        if any(_operations(r) != _operations(first) for r in others):
            raise Unresolved
        axes: dict[int, dict[int, RaggedAxis]] = {}
        steps = []
        for same in zip(*(record.steps for record in self.records), strict=True):
            steps.append(self._step(same))
            for position, number in enumerate(same[0].outputs):
                shapes = [step.types[position].shape for step in same]
                ragged = self._ragged(shapes)
                if ragged:
                    axes[number] = ragged
        for record in self.records:
            if [t.shape for t in record.result_types] != [t.shape for t in first.result_types]:
                raise Unresolved
        results = self._value([record.results for record in self.records])
        gradients = self._value([record.gradients for record in self.records])
        return dataclasses.replace(
            first, steps=tuple(steps), axes=axes, results=results, gradients=gradients
        )

    def _step(self, steps: Sequence[Step]) -> Step:
        first = steps[0]
        if any(step.outputs != first.outputs for step in steps):
            raise Unresolved
        if isinstance(first.operation, Overlay) and any(
            not _same_overlay(first.operation, step.operation) for step in steps
        ):
            raise Unresolved
        names = list(first.keywords)
        arguments = self._value([step.arguments for step in steps])
        keywords = self._value([tuple(step.keywords[name] for name in names) for step in steps])
        keywords = dict(zip(names, keywords, strict=True))
        return dataclasses.replace(first, arguments=arguments, keywords=keywords)

    def _value(self, values: Sequence[Any]) -> Any:
        """Returns the value that stands for those of all recordings; sizes are of the first."""
        first = values[0]
        if isinstance(first, Variable):
            if any(value != first for value in values):
                raise Unresolved
            return first
        if isinstance(first, Constant):
            return self._constant(values)
        if isinstance(first, tuple | list):
            if any(len(value) != len(first) for value in values):
                raise Unresolved
            parts = [self._value(same) for same in zip(*values, strict=True)]
            if any(isinstance(part, Count) for part in parts) and isinstance(first, list):
                return first  # sizes: those for a mask that selects everything
            return tuple(parts) if isinstance(first, tuple) else parts
        if all(
            type(value) is type(first) and (value == first or value != value) for value in values
        ):
            return first
        if isinstance(first, int | float) and not isinstance(first, bool):
            return self._number(tuple(values))
        raise Unresolved

    def _constant(self, values: Sequence[Constant]) -> Any:
        """Returns a constant, of which the other recordings have the first elements of an axis."""
        whole = values[0].array
        shapes = [value.array.shape for value in values]
        if not whole.ndim and len({value.array.item() for value in values}) > 1:
            return self._number(tuple(value.array.item() for value in values))
        ragged = self._ragged(shapes)
        for value in values:
            part = whole[tuple(slice(size) for size in value.array.shape)]
            if not np.array_equal(part, value.array, equal_nan=whole.dtype.kind == "f"):
                raise Unresolved
        return Constant(whole, ragged)

    def _number(self, numbers: tuple[Any, ...]) -> Any:
        """Returns the value of a number that differs between the recordings."""
        for site, counts in zip(self.sites, self.counts, strict=True):
            if site.empty:
                continue
            for inverse in (False, True):
                scales = [1 / count if inverse else count for count in counts]
                ratio = numbers[0] / scales[0]
                if np.allclose(numbers, np.multiply(ratio, scales), rtol=_TOLERANCE, atol=0):
                    return Count(site.mask, ratio, inverse)
        for origin in self.numbers:
            for inverse in (False, True):
                line = _line(origin.numbers, numbers, inverse=inverse)
                if line is not None:
                    return Affine(origin.value, *line, inverse)
        raise Unresolved

    def _ragged(self, shapes: Sequence[tuple[int, ...]]) -> dict[int, RaggedAxis]:
        """Returns the axes whose sizes differ between the recordings."""
        axes = {}
        if len({len(shape) for shape in shapes}) > 1:
            raise Unresolved
        for axis, sizes in enumerate(zip(*shapes, strict=True)):
            if len(set(sizes)) == 1:
                continue
            for site, counts in zip(self.sites, self.counts, strict=True):
                multiple = sizes[0] // max(counts[0], 1)
                if not site.empty and sizes == tuple(multiple * count for count in counts):
                    axes[axis] = RaggedAxis(site.mask, multiple)
                    break
            else:
                raise Unresolved
        return axes


def _line(
    numbers: Sequence[float], values: Sequence[float], *, inverse: bool
) -> tuple[float, float] | None:
    """Returns slope and intercept of values as a line of numbers, or of their inverses."""
    x = 1 / np.array(numbers, float) if inverse else np.array(numbers, float)
    y = np.array(values, float)
    slope = float((y[1] - y[0]) / (x[1] - x[0]))
    least = np.abs(x).argmin()  # where rounding hides the least of the intercept
    intercept = float(y[least] - slope * x[least])
    scale = np.abs(y).max()
    if np.allclose(slope * x + intercept, y, rtol=0, atol=_TOLERANCE * scale):
        return slope, intercept if abs(intercept) > _TOLERANCE * np.abs(y[least]) else 0.0
    return None


def _same_overlay(a: Overlay, b: Any) -> bool:
    return (
        isinstance(b, Overlay)
        and np.array_equal(a.view, b.view)
        and np.array_equal(a.written, b.written)
    )

"""Records a loss once per outcome of its conditions on the targets, for all targets together."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from landscape.errors import UserError
from landscape.interop.aten_record import (
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
MOST_IN_AUDITS = 4  # beyond, records of the targets of the audit alone compile faster
_TOLERANCE = 1e-12
Run = Callable[[TargetReads], Record]


def variants(run: Run, most: int) -> tuple[Record, ...]:
    """Returns a record for each outcome of the conditions on the targets.

    An outcome for which the loss raises has no record. Raises Unresolved if there are more than
    `most` outcomes, or if a record depends on the targets in another way.
    """
    records: list[Record] = []
    waiting: list[tuple[bool, ...]] = [()]
    errors: list[UserError] = []
    while waiting:
        if len(records) + len(waiting) > most:
            raise Unresolved
        outcomes = waiting.pop()
        reads = TargetReads(outcomes)
        try:
            records.append(_compared(run, reads, functools.partial(TargetReads, outcomes)))
        except UserError as error:
            errors.append(error)
        for position in range(len(outcomes), len(reads.decisions)):
            before = tuple(decision.outcome for decision in reads.decisions[:position])
            waiting.append((*before, False))
    if not records:
        raise errors[0]
    return _without_equal(records)


def _compared(run: Run, reads: TargetReads, new_reads: Callable[[int], TargetReads]) -> Record:
    """Returns a record whose sizes are those of any targets with these outcomes."""
    record = run(reads)
    if not reads.sites:
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


class _Comparison:
    """Recordings with equal outcomes, whose differences are sizes that depend on the targets."""

    def __init__(self, records: Sequence[Record], reads: Sequence[TargetReads]) -> None:
        self.records = records
        self.sites = list(reads[0].sites.values())
        keys = list(reads[0].sites)
        if any(list(r.sites) != keys for r in reads):
            raise Unresolved
        self.counts = [
            tuple(r.count(key, r.sites[key].mask, r.sites[key].size) for r in reads) for key in keys
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


def _same_overlay(a: Overlay, b: Any) -> bool:
    return (
        isinstance(b, Overlay)
        and np.array_equal(a.view, b.view)
        and np.array_equal(a.written, b.written)
    )

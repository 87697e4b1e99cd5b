"""Evaluation sets of a point that are read from the host batch by batch, the same at each pass."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from landscape.errors import UserError, counted, describe_value
from landscape.numerics.example_stream import ExampleStream, WeightedBatch
from landscape.parts.datasets import Split
from landscape.parts.points import TrainedPoint
from landscape.run.point_arrays import PointData, batch_data, counted_batches, described, pair_data
from landscape.run.training_inputs import split_examples

PyTree = Any
_EVERY_PASS = (
    "pass the function that makes the batches, data=batches instead of data=batches(), or an "
    "iterable that starts anew each time, such as a list or a DataLoader"
)


class StreamedData(NamedTuple):
    """Batches of the host: `open()` iterates over them; the first one, and what the others were.

    `weights` are the numbers of examples, or 1 each for batches without a common axis of examples;
    `checksums` tell whether a later pass yields the same batches.
    """

    open: Callable[[], Iterable[Any]]
    first: PointData
    weights: tuple[int, ...]
    checksums: tuple[int, ...]
    digest: str
    counts_examples: bool

    @property
    def description(self) -> str:
        """What was read, in a line."""
        number = counted_batches(len(self.weights))
        examples = counted(sum(self.weights), "example")
        sizes = f"{examples} in {number}" if self.counts_examples else number
        return f"{sizes} that stream from the host, used as passed"


def is_streamed(point: TrainedPoint) -> bool:
    """Returns whether the data of a point are batches that are read anew for each pass.

    Raises UserError for an iterator that can be read only once.
    """
    data = point.data
    if callable(data):
        return True
    if data is None or isinstance(data, Mapping | tuple | str) or hasattr(data, "__array__"):
        return False
    if isinstance(data, Iterator):
        if point.risk is None:
            raise UserError("`data` can be read only once", hint=_EVERY_PASS)
        return False
    if isinstance(data, list):
        if point.risk is None:
            return bool(data) and all(isinstance(item, tuple) for item in data)
        return len({described(batch_data(batch).inputs) for batch in data}) > 1
    return isinstance(data, Iterable)


def scanned(point: TrainedPoint) -> StreamedData:
    """Reads all batches once. Raises UserError if their arrays differ in more than their length."""
    source = point.data
    opened = source if callable(source) else lambda: source
    weights: list[int | None] = []
    checksums, shapes, first = [], set(), None
    content = hashlib.sha256()
    for number, data in enumerate(_arrays(point, opened)):
        first = data if first is None else first
        _check_like(data, first, number)
        shapes.add(described(_tree(data)))
        weights.append(_examples(data, risk=point.risk is not None))
        checksums.append(_checksum(data))
        content.update(described(_tree(data)).encode())
        for leaf in jax.tree.leaves(_tree(data)):
            content.update(np.ascontiguousarray(leaf).data)
    if first is None:
        raise UserError("`data` yields no batches", hint=_EVERY_PASS)
    again = next(_arrays(point, opened), None)
    _check_same(0, None if again is None else _checksum(again), checksums)
    counts = [weight for weight in weights if weight is not None]
    counted_ = len(counts) == len(weights)
    if not counted_ and len(shapes) > 1:
        raise UserError(
            "batches of `data` differ in shape, and their arrays have no common first axis",
            hint="give all arrays of a batch one row per example, so that batches are weighted by "
            "examples; or batches of one shape",
        )
    used = tuple(counts) if counted_ else (1,) * len(weights)
    return StreamedData(opened, first, used, tuple(checksums), content.hexdigest(), counted_)


def example_stream(
    point: TrainedPoint, data: StreamedData, split_of: Callable[[TrainedPoint], Split]
) -> ExampleStream:
    """Returns the stream of a point; `split_of` turns a point with one batch into its examples.

    A pass raises UserError if it yields other batches than the first one, or fewer.
    """

    def read() -> Iterator[WeightedBatch]:
        number = 0
        for batch in _arrays(point, data.open):
            _check_same(number, _checksum(batch), data.checksums)
            examples = split_examples(split_of(point._replace(data=batch)))
            yield WeightedBatch(examples, data.weights[number])
            number += 1
        if number < len(data.checksums):
            _check_same(number, None, data.checksums)

    return ExampleStream(read, sum(data.weights), len(data.weights))


def _check_same(number: int, checksum: int | None, expected: Sequence[int]) -> None:
    """Raises UserError unless a batch of a later pass, None after its end, is as in the first."""
    if checksum is None:
        raise UserError(
            f"`data` ended after {counted_batches(number)}, the first pass had {len(expected)}",
            hint=_EVERY_PASS,
        )
    if number >= len(expected) or checksum != expected[number]:
        message = f"batch {number} of `data` is not that of the first pass"
        hint = "the evaluation set is fixed: no shuffling, no augmentation, fixed seeds"
        raise UserError(message, hint=hint)


def _arrays(point: TrainedPoint, opened: Callable[[], Iterable[Any]]) -> Iterator[PointData]:
    """Yields the batches of one pass as arrays. Raises UserError for what the source raises."""
    source: Any = opened()
    if not isinstance(source, Iterable):
        message = f"`data` returns {describe_value(source)}, expected an iterable of batches"
        raise UserError(message, hint="define a generator function that yields batches")
    iterator = iter(source)
    number = 0
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except Exception as error:
            message = f"`data` raises {type(error).__name__} at batch {number}: {error}"
            raise UserError(message) from error
        yield batch_data(batch) if point.risk is not None else pair_data(batch)
        number += 1


def _tree(data: PointData) -> PyTree:
    return data.inputs, data.targets, dict(data.fields)


def _examples(data: PointData, *, risk: bool) -> int | None:
    """Returns the number of examples of a batch; None if its arrays have no common first axis."""
    axis = 1 if risk else 0  # the batch of a risk has a leading axis of batches
    leaves = jax.tree.leaves(_tree(data))
    counts = {leaf.shape[axis] if leaf.ndim > axis else None for leaf in leaves}
    return counts.pop() if len(counts) == 1 else None


def _check_like(data: PointData, first: PointData, number: int) -> None:
    """Raises UserError unless a batch has the structure and the types of the first one."""
    trees = [_tree(data), _tree(first)]
    structures: list[Any] = [jax.tree.structure(tree) for tree in trees]
    kinds = [[(leaf.dtype, leaf.ndim) for leaf in jax.tree.leaves(tree)] for tree in trees]
    if structures[0] != structures[1] or kinds[0] != kinds[1]:
        raise UserError(
            f"batch {number} of `data` has the arrays {described(data.inputs)}, batch 0 "
            f"{described(first.inputs)}",
            hint="batches have the same structure and types",
        )


def _checksum(data: PointData) -> int:
    checksum = zlib.crc32(described(_tree(data)).encode())
    for leaf in jax.tree.leaves(_tree(data)):
        checksum = zlib.crc32(np.ascontiguousarray(leaf).data, checksum)
    return checksum

"""The data of a point that was trained elsewhere, used as passed, and its identity."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from landscape.errors import UserError, counted, describe_value
from landscape.numerics.example_stream import ExampleStream
from landscape.parts.datasets import Dataset, Split, for_task
from landscape.parts.points import TrainedPoint
from landscape.parts.tasks import Task
from landscape.run.point_arrays import (
    PAIR_HINT,
    PointData,
    as_array,
    counted_batches,
    described,
    pair_data,
)
from landscape.run.streamed_data import StreamedData, example_stream, is_streamed, scanned

PyTree = Any


def with_arrays(point: TrainedPoint) -> TrainedPoint:
    """Returns the point with its data as `PointData`, or `StreamedData` if they are streamed.

    Raises UserError for other data, and for batches that differ in more than their length.
    """
    if point.data is None or isinstance(point.data, PointData | StreamedData):
        return point
    if is_streamed(point):
        return point._replace(data=scanned(point))
    if point.risk is not None:
        return point._replace(data=PointData(_stacked(point.data)))
    return point._replace(data=pair_data(point.data))


def _stacked(batches: Any) -> PyTree:
    """Returns batches along a new leading axis. Raises UserError if they differ in shape."""
    if isinstance(batches, Mapping) or not isinstance(batches, Iterable):
        raise UserError(
            f"`data` is {describe_value(batches)}, expected batches",
            hint="with `risk`, pass a list of what it takes: data=[batch] for a single one",
        )
    listed = [jax.tree.map(np.asarray, batch) for batch in batches]
    if not listed:
        raise UserError("`data` yields no batches", hint="pass a list, or a generator not yet used")
    first = described(listed[0])
    for number, batch in enumerate(listed):
        if described(batch) != first:
            raise UserError(
                f"batch {number} of `data` has the arrays {described(batch)}, batch 0 {first}",
                hint="batches have the same arrays and shapes: drop the last one, or pad it",
            )
    return jax.tree.map(lambda *leaves: as_array(np.stack(leaves)), *listed)


def point_dataset(point: TrainedPoint, task: Task, size: int | None) -> Dataset:
    """Returns the examples of a point in every split: nothing is split, shuffled or standardized.

    Of streamed data it has the first batch, on which model and loss are checked.
    `size`: the number of examples of the evaluation set. Raises UserError if arrays differ in
    length, or if there are fewer batches than `size`.
    """
    if isinstance(point.data, StreamedData):
        first = point_dataset(point._replace(data=point.data.first), task, None)
        return first._replace(description=point.data.description)
    if point.data is None:
        hint = "pass `data=(inputs, targets)`, or batches with `risk`"
        raise UserError("the point has no data", hint=hint)
    inputs, targets, fields = point.data
    count = _count(inputs)
    if point.risk is not None:
        targets = np.zeros(count, np.float32)
        if size is not None and size > count:
            message = f"`evaluation.size` is {size}, but `data` has {counted_batches(count)}"
            raise UserError(message, hint="pass more batches, or a smaller size")
    if len(targets) != count:
        raise UserError(f"`data` has {count} inputs, but {len(targets)} targets", hint=PAIR_HINT)
    split = Split(inputs, targets, np.arange(count), fields)
    classes = _classes(point, task, inputs) if task.labels else ()
    noun = counted(count, "example") if point.risk is None else counted_batches(count)
    data = Dataset(
        train=split,
        validation=split,
        test=split,
        task=task.name,
        outputs=1,
        classes=classes,
        description=f"{noun}, used as passed: not split, shuffled or standardized",
    )
    return for_task(data, task)


def point_stream(point: TrainedPoint | None, task: Task) -> ExampleStream | None:
    """Returns the examples of streamed data; None of data in memory, and without a point."""
    if point is None or not isinstance(point.data, StreamedData):
        return None
    return example_stream(point, point.data, lambda one: point_dataset(one, task, None).train)


def _count(inputs: PyTree) -> int:
    counts = {leaf.shape[0] for leaf in jax.tree.leaves(inputs)}
    if len(counts) != 1:
        lengths = ", ".join(map(str, sorted(counts))) or "none"
        raise UserError(f"the arrays of the inputs have the lengths {lengths}", hint=PAIR_HINT)
    if counts == {0}:
        raise UserError("`data` has no examples", hint="pass at least one")
    for leaf in jax.tree.leaves(inputs):
        if np.issubdtype(leaf.dtype, np.floating) and not np.isfinite(leaf).all():
            share = 1 - np.isfinite(leaf).mean()
            message = f"the inputs in `data` are NaN or infinite in {share:.2g} of their entries"
            raise UserError(message, hint="remove or replace them: the risk would be NaN")
    return counts.pop()


def _classes(point: TrainedPoint, task: Task, inputs: PyTree) -> tuple[str, ...]:
    """Returns a name for each class that the model predicts: data may lack some of them."""
    if not task.onehot or point.apply is None:
        return ()
    arguments = (point.params, jax.tree.map(lambda a: a[:2], inputs))
    state = () if point.state is None else (point.state,)
    try:
        shape = jax.eval_shape(point.apply, *arguments, *state).shape
    except Exception:  # reported when the model is checked
        return ()
    return tuple(map(str, range(shape[-1]))) if len(shape) > 1 else ()

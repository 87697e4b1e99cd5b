"""The data of a point that was trained elsewhere, used as passed, and its identity."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from landscape.errors import UserError, counted, describe_value
from landscape.parts.datasets import Dataset, Split, for_task
from landscape.parts.points import TrainedPoint
from landscape.parts.tasks import Task

PyTree = Any
_PAIR = "pass `data=(inputs, targets)`, arrays with one row per example"


class PointData(NamedTuple):
    """Inputs with a leading axis of examples, or batches along one; targets and fields likewise."""

    inputs: PyTree
    targets: np.ndarray | None = None
    fields: Mapping[str, np.ndarray] = MappingProxyType({})


def with_arrays(point: TrainedPoint) -> TrainedPoint:
    """Returns the point with its data as `PointData`.

    A mapping has `inputs`, `targets` and further fields. Raises UserError for other data, and for
    batches of different shapes.
    """
    if point.data is None or isinstance(point.data, PointData):
        return point
    if point.risk is not None:
        return point._replace(data=PointData(_stacked(point.data)))
    data = point.data
    if isinstance(data, Mapping) and {"inputs", "targets"} <= data.keys():
        fields = {name: data[name] for name in data if name not in ("inputs", "targets")}
        data = (data["inputs"], data["targets"], fields)
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise UserError(f"`data` is {describe_value(data)}, expected a pair", hint=_PAIR)
    inputs, targets, *others = data
    fields = {name: np.asarray(values) for name, values in (others or [{}])[0].items()}
    inputs = jax.tree.map(_array, inputs)
    return point._replace(data=PointData(inputs, _array(targets), fields))


def _array(values: Any) -> np.ndarray:
    """Returns an array as JAX reads it: in single precision."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise UserError(f"`data` has an array of type {array.dtype}, expected numbers", hint=_PAIR)
    if array.ndim == 0:
        raise UserError("`data` has a number, expected an array", hint=_PAIR)
    single = {"float64": np.float32, "int64": np.int32, "uint64": np.uint32}
    return array.astype(single.get(array.dtype.name, array.dtype), copy=False)


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
    first = _described(listed[0])
    for number, batch in enumerate(listed):
        if _described(batch) != first:
            raise UserError(
                f"batch {number} of `data` has the arrays {_described(batch)}, batch 0 {first}",
                hint="batches have the same arrays and shapes: drop the last one, or pad it",
            )
    return jax.tree.map(lambda *leaves: _array(np.stack(leaves)), *listed)


def _described(batch: PyTree) -> str:
    leaves, structure = jax.tree.flatten(batch)
    single: Any = jax.tree.structure(0)
    shapes = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves)
    return shapes if structure == single else f"{structure}: {shapes}"


def point_dataset(point: TrainedPoint, task: Task, size: int | None) -> Dataset:
    """Returns the examples of a point in every split: nothing is split, shuffled or standardized.

    `size`: the number of examples of the evaluation set. Raises UserError if arrays differ in
    length, or if there are fewer batches than `size`.
    """
    if point.data is None:
        hint = "pass `data=(inputs, targets)`, or batches with `risk`"
        raise UserError("the point has no data", hint=hint)
    inputs, targets, fields = point.data
    count = _count(inputs)
    if point.risk is not None:
        targets = np.zeros(count, np.float32)
        if size is not None and size > count:
            message = f"`evaluation.size` is {size}, but `data` has {_batches(count)}"
            raise UserError(message, hint="pass more batches, or a smaller size")
    if len(targets) != count:
        raise UserError(f"`data` has {count} inputs, but {len(targets)} targets", hint=_PAIR)
    split = Split(inputs, targets, np.arange(count), fields)
    classes = _classes(point, task, inputs) if task.labels else ()
    noun = counted(count, "example") if point.risk is None else _batches(count)
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


def _batches(count: int) -> str:
    return "1 batch" if count == 1 else f"{count} batches"


def _count(inputs: PyTree) -> int:
    counts = {leaf.shape[0] for leaf in jax.tree.leaves(inputs)}
    if len(counts) != 1:
        lengths = ", ".join(map(str, sorted(counts))) or "none"
        raise UserError(f"the arrays of the inputs have the lengths {lengths}", hint=_PAIR)
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

"""The arrays of a point's data, as JAX reads them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from landscape.errors import UserError, describe_value

PyTree = Any
PAIR_HINT = "pass `data=(inputs, targets)`, arrays with one row per example"


class PointData(NamedTuple):
    """Inputs with a leading axis of examples, or batches along one; targets and fields likewise."""

    inputs: PyTree
    targets: np.ndarray | None = None
    fields: Mapping[str, np.ndarray] = MappingProxyType({})


def pair_data(data: Any) -> PointData:
    """Returns the data of a pair, or of a mapping with `inputs`, `targets` and further fields.

    Raises UserError for other data.
    """
    if isinstance(data, Mapping) and {"inputs", "targets"} <= data.keys():
        fields = {name: data[name] for name in data if name not in ("inputs", "targets")}
        data = (data["inputs"], data["targets"], fields)
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise UserError(f"`data` is {describe_value(data)}, expected a pair", hint=PAIR_HINT)
    inputs, targets, *others = data
    fields = {name: np.asarray(values) for name, values in (others or [{}])[0].items()}
    return PointData(jax.tree.map(as_array, inputs), as_array(targets), fields)


def batch_data(batch: PyTree) -> PointData:
    """Returns one batch of a risk, along a leading axis of batches."""
    return PointData(jax.tree.map(lambda leaf: as_array(np.asarray(leaf)[None]), batch))


def as_array(values: Any) -> np.ndarray:
    """Returns an array in single precision. Raises UserError unless it has numbers and axes."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        message = f"`data` has an array of type {array.dtype}, expected numbers"
        raise UserError(message, hint=PAIR_HINT)
    if array.ndim == 0:
        raise UserError("`data` has a number, expected an array", hint=PAIR_HINT)
    single = {"float64": np.float32, "int64": np.int32, "uint64": np.uint32}
    return array.astype(single.get(array.dtype.name, array.dtype), copy=False)


def described(batch: PyTree) -> str:
    """Returns the structure of a batch with the types and shapes of its arrays."""
    leaves, structure = jax.tree.flatten(batch)
    single: Any = jax.tree.structure(0)
    shapes = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves)
    return shapes if structure == single else f"{structure}: {shapes}"


def counted_batches(count: int) -> str:
    """Returns a number of batches, such as `2 batches`."""
    return "1 batch" if count == 1 else f"{count} batches"

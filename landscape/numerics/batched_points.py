"""Many points of slices in one compiled call: in groups of one size, shared among devices."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

PyTree = Any

# Bytes that the results of one group may take.
BUDGET = 128 * 2**20
# The most points of one group: of a line, and of a slice with more directions, for which more is
# computed once for all points of a group.
MOST_ON_LINE, MOST = 64, 1024
# The most groups of one call for lines. A plane fills a call.
LINES = 8


class Plan(NamedTuple):
    """How points are evaluated: `groups` of them per call, each of one slice.

    Each of `devices` evaluates `size` points of every group, `width` side by side.
    """

    groups: int
    size: int
    width: int
    devices: int


class Groups(NamedTuple):
    """The groups of one call, padded with zeros; the first `number` of them are used.

    `slices` (groups,): the number of the slice of each
    `coordinates` (groups, devices * size, m)
    `counts` (groups, devices): how many points each device evaluates
    """

    number: np.int32
    slices: np.ndarray
    coordinates: np.ndarray
    counts: np.ndarray


def plan_for(bytes_per_point: int, bytes_per_slice: int, directions: int, width: int) -> Plan:
    """Plans groups whose results fit into memory, on all devices of this process.

    `bytes_per_slice` is the size of its directions.
    """
    devices = jax.local_device_count()
    most, groups = (MOST_ON_LINE, LINES) if directions == 1 else (MOST, 1)
    fitting = max(min(BUDGET // max(bytes_per_point * devices, 1), most // devices), 1)
    width = min(width, fitting)
    groups = max(min(BUDGET // max(bytes_per_slice * devices, 1), groups), 1)
    return Plan(groups, fitting // width * width, width, devices)


def map_first(
    function: Callable[..., PyTree], arguments: PyTree, count: jax.Array, width: int
) -> PyTree:
    """Maps `function` over the first `count` entries of the leading axis of its arguments.

    The results have the whole axis, zero after `count`; if `width` does not divide `count`, a few
    entries after it are computed as well.
    """
    blocks = jax.tree.map(lambda a: a.reshape(-1, width, *a.shape[1:]), arguments)

    def call(block: PyTree) -> PyTree:
        if width > 1:
            return jax.vmap(function)(*block)
        result = function(*jax.tree.map(lambda a: a[0], block))
        return jax.tree.map(lambda a: a[None], result)

    def body(i: jax.Array, results: PyTree) -> PyTree:
        block = call(jax.tree.map(lambda a: a[i], blocks))
        return jax.tree.map(lambda all_, new: all_.at[i].set(new), results, block)

    shapes = jax.eval_shape(call, jax.tree.map(lambda a: a[0], blocks))
    number = jax.tree.leaves(blocks)[0].shape[0]
    results = jax.tree.map(lambda s: jnp.zeros((number, *s.shape), s.dtype), shapes)
    results = lax.fori_loop(0, -(-count // width), body, results)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), results)


def shared(function: Callable[..., PyTree], plan: Plan) -> Callable[..., PyTree]:
    """Shares the points of `function(points, counts, *others)` among the devices of a plan.

    Axis 1 of points, counts and results counts points and devices.
    """
    if plan.devices == 1:
        return function
    mesh = jax.make_mesh((plan.devices,), ("points",), axis_types=(jax.sharding.AxisType.Auto,))
    split, whole = PartitionSpec(None, "points"), PartitionSpec()

    def call(points: jax.Array, counts: jax.Array, *others: PyTree) -> PyTree:
        return jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(split, split, *(whole for _ in others)),
            out_specs=split,
            check_vma=False,
        )(points, counts, *others)

    return call


def calls(number: int, coordinates: np.ndarray, plan: Plan) -> Iterator[Groups]:
    """Yields the groups of each call for `number` slices with the same `coordinates` (P, m)."""
    parts = [_shares(part, plan) for part in _parts(coordinates, plan)]
    groups = [(np.int32(slice_), *shares) for slice_ in range(number) for shares in parts]
    for start in range(0, len(groups), plan.groups):
        used = groups[start : start + plan.groups]
        arrays = (np.stack(parts) for parts in zip(*used, strict=True))
        yield Groups(np.int32(len(used)), *(_padded(array, plan.groups) for array in arrays))


def _padded(array: np.ndarray, length: int) -> np.ndarray:
    padding = np.zeros((length - len(array), *array.shape[1:]), array.dtype)
    return np.concatenate([array, padding])


def _parts(coordinates: np.ndarray, plan: Plan) -> list[np.ndarray]:
    size = plan.size * plan.devices
    return [coordinates[start : start + size] for start in range(0, len(coordinates), size)]


def _shares(part: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Returns the coordinates of one group, padded for each device, and the counts of devices."""
    shares = np.array_split(part, plan.devices)
    points = np.zeros((plan.devices, plan.size, part.shape[1]), part.dtype)
    for padded, share in zip(points, shares, strict=True):
        padded[: len(share)] = share
    return points.reshape(-1, part.shape[1]), np.array([len(share) for share in shares], np.int32)


def joined(results: list[tuple[PyTree, Groups]], number: int, plan: Plan) -> PyTree:
    """Returns the results of all calls in the order of slices and points, `(number, P, ...)`."""

    def leaf(*arrays: jax.Array) -> np.ndarray:
        shares = []
        for array, (_, groups) in zip(arrays, results, strict=True):
            used = slice(groups.number)
            for by_point, counts in zip(np.asarray(array)[used], groups.counts[used], strict=True):
                by_device = by_point.reshape(plan.devices, plan.size, *by_point.shape[1:])
                shares += [share[:n] for share, n in zip(by_device, counts, strict=True)]
        points = np.concatenate(shares)
        return points.reshape(number, -1, *points.shape[1:])

    return jax.tree.map(leaf, *(rows for rows, _ in results))

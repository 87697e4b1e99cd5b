"""Many points of a slice in one compiled call: in groups of one size, shared among devices."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

PyTree = Any

# Bytes that the results of one group may take, and the most points of one call.
BUDGET, MOST = 128 * 2**20, 1024


class Plan(NamedTuple):
    """How points are evaluated: `group` of them on each of `devices`, `width` side by side."""

    group: int
    width: int
    devices: int


def plan_for(bytes_per_point: int, width: int) -> Plan:
    """Plans groups whose results fit into memory, on all devices of this process."""
    devices = jax.local_device_count()
    fitting = max(min(BUDGET // max(bytes_per_point * devices, 1), MOST // devices), 1)
    width = min(width, fitting)
    return Plan(fitting // width * width, width, devices)


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
    """Shares the points of `function(points, counts, *others)` among the devices of a plan."""
    if plan.devices == 1:
        return function
    mesh = jax.make_mesh((plan.devices,), ("points",), axis_types=(jax.sharding.AxisType.Auto,))
    split, whole = PartitionSpec("points"), PartitionSpec()

    def call(points: jax.Array, counts: jax.Array, *others: PyTree) -> PyTree:
        return jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(split, split, *(whole for _ in others)),
            out_specs=split,
            check_vma=False,
        )(points, counts, *others)

    return call


def groups(coordinates: np.ndarray, plan: Plan) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields coordinates padded to the size of a call, and the number of points per device."""
    size = plan.group * plan.devices
    for start in range(0, len(coordinates), size):
        shares = np.array_split(coordinates[start : start + size], plan.devices)
        points = np.zeros((plan.devices, plan.group, coordinates.shape[1]), coordinates.dtype)
        for padded, share in zip(points, shares, strict=True):
            padded[: len(share)] = share
        counts = np.array([len(share) for share in shares], np.int32)
        yield points.reshape(size, -1), counts


def joined(calls: list[tuple[PyTree, np.ndarray]], plan: Plan) -> PyTree:
    """Concatenates the results of all groups in the order of their points, as NumPy arrays.

    `calls` holds the results of each call and its number of points per device.
    """

    def leaf(*parts: jax.Array) -> np.ndarray:
        shares = []
        for part, (_, counts) in zip(parts, calls, strict=True):
            by_device = np.asarray(part).reshape(plan.devices, plan.group, *part.shape[1:])
            shares += [share[:count] for share, count in zip(by_device, counts, strict=True)]
        return np.concatenate(shares)

    return jax.tree.map(leaf, *(results for results, _ in calls))

"""Many points of a slice in one compiled call: in groups of one size, and shared among devices."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

PyTree = Any

# What the results of one group may take, and how many points are worth one call.
BUDGET, MOST = 128 * 2**20, 1024


class Plan(NamedTuple):
    """How points are evaluated: `group` of them on each of `devices`, `width` side by side."""

    group: int
    width: int
    devices: int


def plan_for(bytes_per_point: int, width: int) -> Plan:
    """Groups whose results fit into memory, on all devices of this process."""
    devices = jax.local_device_count()
    fitting = max(min(BUDGET // max(bytes_per_point * devices, 1), MOST // devices), 1)
    width = min(width, fitting)
    return Plan(fitting // width * width, width, devices)


def map_first(
    function: Callable[..., PyTree], arguments: PyTree, count: jax.Array, width: int
) -> PyTree:
    """`function` mapped over the first `count` of the leading axis of its arguments.

    The results have the whole axis, zero after `count`. Some after it are computed where `width`
    does not divide it.
    """
    blocks = jax.tree.map(lambda a: a.reshape(-1, width, *a.shape[1:]), arguments)

    def call(block: PyTree) -> PyTree:
        if width > 1:
            return jax.vmap(function)(*block)
        found = function(*jax.tree.map(lambda a: a[0], block))
        return jax.tree.map(lambda a: a[None], found)

    def body(i: jax.Array, results: PyTree) -> PyTree:
        found = call(jax.tree.map(lambda a: a[i], blocks))
        return jax.tree.map(lambda r, f: r.at[i].set(f), results, found)

    shapes = jax.eval_shape(call, jax.tree.map(lambda a: a[0], blocks))
    number = jax.tree.leaves(blocks)[0].shape[0]
    results = jax.tree.map(lambda s: jnp.zeros((number, *s.shape), s.dtype), shapes)
    results = lax.fori_loop(0, -(-count // width), body, results)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), results)


def shared(function: Callable[..., PyTree], plan: Plan) -> Callable[..., PyTree]:
    """`function(points, counts, *others)` with the points shared among the devices of a plan."""
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
    """Coordinates padded to the size of a call, and how many of them each device has."""
    most = plan.group * plan.devices
    for start in range(0, len(coordinates), most):
        some = coordinates[start : start + most]
        shares = np.array_split(some, plan.devices)
        points = np.zeros((plan.devices, plan.group, coordinates.shape[1]), coordinates.dtype)
        for place, share in zip(points, shares, strict=True):
            place[: len(share)] = share
        counts = np.array([len(share) for share in shares], np.int32)
        yield points.reshape(most, -1), counts


def joined(found: list[tuple[PyTree, np.ndarray]], plan: Plan) -> PyTree:
    """The results of all groups in the order of their points, as NumPy."""

    def leaf(*parts: jax.Array) -> np.ndarray:
        kept = []
        for part, (_, counts) in zip(parts, found, strict=True):
            by_device = np.asarray(part).reshape(plan.devices, plan.group, *part.shape[1:])
            kept += [own[:count] for own, count in zip(by_device, counts, strict=True)]
        return np.concatenate(kept)

    return jax.tree.map(leaf, *(results for results, _ in found))

"""The risk on examples that stream from the host, batch by batch, for models that fill the memory.

Beside one batch, at most four arrays of the size of the parameters are in memory: the parameters,
two directions, and the displaced parameters.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.numerics.compiling import jit_loop
from landscape.numerics.hoist import displace
from landscape.numerics.loss import Objective
from landscape.numerics.risk import Examples, mean_risk
from landscape.parts.models import Model

PyTree = Any
Directions = tuple[PyTree, ...]
# Points that are measured in one pass over the batches, between two reports.
POINTS_PER_PASS = 16
# Devices of a CPU share its memory, so that larger parameters are on one of them only.
_SHARED_BYTES = 2**22


class WeightedBatch(NamedTuple):
    """One batch; the risk is the mean over batches with these weights."""

    examples: Examples
    weight: int


class ExampleStream(NamedTuple):
    """Examples that are read anew for each pass: `read()` yields the same batches every time.

    `weight`: the sum of the weights; `batches`: their number. `state` as in `Examples`.
    """

    read: Callable[[], Iterator[WeightedBatch]]
    weight: int
    batches: int
    state: PyTree = None

    def with_state(self) -> Iterator[WeightedBatch]:
        """Yields the batches with the state of the model."""
        for examples, weight in self.read():
            yield WeightedBatch(examples._replace(state=self.state), weight)


class RiskTable(NamedTuple):
    """Risks (K, P) of K slices of P points, computed where `known`."""

    risk: np.ndarray
    known: np.ndarray

    @classmethod
    def empty(cls, slices: int, points: int) -> "RiskTable":
        """Returns a table of which nothing is known."""
        shape = (slices, points)
        return cls(np.zeros(shape, np.float32), np.zeros(shape, bool))


class Watcher(NamedTuple):
    """What is called during a slice: with the evaluated batches, and with the table so far."""

    evaluated: Callable[[int, int], None]
    measured: Callable[[RiskTable], None]


class StreamFunctions(NamedTuple):
    """Measurements of a model on an `ExampleStream`, each compiled once per shape of a batch.

    slice: `slice(loss, params, slices, coordinates, stream, table, watcher)` completes the table;
        `slices` may be any sequence of tuples of directions, read one after the other
    risk_and_gradient: `(loss, params, stream) -> (risk, gradient)`
    derivatives: `(loss, params, direction, stream) -> (slope, curvature)` along the direction
    """

    slice: Callable[..., RiskTable]
    risk_and_gradient: Callable[..., tuple[np.float32, PyTree]]
    derivatives: Callable[..., tuple[np.float32, np.float32]]


def stream_functions(model: Model) -> StreamFunctions:
    """Returns the functions of a model; sums over batches are in float64, gradients as they are."""
    risk = mean_risk(model)
    return StreamFunctions(_slicer(risk), _risk_and_gradient(risk), _derivatives(model))


def _slicer(risk: Callable[[Objective, PyTree, Examples], jax.Array]) -> Callable[..., RiskTable]:
    @jit_loop
    def risk_at(
        loss: Objective,
        params: PyTree,
        directions: Directions,
        point: jax.Array,
        examples: Examples,
    ) -> jax.Array:
        return risk(loss, displace(params, directions, point), examples)

    def along(
        loss: Objective,
        params: PyTree,
        slices: Sequence[Directions],
        coordinates: np.ndarray,
        stream: ExampleStream,
        table: RiskTable,
        watcher: Watcher,
    ) -> RiskTable:
        devices = _devices(params)
        params_on = _on_each(params, devices)
        evaluations = table.known.size * stream.batches
        for number in np.flatnonzero(~table.known.all(axis=1)).tolist():
            directions = _on_each(slices[number], devices)
            missing = np.flatnonzero(~table.known[number]).tolist()
            for points in _chunks(missing, POINTS_PER_PASS):
                evaluated = int(table.known.sum()) * stream.batches
                totals = np.zeros(len(points))
                for examples, weight in stream.with_state():
                    examples_on = _on_each(examples, devices)
                    arguments = params_on, directions, examples_on
                    at = [coordinates[point] for point in points]
                    totals += weight * _risks(risk_at, loss, at, *arguments)
                    evaluated += len(points)
                    watcher.evaluated(evaluated, evaluations)
                table.risk[number, points] = totals / stream.weight
                table.known[number, points] = True
                watcher.measured(table)
            del directions  # before the next ones are drawn
        return table

    return along


def _risks(
    risk_at: Callable[..., jax.Array],
    loss: Objective,
    coordinates: list[np.ndarray],
    params_on: list[PyTree],
    directions_on: list[Directions],
    examples_on: list[Examples],
) -> np.ndarray:
    """Returns the risk of one batch at each point, in float64; a point per device at a time."""
    risks: list[float] = []
    for points in _chunks(coordinates, len(params_on)):
        arguments = zip(params_on, directions_on, points, examples_on, strict=False)
        values = [risk_at(loss, p, d, c, e) for p, d, c, e in arguments]
        risks += map(float, values)  # waits, so that each device holds one displaced point
    return np.array(risks)


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _devices(params: PyTree) -> list[Any]:
    """Returns the devices that share the points; the result at a point is that of one of them."""
    devices = jax.local_devices()
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    return devices[:1] if devices[0].platform == "cpu" and size > _SHARED_BYTES else devices


def _on_each(tree: PyTree, devices: list[Any]) -> list[PyTree]:
    """Returns a copy per device; on a single one, arrays that it holds stay as they are."""
    return [jax.device_put(tree, device) for device in devices]


def _risk_and_gradient(
    risk: Callable[[Objective, PyTree, Examples], jax.Array],
) -> Callable[..., tuple[np.float32, PyTree]]:
    def add(
        total: PyTree, loss: Objective, params: PyTree, examples: Examples, share: jax.Array
    ) -> tuple[jax.Array, PyTree]:
        value, gradient = jax.value_and_grad(lambda p: risk(loss, p, examples))(params)
        return value, jax.tree.map(lambda t, g: t + share.astype(g.dtype) * g, total, gradient)

    compiled = jit_loop(add, donate_argnums=0)

    def measure(
        loss: Objective, params: PyTree, stream: ExampleStream
    ) -> tuple[np.float32, PyTree]:
        total, risk_sum = jax.tree.map(jnp.zeros_like, params), 0.0
        for examples, weight in stream.with_state():
            share = np.float32(weight / stream.weight)
            value, total = compiled(total, loss, params, examples, share)
            risk_sum += weight * float(value)
        return np.float32(risk_sum / stream.weight), total

    return measure


def _derivatives(model: Model) -> Callable[..., tuple[np.float32, np.float32]]:
    @jit_loop
    def on_batch(
        loss: Objective, params: PyTree, direction: PyTree, examples: Examples
    ) -> tuple[jax.Array, jax.Array]:
        start, unit = (jnp.float32(0),), (jnp.float32(1),)

        def predictions(distance: jax.Array) -> jax.Array:
            displaced = displace(params, (direction,), distance[None])
            return model.predict(displaced, examples.inputs, examples.state)

        def risk(predicted: jax.Array) -> jax.Array:
            return loss.mean(predicted, examples.targets)

        def slope(distance: jax.Array) -> jax.Array:
            predicted, velocity = jax.jvp(predictions, (distance,), unit)
            return jnp.sum(jax.grad(risk)(predicted) * velocity)

        with jax.default_matmul_precision("highest"):
            try:  # forward through the model, which keeps no gradient of its size
                return jax.jvp(slope, start, unit)
            except TypeError:  # of a `custom_vjp`, such as a module of PyTorch
                return jax.jvp(jax.grad(lambda distance: risk(predictions(distance))), start, unit)

    def measure(
        loss: Objective, params: PyTree, direction: PyTree, stream: ExampleStream
    ) -> tuple[np.float32, np.float32]:
        total = np.zeros(2)
        for examples, weight in stream.with_state():
            values = on_batch(loss, params, direction, examples)
            total += weight * np.array([float(value) for value in values])
        slope, curvature = (total / stream.weight).astype(np.float32)
        return slope, curvature

    return measure

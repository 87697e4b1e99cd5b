"""Decides from a traced program whether a loss mixes the examples of a batch.

A loss does not mix them if its mean over the batch is a sum of terms, each of one example: of its
prediction and its target.
"""

import math
from typing import Any, NamedTuple

import jax.extend.core as jex
import numpy as np

from landscape.audit.static.interpreter import Interpreter
from landscape.numerics.primitives import called_program

Array = np.ndarray
_LINEAR = frozenset({"add", "sub", "add_any", "neg", "convert_element_type", "copy", "copy_p"})
_MOVING = frozenset({"reshape", "transpose", "squeeze", "slice", "rev", "broadcast_in_dim"})
_REDUCING = frozenset(
    f"reduce_{name}" for name in ("sum", "max", "min", "prod", "and", "or", "argmax", "argmin")
) | {"argmax", "argmin"}
_ALONG_AXIS = frozenset({"cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp"})


class RowDependence(NamedTuple):
    """The examples that each element of an array depends on.

    `rows` has bit i set if the prediction or the target of example i matters. `mixed`: the element
    is not a sum of terms of one example each. `varies`: the array depends on predictions.
    """

    rows: Array
    mixed: Array
    varies: bool

    @property
    def several(self) -> Array:
        """Whether each element depends on more than one example."""
        return (self.rows & (self.rows - 1)) != 0


class RowUse(NamedTuple):
    """How a loss uses its examples: `separate`, none mixed with others; `every`, none unused."""

    separate: bool
    every: bool


def row_use(program: jex.ClosedJaxpr) -> RowUse:
    """Returns what the rules show about the examples of a program of (predictions, targets).

    The first axis of both inputs is that of the examples. Where the rules cannot tell, examples
    count as used and as mixed.
    """
    arguments = [
        _of_examples(v.aval.shape, varies=number == 0)
        for number, v in enumerate(program.jaxpr.invars)
    ]
    (output,) = _RowFlow(None, False, {}).run(program, arguments, 0)[0]
    used = int(np.bitwise_or.reduce(output.rows, axis=None))
    every = used == 2 ** len(arguments[0].rows) - 1 or not output.varies
    return RowUse(separate=not (output.varies and output.mixed.any()), every=every)


def _of_examples(shape: tuple[int, ...], varies: bool) -> RowDependence:
    bits = np.int64(1) << np.arange(shape[0], dtype=np.int64)
    rows = np.broadcast_to(bits.reshape(-1, *(1,) * (len(shape) - 1)), shape)
    return RowDependence(rows, np.zeros(shape, bool), varies)


class _RowFlow(Interpreter):
    """Follows the examples through a program."""

    def convert(self, value: Any) -> RowDependence:
        if isinstance(value, RowDependence):
            return value
        shape = np.shape(value)
        return RowDependence(np.zeros(shape, np.int64), np.zeros(shape, bool), False)

    def step(self, eqn: Any, inputs: list[Any], number: int) -> tuple[list[Any], list[Any]]:
        if called_program(eqn) is not None:
            return super().step(eqn, inputs, number)
        outputs = [_output(eqn, inputs, tuple(getattr(v.aval, "shape", ()))) for v in eqn.outvars]
        return outputs, []


def _output(eqn: Any, inputs: list[RowDependence], shape: tuple[int, ...]) -> RowDependence:
    name = eqn.primitive.name
    varies = name != "stop_gradient" and any(value.varies for value in inputs)
    if name in _MOVING and len(inputs) == 1:
        rows, mixed = (_moved(eqn, array, shape) for array in inputs[0][:2])
        return RowDependence(rows, mixed, varies)
    if name == "concatenate":
        axis = eqn.params["dimension"]
        rows, mixed = (np.concatenate([v[i] for v in inputs], axis) for i in (0, 1))
        return RowDependence(rows, mixed, varies)
    if name in _REDUCING or name in _ALONG_AXIS or name == "sort":
        return _along_axes(eqn, inputs, shape, varies)
    if name == "dot_general":
        return _products(eqn, inputs, shape, varies)
    if inputs and all(np.shape(v.rows) in (shape, ()) for v in inputs):
        return _elementwise(name, inputs, shape, varies)
    every = np.bitwise_or.reduce([np.bitwise_or.reduce(v.rows, axis=None) for v in inputs] or [0])
    mixed_any = any(v.mixed.any() for v in inputs)
    return _nonlinear(np.full(shape, every, np.int64), np.full(shape, mixed_any), varies)


def _nonlinear(rows: Array, mixed: Array, varies: bool) -> RowDependence:
    value = RowDependence(rows, mixed, varies)
    return value._replace(mixed=mixed | value.several) if varies else value


def _elementwise(
    name: str, inputs: list[RowDependence], shape: tuple[int, ...], varies: bool
) -> RowDependence:
    rows, mixed = np.zeros(shape, np.int64), np.zeros(shape, bool)
    for value in inputs:
        rows, mixed = rows | value.rows, mixed | value.mixed
    constant = [not value.rows.any() for value in inputs]
    scaled = (name == "mul" and any(constant)) or (name == "div" and constant[1])
    chosen = name == "select_n" and constant[0]
    if name in _LINEAR or scaled or chosen:
        return RowDependence(rows, mixed, varies)
    return _nonlinear(rows, mixed, varies)


def _moved(eqn: Any, array: Array, shape: tuple[int, ...]) -> Array:
    """Returns an array of facts, moved as the equation moves its operand."""
    name, params = eqn.primitive.name, eqn.params
    if name in ("reshape", "squeeze"):
        return array.reshape(shape)
    if name == "transpose":
        return array.transpose(params["permutation"])
    if name == "rev":
        return np.flip(array, params["dimensions"])
    if name == "slice":
        strides = params["strides"] or (1,) * array.ndim
        starts, limits = params["start_indices"], params["limit_indices"]
        return array[tuple(map(slice, starts, limits, strides))]
    sizes = [1] * len(shape)
    for axis, size in zip(params["broadcast_dimensions"], array.shape, strict=True):
        sizes[axis] = size
    return np.broadcast_to(array.reshape(sizes), shape)


def _along_axes(
    eqn: Any, inputs: list[RowDependence], shape: tuple[int, ...], varies: bool
) -> RowDependence:
    """Returns the dependence of a reduction, or of an operation along an axis as a sort."""
    params, name = eqn.params, eqn.primitive.name
    keep = name not in _REDUCING
    axes = (params["dimension"] if name == "sort" else params["axis"],) if keep else params["axes"]
    rows = inputs[0].rows.copy()
    mixed = inputs[0].mixed.copy()
    for value in inputs[1:]:
        rows, mixed = rows | value.rows, mixed | value.mixed
    reduce: Any = np.bitwise_or.reduce
    rows = reduce(rows, axis=tuple(axes), keepdims=keep)
    mixed = np.any(mixed, axis=tuple(axes), keepdims=keep)
    rows, mixed = (np.broadcast_to(array, shape) for array in (rows, mixed))
    if name in ("reduce_sum", "cumsum"):
        return RowDependence(rows, mixed, varies)
    return _nonlinear(rows, mixed, varies)


def _products(
    eqn: Any, inputs: list[RowDependence], shape: tuple[int, ...], varies: bool
) -> RowDependence:
    """Returns the dependence of a product of matrices: a sum of products of elements."""
    (contracted, batched) = eqn.params["dimension_numbers"]
    arrays = []
    for value, summed, shared in zip(inputs, contracted, batched, strict=True):
        free = [i for i in range(value.rows.ndim) if i not in (*summed, *shared)]
        order = (*shared, *free, *summed)
        sizes = [math.prod(value.rows.shape[i] for i in axes) for axes in (shared, free, summed)]
        arrays.append([facts.transpose(order).reshape(sizes) for facts in value[:2]])
    (rows_a, mixed_a), (rows_b, mixed_b) = arrays
    rows = rows_a[:, :, None] | rows_b[:, None]
    mixed = mixed_a[:, :, None] | mixed_b[:, None]
    if all(value.rows.any() for value in inputs):
        mixed = _nonlinear(rows, mixed, varies).mixed
    rows = np.bitwise_or.reduce(rows, axis=-1).reshape(shape)
    return RowDependence(rows, mixed.any(-1).reshape(shape), varies)

"""Hoists constant and affine computations out of the loop over points.

Along a slice the parameters are `p0 + sum(c_i * d_i)`, and so is everything that a model computes
from them before its first nonlinearity, with other coefficients: `W x` is `W0 x` plus
`c_i * D_i x` for each direction. The coefficients are computed once. At every point only their
combination and the operations after it remain: for an MLP the first layer, most of the arithmetic,
leaves the loop.

A program is traced operation by operation. An operation that is not known to be linear, such as
any nonlinearity and any loop, stays in the loop: that is always correct, and at worst no faster.
Products of two affine values are not expanded as polynomials: this would save little for the loss
of a linear model, and tied weights are rare.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.numerics.primitives import (
    BILINEAR,
    CALLS,
    LINEAR_OPERANDS,
    apply_equation,
    arithmetic_operations,
    called_program,
    size_of,
)

PyTree = Any

_WIDE_FLOATS = (jnp.float32, jnp.float64)
# Reading and adding one coefficient costs about as much as this many arithmetic operations.
_COMBINATION_COST = 2.0


@dataclass(eq=False, slots=True)
class _TracedValue:
    """A value of the program: `constant`, affine with `coefficients`, or neither.

    The leading axis of the coefficients is the constant term, then one term per direction. `work`
    is the number of arithmetic operations to compute an affine value at one point.
    """

    size: int
    constant: Any = None
    coefficients: Any = None
    operation: "_VaryingOperation | None" = None
    work: float = 0.0

    @property
    def varies(self) -> bool:
        return self.constant is None


@dataclass(eq=False, slots=True)
class _VaryingOperation:
    eqn: jex.JaxprEqn
    inputs: list[_TracedValue]
    outputs: list[_TracedValue] = field(default_factory=list)


def evaluator(
    function: Callable[..., PyTree],
    params: PyTree,
    directions: Sequence[PyTree],
    *constants: PyTree,
) -> Callable[[jax.Array], PyTree]:
    """`evaluate(coordinates) = function(params + sum(coordinates[i] * directions[i]), *constants)`.

    Computes once, in this call, what does not depend on the coordinates or is affine in them: call
    it outside of the loop over points, and `evaluate`, with coordinates `(len(directions),)`,
    inside. Equals the plain evaluation up to the order of floating-point sums. Non-finite constants
    that multiply parameters may give NaN where the plain evaluation gives infinity.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(params, *constants)
    structure = jax.tree.structure(shape)
    narrow = any(leaf.dtype not in _WIDE_FLOATS for leaf in jax.tree.leaves(params))
    if closed.effects or narrow:
        return plain_evaluator(function, params, directions, *constants)
    leaves = zip(*map(jax.tree.leaves, (params, *directions)), strict=True)
    arguments = [_TracedValue(jnp.size(leaf[0]), coefficients=jnp.stack(leaf)) for leaf in leaves]
    arguments += [
        _TracedValue(jnp.size(leaf), constant=leaf) for leaf in jax.tree.leaves(constants)
    ]
    operations: list[_VaryingOperation] = []
    outputs = _follow(closed, arguments, operations)
    in_loop = _in_loop(outputs, len(directions))
    values = [*outputs, *(value for operation in operations for value in operation.inputs)]
    # Split outside of the loop: XLA would copy each part out of the stack at every point.
    parts = {id(v): _unstacked(v.coefficients) for v in values if v.coefficients is not None}

    def evaluate(coordinates: jax.Array) -> PyTree:
        computed: dict[int, Any] = {}

        def get(value: _TracedValue) -> Any:
            if id(value) not in computed:
                computed[id(value)] = (
                    combine(parts[id(value)], coordinates) if id(value) in parts else value.constant
                )
            return computed[id(value)]

        for operation in operations:
            if id(operation) in in_loop:
                arrays = apply_equation(operation.eqn, [get(value) for value in operation.inputs])
                computed.update((id(v), a) for v, a in zip(operation.outputs, arrays, strict=True))
        return jax.tree.unflatten(structure, [get(value) for value in outputs])

    return evaluate


def plain_evaluator(
    function: Callable[..., PyTree],
    params: PyTree,
    directions: Sequence[PyTree],
    *constants: PyTree,
) -> Callable[[jax.Array], PyTree]:
    """Same as `evaluator`, but computes everything at every point."""
    return lambda coordinates: function(displace(params, directions, coordinates), *constants)


def displace(params: PyTree, directions: Sequence[PyTree], coordinates: jax.Array) -> PyTree:
    """`params + sum(coordinates[i] * directions[i])`."""

    def leaf(value: jax.Array, *steps: jax.Array) -> jax.Array:
        return value + sum(c * d for c, d in zip(coordinates, steps, strict=True))

    return jax.tree.map(leaf, params, *directions)


def combine(coefficients: Sequence[jax.Array], coordinates: jax.Array) -> jax.Array:
    """`coefficients[0] + sum(coordinates[i] * coefficients[i + 1])`."""
    dtype = coefficients[0].dtype
    steps = [c.astype(dtype) * coefficients[i] for i, c in enumerate(coordinates, 1)]
    return sum(steps, start=coefficients[0])


def _unstacked(coefficients: jax.Array) -> list[jax.Array]:
    return [coefficients[i] for i in range(len(coefficients))]


def _follow(
    closed: jex.ClosedJaxpr, arguments: Sequence[_TracedValue], operations: list[_VaryingOperation]
) -> list[_TracedValue]:
    """Returns the outputs of a program, and appends what varies across points to `operations`."""
    jaxpr = closed.jaxpr
    values: dict[Any, _TracedValue] = {}
    for variable, constant in zip(jaxpr.constvars, closed.consts, strict=True):
        values[variable] = _TracedValue(size_of(variable), constant=constant)
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def get(variable: Any) -> _TracedValue:
        if isinstance(variable, jex.Literal):
            return _TracedValue(size_of(variable), constant=variable.val)
        return values[variable]

    for eqn in jaxpr.eqns:
        inputs = [get(v) for v in eqn.invars]
        called = called_program(eqn) if eqn.primitive.name in CALLS else None
        if called is not None:
            outputs = _follow(called, inputs[-len(called.jaxpr.invars) :], operations)
        elif not any(value.varies for value in inputs):
            arrays = apply_equation(eqn, [value.constant for value in inputs])
            outputs = [
                _TracedValue(size_of(v), a) for v, a in zip(eqn.outvars, arrays, strict=True)
            ]
        else:
            outputs = _varying_outputs(eqn, inputs, operations)
        values.update(zip(eqn.outvars, outputs, strict=True))
    return [get(v) for v in jaxpr.outvars]


def _varying_outputs(
    eqn: jex.JaxprEqn, inputs: list[_TracedValue], operations: list[_VaryingOperation]
) -> list[_TracedValue]:
    """Appends an equation to `operations` and returns its outputs, affine if it is linear."""
    operation = _VaryingOperation(eqn, inputs)
    operations.append(operation)
    operation.outputs = [_TracedValue(size_of(v), operation=operation) for v in eqn.outvars]
    operands = _linear_operands(eqn, inputs)
    if operands is not None:
        work = arithmetic_operations(eqn) + sum(inputs[i].work for i in operands)
        stacks = _output_coefficients(eqn, inputs, operands)
        for value, coefficients in zip(operation.outputs, stacks, strict=True):
            value.coefficients, value.work = coefficients, work
    return operation.outputs


def _linear_operands(eqn: jex.JaxprEqn, inputs: list[_TracedValue]) -> tuple[int, ...] | None:
    """Returns the operands in which an equation is jointly linear; None if others vary as well."""
    varying = tuple(i for i, value in enumerate(inputs) if value.varies)
    if any(inputs[i].coefficients is None for i in varying):
        return None
    name = eqn.primitive.name
    if _calls_a_function_or_fills(eqn) or _is_narrow(eqn):
        return None
    if name in BILINEAR:
        return varying if len(varying) == 1 else None
    all_operands = tuple(range(len(inputs)))
    if name in LINEAR_OPERANDS:
        operands = LINEAR_OPERANDS[name] or all_operands
    elif name == "select_n":
        operands = all_operands[1:]
    elif (name == "div" and _is_literal_number(inputs[1].constant)) or (
        name == "convert_element_type" and _is_widening(eqn)
    ):
        operands = (0,)
    else:
        return None
    return operands if set(varying) <= set(operands) else None


def _is_literal_number(value: Any) -> bool:
    """Whether the value is a finite nonzero number that is known while tracing, not an array."""
    if value is None or isinstance(value, jax.Array) or np.ndim(value) > 0:
        return False
    return math.isfinite(value) and value != 0


def _calls_a_function_or_fills(eqn: jex.JaxprEqn) -> bool:
    """Whether the equation is `.at[].apply(f)`, a scatter that calls f, or a gather that fills."""
    name, params = eqn.primitive.name, eqn.params
    applies = name == "scatter" and params["update_jaxpr"] is not None
    return applies or (name == "gather" and params["fill_value"] not in (None, 0))


def _is_narrow(eqn: jex.JaxprEqn) -> bool:
    """Whether the equation computes in half precision: hoisting would change its rounding."""
    variables: Any = (*eqn.invars, *eqn.outvars)
    dtypes = [variable.aval.dtype for variable in variables]
    return any(jnp.issubdtype(d, jnp.floating) and d not in _WIDE_FLOATS for d in dtypes)


def _is_widening(eqn: jex.JaxprEqn) -> bool:
    """Whether a conversion is between floating types, to one that is at least as precise."""
    variables: Any = (*eqn.invars, *eqn.outvars)
    before, after = (variable.aval.dtype for variable in variables)
    floats = jnp.issubdtype(before, jnp.floating) and jnp.issubdtype(after, jnp.floating)
    return floats and jnp.finfo(after).bits >= jnp.finfo(before).bits


def _output_coefficients(
    eqn: jex.JaxprEqn, inputs: list[_TracedValue], operands: tuple[int, ...]
) -> list[Any]:
    """Applies a linear equation to the coefficients of its operands, one by one."""
    stacks = (inputs[i].coefficients for i in operands)
    count = next(len(stack) for stack in stacks if stack is not None)
    arguments = [
        _with_coefficients(value, count) if i in operands else value.constant
        for i, value in enumerate(inputs)
    ]
    axes = [0 if i in operands else None for i in range(len(inputs))]
    return jax.vmap(lambda *values: apply_equation(eqn, values), in_axes=axes)(*arguments)


def _with_coefficients(value: _TracedValue, count: int) -> jax.Array:
    """Returns the coefficients of a value; those of a constant are itself, then zeros."""
    if value.coefficients is not None:
        return value.coefficients
    constant = jnp.asarray(value.constant)
    zeros = jnp.zeros((count - 1, *constant.shape), constant.dtype)
    return jnp.concatenate([constant[None], zeros])


def _in_loop(outputs: Sequence[_TracedValue], directions: int) -> set[int]:
    """Returns the identities of the operations that are performed at every point.

    An affine value is combined from its coefficients if that is less work than computing it.
    """
    in_loop: set[int] = set()
    pending = list(outputs)
    while pending:
        value = pending.pop()
        operation = value.operation
        if operation is None or id(operation) in in_loop:
            continue
        cheap = _COMBINATION_COST * directions * value.size < value.work
        if value.coefficients is None or not cheap:
            in_loop.add(id(operation))
            pending += operation.inputs
    return in_loop

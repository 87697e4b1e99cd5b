"""Takes out of the loop over points what is the same, or affine in the coordinates, at all of them.

Along a slice the parameters are `p0 + sum(c_i * d_i)`, and so is everything that a model computes
from them before its first nonlinearity, with coefficients of its own: `W x` is `W0 x` plus
`c_i * D_i x` for each direction. These are computed once. What is left for every point is the
combination of the coefficients and the operations after it: for an mlp the first layer, most of the
arithmetic, leaves the loop.

A program is followed operation by operation. An operation whose linearity is not known here, such
as any nonlinearity and any loop, stays in the loop: that is always right, and at worst no faster.
Products of two affine values are not followed as polynomials: in the loss of a linear model little
is left to save, and tied weights are rare.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.numerics.primitives import CALLS, inner, perform, size_of, work

PyTree = Any

# Linear in all operands that are listed together, where the others do not vary.
_FIRST = (0,)
_LINEAR: dict[str, tuple[int, ...] | None] = {
    "neg": _FIRST,
    "reshape": _FIRST,
    "transpose": _FIRST,
    "broadcast_in_dim": _FIRST,
    "squeeze": _FIRST,
    "slice": _FIRST,
    "split": _FIRST,
    "rev": _FIRST,
    "copy": _FIRST,
    "copy_p": _FIRST,
    "reduce_sum": _FIRST,
    "reduce_window_sum": _FIRST,
    "cumsum": _FIRST,
    "dynamic_slice": _FIRST,
    "gather": _FIRST,
    "add": (0, 1),
    "add_any": (0, 1),
    "sub": (0, 1),
    "pad": (0, 1),
    "dynamic_update_slice": (0, 1),
    "scatter": (0, 2),
    "scatter-add": (0, 2),
    "concatenate": None,  # all operands
}
# Linear in either operand, where the other does not vary.
_BILINEAR = ("mul", "dot_general", "conv_general_dilated")
_WIDE = (jnp.float32, jnp.float64)
# Reading a coefficient and adding it up costs about as much as this many operations.
_COMBINATION = 2.0


@dataclass(eq=False, slots=True)
class _Value:
    """A value of the program: `constant`, or affine with a `stack` of coefficients, or neither.

    The coefficients have a leading axis, the constant one comes first. `work` is how many
    arithmetic operations it takes to compute an affine value at one point.
    """

    size: int
    constant: Any = None
    stack: Any = None
    made: "_Operation | None" = None
    work: float = 0.0

    @property
    def varies(self) -> bool:
        return self.constant is None


@dataclass(eq=False, slots=True)
class _Operation:
    eqn: jex.JaxprEqn
    inputs: list[_Value]
    outputs: list[_Value] = field(default_factory=list)


def along(
    function: Callable[..., PyTree],
    params: PyTree,
    directions: Sequence[PyTree],
    *constants: PyTree,
) -> Callable[[jax.Array], PyTree]:
    """`at(coordinates) = function(params + sum(coordinates[i] * directions[i]), *constants)`.

    What does not depend on the coordinates, or is affine in them, is computed here, once; call
    this outside of the loop over points and `at`, with coordinates `(len(directions),)`, inside.
    Equal to the plain evaluation up to the order of floating-point sums. Non-finite numbers among
    the constants that multiply parameters may turn into NaN where the plain evaluation has
    infinity.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(params, *constants)
    structure = jax.tree.structure(shape)
    narrow = any(leaf.dtype not in _WIDE for leaf in jax.tree.leaves(params))
    if closed.effects or narrow:
        return plainly(function, params, directions, *constants)
    leaves = zip(*map(jax.tree.leaves, (params, *directions)), strict=True)
    given = [_Value(jnp.size(leaf[0]), stack=jnp.stack(leaf)) for leaf in leaves]
    given += [_Value(jnp.size(leaf), constant=leaf) for leaf in jax.tree.leaves(constants)]
    operations: list[_Operation] = []
    outputs = _follow(closed, given, operations)
    in_loop = _in_loop(outputs, len(directions))

    def at(coordinates: jax.Array) -> PyTree:
        known: dict[int, Any] = {}

        def get(value: _Value) -> Any:
            if id(value) not in known:
                known[id(value)] = (
                    value.constant if value.stack is None else combine(value.stack, coordinates)
                )
            return known[id(value)]

        for operation in operations:
            if id(operation) in in_loop:
                found = perform(operation.eqn, [get(value) for value in operation.inputs])
                known.update((id(v), f) for v, f in zip(operation.outputs, found, strict=True))
        return jax.tree.unflatten(structure, [get(value) for value in outputs])

    return at


def plainly(
    function: Callable[..., PyTree],
    params: PyTree,
    directions: Sequence[PyTree],
    *constants: PyTree,
) -> Callable[[jax.Array], PyTree]:
    """As `along`, with everything computed at every point."""
    return lambda coordinates: function(displace(params, directions, coordinates), *constants)


def displace(params: PyTree, directions: Sequence[PyTree], coordinates: jax.Array) -> PyTree:
    """`params + sum(coordinates[i] * directions[i])`."""

    def leaf(value: jax.Array, *steps: jax.Array) -> jax.Array:
        return value + sum(c * d for c, d in zip(coordinates, steps, strict=True))

    return jax.tree.map(leaf, params, *directions)


def combine(stack: jax.Array, coordinates: jax.Array) -> jax.Array:
    """`stack[0] + sum(coordinates[i] * stack[i + 1])`."""
    steps = [c.astype(stack.dtype) * stack[i] for i, c in enumerate(coordinates, 1)]
    return sum(steps, start=stack[0])


def _follow(
    closed: jex.ClosedJaxpr, arguments: Sequence[_Value], operations: list[_Operation]
) -> list[_Value]:
    """The outputs of a program; what varies from point to point is appended to `operations`."""
    jaxpr = closed.jaxpr
    known: dict[Any, _Value] = {}
    for variable, constant in zip(jaxpr.constvars, closed.consts, strict=True):
        known[variable] = _Value(size_of(variable), constant=constant)
    known.update(zip(jaxpr.invars, arguments, strict=True))

    def get(variable: Any) -> _Value:
        if isinstance(variable, jex.Literal):
            return _Value(size_of(variable), constant=variable.val)
        return known[variable]

    for eqn in jaxpr.eqns:
        inputs = [get(v) for v in eqn.invars]
        called = inner(eqn) if eqn.primitive.name in CALLS else None
        if called is not None:
            outputs = _follow(called, inputs[-len(called.jaxpr.invars) :], operations)
        elif not any(value.varies for value in inputs):
            found = perform(eqn, [value.constant for value in inputs])
            outputs = [_Value(size_of(v), f) for v, f in zip(eqn.outvars, found, strict=True)]
        else:
            outputs = _vary(eqn, inputs, operations)
        known.update(zip(eqn.outvars, outputs, strict=True))
    return [get(v) for v in jaxpr.outvars]


def _vary(eqn: jex.JaxprEqn, inputs: list[_Value], operations: list[_Operation]) -> list[_Value]:
    operation = _Operation(eqn, inputs)
    operations.append(operation)
    operation.outputs = [_Value(size_of(v), made=operation) for v in eqn.outvars]
    operands = _linear_operands(eqn, inputs)
    if operands is not None:
        cost = work(eqn) + sum(inputs[i].work for i in operands)
        stacks = _stacks(eqn, inputs, operands)
        for value, stack in zip(operation.outputs, stacks, strict=True):
            value.stack, value.work = stack, cost
    return operation.outputs


def _linear_operands(eqn: jex.JaxprEqn, inputs: list[_Value]) -> tuple[int, ...] | None:
    """The operands in which this is jointly linear, all that vary among them; else None."""
    varying = tuple(i for i, value in enumerate(inputs) if value.varies)
    if any(inputs[i].stack is None for i in varying):
        return None
    name = eqn.primitive.name
    if _is_more_than_its_name(eqn) or _is_narrow(eqn):
        return None
    if name in _BILINEAR:
        return varying if len(varying) == 1 else None
    everything = tuple(range(len(inputs)))
    if name in _LINEAR:
        operands = _LINEAR[name] or everything
    elif name == "select_n":
        operands = everything[1:]
    elif (name == "div" and _is_number(inputs[1].constant)) or (
        name == "convert_element_type" and _is_wider(eqn)
    ):
        operands = _FIRST
    else:
        return None
    return operands if set(varying) <= set(operands) else None


def _is_number(value: Any) -> bool:
    """A number that is known here, not zero: of an array it is not known what it holds."""
    known = value is not None and not isinstance(value, jax.Array) and np.ndim(value) == 0
    return known and math.isfinite(value) and value != 0


def _is_more_than_its_name(eqn: jex.JaxprEqn) -> bool:
    """`.at[].apply(f)` is a scatter that calls f; a gather may fill in a number of its own."""
    name, params = eqn.primitive.name, eqn.params
    applies = name == "scatter" and params["update_jaxpr"] is not None
    return applies or (name == "gather" and params["fill_value"] not in (None, 0))


def _is_narrow(eqn: jex.JaxprEqn) -> bool:
    """Half precision: its rounding is what is looked at, and coefficients would round otherwise."""
    variables: Any = (*eqn.invars, *eqn.outvars)
    kinds = [variable.aval.dtype for variable in variables]
    return any(jnp.issubdtype(k, jnp.floating) and k not in _WIDE for k in kinds)


def _is_wider(eqn: jex.JaxprEqn) -> bool:
    variables: Any = (*eqn.invars, *eqn.outvars)
    before, after = (variable.aval.dtype for variable in variables)
    floats = jnp.issubdtype(before, jnp.floating) and jnp.issubdtype(after, jnp.floating)
    return floats and jnp.finfo(after).bits >= jnp.finfo(before).bits


def _stacks(eqn: jex.JaxprEqn, inputs: list[_Value], operands: tuple[int, ...]) -> list[Any]:
    """The coefficients of the outputs: the operation on those of the operands, one by one."""
    count = next(len(inputs[i].stack) for i in operands if inputs[i].stack is not None)
    given = [
        _as_stack(value, count) if i in operands else value.constant
        for i, value in enumerate(inputs)
    ]
    axes = [0 if i in operands else None for i in range(len(inputs))]
    return jax.vmap(lambda *values: perform(eqn, values), in_axes=axes)(*given)


def _as_stack(value: _Value, count: int) -> jax.Array:
    if value.stack is not None:
        return value.stack
    constant = jnp.asarray(value.constant)
    nothing = jnp.zeros((count - 1, *constant.shape), constant.dtype)
    return jnp.concatenate([constant[None], nothing])


def _in_loop(outputs: Sequence[_Value], directions: int) -> set[int]:
    """The operations that are performed at every point, by identity.

    An affine value is combined from its coefficients where that is less work than computing it.
    """
    found: set[int] = set()
    waiting = list(outputs)
    while waiting:
        value = waiting.pop()
        operation = value.made
        if operation is None or id(operation) in found:
            continue
        cheap = _COMBINATION * directions * value.size < value.work
        if value.stack is None or not cheap:
            found.add(id(operation))
            waiting += operation.inputs
    return found

"""Properties of jax's primitives, by name: calls, linearity, dependence on dtypes, and cost."""

import math
from collections.abc import Sequence
from typing import Any

import jax.extend.core as jex

# Calls of a single program. Names of all supported versions of jax.
CALLS = (
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "checkpoint",
    "remat",
    "remat2",
    "custom_jvp_call",
    "custom_vjp_call",
    "custom_vjp_call_jaxpr",
)
# Operations that contain a program, but do more than call it once.
_USES_OF_PROGRAMS = ("scan", "while", "cond", "reduce", "reduce_window", "custom_linear_solve")
# The operands in which an operation is jointly linear if the others are constant (None: all).
LINEAR_OPERANDS: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(("neg", "reshape", "transpose", "broadcast_in_dim", "squeeze"), (0,)),
    **dict.fromkeys(("slice", "split", "rev", "copy", "copy_p", "dynamic_slice", "gather"), (0,)),
    **dict.fromkeys(("reduce_sum", "reduce_window_sum", "cumsum"), (0,)),
    **dict.fromkeys(("add", "add_any", "sub", "pad", "dynamic_update_slice"), (0, 1)),
    **dict.fromkeys(("scatter", "scatter-add"), (0, 2)),
    "concatenate": None,
}
# Linear in either operand if the other is constant.
BILINEAR = ("mul", "dot_general", "conv_general_dilated")
# Operations whose meaning depends on the dtypes they were traced with.
DTYPE_BOUND = (
    "bitcast_convert_type",
    "nextafter",
    "pure_callback",
    "io_callback",
    "rng_uniform",
    "custom_linear_solve",
    "ffi_call",
    "custom_call",
    "reduce",
    "reduce_window",
)


def called_program(eqn: jex.JaxprEqn) -> jex.ClosedJaxpr | None:
    """Returns the program that a jit, custom_jvp, custom_vjp or remat calls; None for others."""
    if eqn.primitive.name in _USES_OF_PROGRAMS:
        return None
    for key in ("call_jaxpr", "jaxpr", "fun_jaxpr"):
        program = eqn.params.get(key)
        if isinstance(program, jex.ClosedJaxpr):
            return program
        if isinstance(program, jex.Jaxpr) and not program.constvars:
            return jex.ClosedJaxpr(program, ())
    return None


def apply_equation(
    eqn: jex.JaxprEqn, inputs: Sequence[Any], params: dict | None = None
) -> list[Any]:
    """Returns the outputs of an equation on these inputs; `params` replaces its parameters."""
    outputs = eqn.primitive.bind(*inputs, **(eqn.params if params is None else params))
    return list(outputs) if eqn.primitive.multiple_results else [outputs]


def arithmetic_operations(eqn: jex.JaxprEqn) -> float:
    """Returns the approximate number of arithmetic operations of an equation."""
    size = sum(size_of(v) for v in eqn.outvars)
    if eqn.primitive.name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        return 2.0 * size * math.prod(_shape(eqn.invars[0])[i] for i in contracted)
    if eqn.primitive.name == "conv_general_dilated":
        kernel = _shape(eqn.invars[1])
        channels = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
        return 2.0 * size * math.prod(kernel) / channels
    if eqn.primitive.name == "reduce_window_sum":
        return float(size * math.prod(eqn.params["window_dimensions"]))
    return float(max(size, size_of(eqn.invars[0])))


def size_of(variable: Any) -> int:
    """Returns how many numbers a variable holds."""
    return math.prod(_shape(variable))


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape

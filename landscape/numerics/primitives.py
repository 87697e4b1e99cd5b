"""jax's primitives: their names in every supported version, by what they do, and their cost."""

import math
from collections.abc import Sequence
from typing import Any

import jax.extend.core as jex

# Calls that add nothing to the program they call.
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
# Operations that hold a program, but do more than call it once.
_USES_OF_PROGRAMS = ("scan", "while", "cond", "reduce", "reduce_window", "custom_linear_solve")
# The operands in which an operation is jointly linear if the others are constant (None: all).
LINEAR_OPERANDS: dict[str, tuple[int, ...] | None] = {
    "neg": (0,),
    "reshape": (0,),
    "transpose": (0,),
    "broadcast_in_dim": (0,),
    "squeeze": (0,),
    "slice": (0,),
    "split": (0,),
    "rev": (0,),
    "copy": (0,),
    "copy_p": (0,),
    "reduce_sum": (0,),
    "reduce_window_sum": (0,),
    "cumsum": (0,),
    "dynamic_slice": (0,),
    "gather": (0,),
    "add": (0, 1),
    "add_any": (0, 1),
    "sub": (0, 1),
    "pad": (0, 1),
    "dynamic_update_slice": (0, 1),
    "scatter": (0, 2),
    "scatter-add": (0, 2),
    "concatenate": None,
}
# Linear in either operand if the other is constant.
BILINEAR = ("mul", "dot_general", "conv_general_dilated")
# Operations that mean something else in wider dtypes than those they were traced with.
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
    """Returns the outputs of an equation on these inputs; `params` replaces its own parameters."""
    outputs = eqn.primitive.bind(*inputs, **(eqn.params if params is None else params))
    return list(outputs) if eqn.primitive.multiple_results else [outputs]


def arithmetic_operations(eqn: jex.JaxprEqn) -> float:
    """Returns approximately how many arithmetic operations an equation takes."""
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

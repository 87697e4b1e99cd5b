"""What a traced program is made of."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core as jex

# Calls that mean nothing but the program that they call.
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


def inner(eqn: jex.JaxprEqn) -> jex.ClosedJaxpr | None:
    """The program that a call stands for: jit, custom_jvp, custom_vjp, remat; None for others."""
    name = eqn.primitive.name
    if name in ("scan", "while", "cond", "reduce", "reduce_window", "custom_linear_solve"):
        return None
    for key in ("call_jaxpr", "jaxpr", "fun_jaxpr"):
        found = eqn.params.get(key)
        if isinstance(found, jex.ClosedJaxpr):
            return found
        if isinstance(found, jex.Jaxpr) and not found.constvars:
            return jex.ClosedJaxpr(found, ())
    return None


def perform(eqn: jex.JaxprEqn, inputs: Sequence[Any], params: dict | None = None) -> list[Any]:
    """The outputs of an equation, with other `params` than its own where they are given."""
    found = eqn.primitive.bind(*inputs, **(eqn.params if params is None else params))
    return list(found) if eqn.primitive.multiple_results else [found]


def flops(function: Callable, *arguments: Any) -> float:
    """About how many arithmetic operations a function takes; the body of a loop counts once."""
    return _flops(jax.make_jaxpr(function)(*arguments).jaxpr)


def _flops(jaxpr: jex.Jaxpr) -> float:
    total = 0.0
    for eqn in jaxpr.eqns:
        called = inner(eqn)
        total += work(eqn) if called is None else _flops(called.jaxpr)
    return total


def work(eqn: jex.JaxprEqn) -> float:
    """About how many arithmetic operations an equation takes."""
    size = sum(size_of(v) for v in eqn.outvars)
    if eqn.primitive.name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        return 2.0 * size * math.prod(_aval(eqn.invars[0]).shape[i] for i in contracted)
    if eqn.primitive.name == "conv_general_dilated":
        kernel = _aval(eqn.invars[1]).shape
        outputs = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
        return 2.0 * size * math.prod(kernel) / outputs
    if eqn.primitive.name == "reduce_window_sum":
        return float(size * math.prod(eqn.params["window_dimensions"]))
    return float(max(size, size_of(eqn.invars[0])))


def size_of(variable: Any) -> int:
    """How many numbers a variable holds."""
    return math.prod(variable.aval.shape)


def _aval(variable: Any) -> Any:
    return variable.aval

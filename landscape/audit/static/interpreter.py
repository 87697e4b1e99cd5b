"""Evaluates traced programs in float64, and lets callers observe or replace single operations.

A loss is traced once, in the float32 in which it trains. Evaluating that program in float64 shows
the function without the rounding of float32; evaluating it as traced shows what the machine
computes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np
from jax import lax

from landscape.audit.static.equations import count, extent
from landscape.numerics.primitives import DTYPE_BOUND, apply_equation, called_program

Array = Any
Observe = Callable[[int, jex.JaxprEqn, list[Array], list[Array]], Sequence[Array]]
Replacement = Callable[[list[Array]], list[Array]]
# Outputs, and what was observed on the way.
Results = tuple[list[Array], list[Array]]

# Called again instead of bound, since their parameters hold a program that was traced in float32.
_SCATTERS = {"scatter": lax.scatter} | {
    f"scatter{dash}{operation}": getattr(lax, f"scatter_{operation}")
    for operation in ("add", "sub", "mul", "min", "max")
    for dash in "-_"
}
_SCATTER_OPTIONS = ("dimension_numbers", "indices_are_sorted", "unique_indices", "mode")


def evaluate(
    closed: jex.ClosedJaxpr,
    arguments: Sequence[Array],
    observe: Observe | None = None,
    *,
    wide: bool = True,
    replacements: Mapping[int, Replacement] | None = None,
) -> Results:
    """Returns the outputs of a program, and everything that was observed.

    Floats are widened to float64, or keep their dtypes with `wide=False`. `observe(number,
    equation, inputs, outputs)` is called at each equation, numbered as by `equations`, and returns
    arrays to collect. `replacements` are operations to put in the place of equations, by number.
    All branches of a `cond` are evaluated; while loops are not observed.
    """
    return Interpreter(observe, wide, replacements or {}).run(closed, arguments, 0)


class Interpreter:
    """Runs a program equation by equation; a subclass may override `step`."""

    def __init__(
        self, observe: Observe | None, wide: bool, replacements: Mapping[int, Replacement]
    ):
        self.observe = observe
        self.wide = wide
        self.replacements = replacements

    def convert(self, value: Any) -> Array:
        """Returns an argument or constant in the dtype in which the program is evaluated."""
        return widened(value) if self.wide else value

    def run(self, closed: jex.ClosedJaxpr, arguments: Sequence[Array], number: int) -> Results:
        """Runs a program whose first equation has this number."""
        jaxpr = closed.jaxpr
        values: dict[Any, Array] = {}
        values.update(zip(jaxpr.constvars, map(self.convert, closed.consts), strict=True))
        values.update(zip(jaxpr.invars, map(self.convert, arguments), strict=True))

        def get(v: Any) -> Array:
            if isinstance(v, jex.Literal):
                aval: Any = v.aval
                return self.convert(np.asarray(v.val, aval.dtype))
            return values[v]

        observations: list[Array] = []
        for eqn in jaxpr.eqns:
            inputs = [get(v) for v in eqn.invars]
            if number in self.replacements:
                outputs = self.replacements[number](inputs)
            else:
                outputs, observed = self.step(eqn, inputs, number + 1)
                observations += observed
            if self.observe is not None:
                observations += self.observe(number, eqn, inputs, outputs)
            values.update(zip(eqn.outvars, outputs, strict=True))
            number += extent(eqn)
        return [get(v) for v in jaxpr.outvars], observations

    def step(self, eqn: jex.JaxprEqn, inputs: list[Array], number: int) -> Results:
        """Evaluates one equation; `number` is that of the first equation inside it."""
        name = eqn.primitive.name
        called = called_program(eqn)
        if called is not None:
            return self.run(called, inputs[-len(called.jaxpr.invars) :], number)
        if name == "scan":
            return self._scan(eqn, inputs, number)
        if name == "while":
            return self._while(eqn, inputs), []
        if name == "cond":
            return self._cond(eqn, inputs, number)
        if name == "stop_gradient":
            return [lax.stop_gradient(inputs[0])], []
        if name in ("debug_callback", "debug_print"):
            return [], []
        return (_apply_wide if self.wide else apply_equation)(eqn, inputs), []

    def _scan(self, eqn: jex.JaxprEqn, inputs: list[Array], number: int) -> Results:
        params, body = eqn.params, eqn.params["jaxpr"]
        fixed, carried = params["num_consts"], params["num_carry"]
        consts, carry = inputs[:fixed], inputs[fixed : fixed + carried]

        def iteration(carry: list[Array], xs: list[Array]) -> tuple[list[Array], Any]:
            outputs, observed = self.run(body, [*consts, *carry, *xs], number)
            return outputs[:carried], (outputs[carried:], observed)

        last, (stacked, observations) = lax.scan(
            iteration, carry, inputs[fixed + carried :], params["length"], params["reverse"]
        )
        return [*last, *stacked], observations

    def _while(self, eqn: jex.JaxprEqn, inputs: list[Array]) -> list[Array]:
        params = eqn.params
        split = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        test_consts, body_consts = inputs[: split[0]], inputs[split[0] : split[1]]
        unobserved = Interpreter(None, self.wide, {})
        return lax.while_loop(
            lambda carry: unobserved.run(params["cond_jaxpr"], [*test_consts, *carry], 0)[0][0],
            lambda carry: unobserved.run(params["body_jaxpr"], [*body_consts, *carry], 0)[0],
            inputs[split[1] :],
        )

    def _cond(self, eqn: jex.JaxprEqn, inputs: list[Array], number: int) -> Results:
        which, *operands = inputs
        cases, observations = [], []
        for branch in eqn.params["branches"]:
            outputs, observed = self.run(branch, operands, number)
            cases.append(outputs)
            observations += observed
            number += count(branch)
        which = jnp.clip(which.astype(jnp.int32), 0, len(cases) - 1)
        if len(cases) == 2:
            which = which.astype(bool)
        return [lax.select_n(which, *case) for case in zip(*cases, strict=True)], observations


def _apply_wide(eqn: jex.JaxprEqn, inputs: list[Array]) -> list[Array]:
    name = eqn.primitive.name
    applies_function = name == "scatter" and getattr(eqn.params.get("update_jaxpr"), "eqns", None)
    if name in DTYPE_BOUND or applies_function:
        return _apply_as_traced(eqn, inputs)
    params = {key: _wide_parameter(value) for key, value in eqn.params.items()}
    if name in _SCATTERS:
        return [_SCATTERS[name](*inputs, **{key: params[key] for key in _SCATTER_OPTIONS})]
    try:
        return apply_equation(eqn, inputs, params)
    except Exception:  # an operation that is bound to the dtypes it was traced with
        return _apply_as_traced(eqn, inputs)


def _apply_as_traced(eqn: jex.JaxprEqn, inputs: list[Array]) -> list[Array]:
    narrow = [
        value.astype(v.aval.dtype) if hasattr(v.aval, "dtype") else value
        for v, value in zip(eqn.invars, inputs, strict=True)
    ]
    return [widened(output) for output in apply_equation(eqn, narrow)]


def _wide_parameter(value: Any) -> Any:
    """Returns a parameter of an equation; a dtype of floats becomes float64."""
    if isinstance(value, np.dtype | type) and value is not bool:
        try:
            if jnp.issubdtype(value, jnp.floating):
                return np.dtype(np.float64)
            return np.dtype(np.complex128) if jnp.issubdtype(value, jnp.complexfloating) else value
        except TypeError:
            return value
    return value


def widened(value: Array) -> Array:
    """Returns a float as float64, a complex number as complex128, and any other value unchanged."""
    if not isinstance(value, jax.Array | np.ndarray):
        value = np.asarray(value)
    wide = _wide_parameter(value.dtype)
    return value if wide == value.dtype else value.astype(wide)

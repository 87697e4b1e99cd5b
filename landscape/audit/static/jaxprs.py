"""Evaluates a traced function in float64, and tells where in the source each operation stands.

A loss is traced once, in the float32 in which it trains. Evaluating that very program in float64
shows the function that it means, free of float32 rounding; evaluating it as it stands shows what
the machine computes.
"""

import linecache
import site
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np
from jax import lax

from landscape.audit.findings import Where
from landscape.numerics.primitives import apply_equation, called_program

Array = Any
Observe = Callable[[int, jex.JaxprEqn, list[Array], list[Array]], Sequence[Array]]
Replacement = Callable[[list[Array]], list[Array]]

# They mean something else on wider numbers, so they get the numbers that they were traced with.
_NARROW = {
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
}
_JAX = (str(Path(jax.__file__).parent), str(Path(__file__).parent), "<")
# Where jax keeps functions that are made of operations.
_FUNCTIONS = ("/nn/", "/ops/", "/scipy/", "/numpy/linalg", "/image/")
# Traced with a float32 program of their own, so they are called anew.
_SCATTERS = {
    "scatter": lax.scatter,
    "scatter-add": lax.scatter_add,
    "scatter_add": lax.scatter_add,
    "scatter-sub": lax.scatter_sub,
    "scatter_sub": lax.scatter_sub,
    "scatter-mul": lax.scatter_mul,
    "scatter_mul": lax.scatter_mul,
    "scatter-min": lax.scatter_min,
    "scatter_min": lax.scatter_min,
    "scatter-max": lax.scatter_max,
    "scatter_max": lax.scatter_max,
}
_LIBRARIES = tuple(
    {
        *site.getsitepackages(),
        site.getusersitepackages(),
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        str(Path(jax.__file__).parents[1]),
        str(Path(__file__).parents[1]),
    }
)


def evaluate(
    closed: jex.ClosedJaxpr,
    arguments: Sequence[Array],
    observe: Observe | None = None,
    *,
    wide: bool = True,
    replaced: Mapping[int, Replacement] | None = None,
) -> tuple[list[Array], list[Array]]:
    """Outputs of the program with its floating-point numbers widened to float64, and observations.

    `observe(number, equation, inputs, outputs)` is asked at each equation, numbered as
    `equations` does; what it returns is collected. All branches of a `cond` are evaluated. With
    `wide=False` numbers stay as they were traced. `replaced` puts other operations in the place of
    those of these numbers.
    """
    return Evaluation(observe, wide, replaced or {}).run(closed, arguments, 0)


def equations(closed: jex.ClosedJaxpr) -> Iterator[tuple[int, jex.JaxprEqn, tuple]]:
    """Every equation with its number and the calls around it, outermost first."""
    yield from _walk(closed.jaxpr, 0, ())


def _walk(jaxpr: jex.Jaxpr, start: int, around: tuple) -> Iterator[tuple[int, Any, tuple]]:
    number = start
    for eqn in jaxpr.eqns:
        yield number, eqn, around
        number += 1
        for body in bodies(eqn):
            yield from _walk(body.jaxpr, number, (*around, eqn))
            number += count(body)


def bodies(eqn: jex.JaxprEqn) -> list[jex.ClosedJaxpr]:
    """The programs inside an equation, each of which is evaluated by `evaluate`."""
    called = called_program(eqn)
    if called is not None:
        return [called]
    name, params = eqn.primitive.name, eqn.params
    if name == "scan":
        return [params["jaxpr"]]
    if name == "while":
        return [params["cond_jaxpr"], params["body_jaxpr"]]
    return list(params["branches"]) if name == "cond" else []


def count(closed: jex.ClosedJaxpr) -> int:
    """How many equations a program has, those inside its calls too."""
    return sum(1 + sum(count(body) for body in bodies(eqn)) for eqn in closed.jaxpr.eqns)


class Evaluation:
    """Runs a program equation by equation; a subclass may put other operations in `step`."""

    def __init__(self, observe: Observe | None, wide: bool, replaced: Mapping[int, Replacement]):
        self.observe = observe
        self.wide = wide
        self.replaced = replaced

    def given(self, value: Any) -> Array:
        return widened(value) if self.wide else value

    def run(
        self, closed: jex.ClosedJaxpr, arguments: Sequence[Array], start: int
    ) -> tuple[list[Array], list[Array]]:
        jaxpr = closed.jaxpr
        values: dict[Any, Array] = {}
        values.update(zip(jaxpr.constvars, map(self.given, closed.consts), strict=True))
        values.update(zip(jaxpr.invars, map(self.given, arguments), strict=True))

        def get(v: Any) -> Array:
            if isinstance(v, jex.Literal):
                aval: Any = v.aval
                return self.given(np.asarray(v.val, aval.dtype))
            return values[v]

        seen: list[Array] = []
        observed: list[Array]
        number = start
        for eqn in jaxpr.eqns:
            inputs = [get(v) for v in eqn.invars]
            if number in self.replaced:
                outputs, observed = self.replaced[number](inputs), []
            else:
                outputs, observed = self.step(eqn, inputs, number + 1)
            seen += observed
            if self.observe is not None:
                seen += self.observe(number, eqn, inputs, outputs)
            values.update(zip(eqn.outvars, outputs, strict=True))
            number += 1 + sum(count(body) for body in bodies(eqn))
        return [get(v) for v in jaxpr.outvars], seen

    def step(
        self, eqn: jex.JaxprEqn, inputs: list[Array], start: int
    ) -> tuple[list[Array], list[Array]]:
        name = eqn.primitive.name
        called = called_program(eqn)
        if called is not None:
            return self.run(called, inputs[-len(called.jaxpr.invars) :], start)
        if name == "scan":
            return self.scan(eqn, inputs, start)
        if name == "while":
            return self.loop(eqn, inputs), []
        if name == "cond":
            return self.branches(eqn, inputs, start)
        if name == "stop_gradient":
            return [lax.stop_gradient(inputs[0])], []
        if name in ("debug_callback", "debug_print"):
            return [], []
        if not self.wide:
            return apply_equation(eqn, inputs), []
        return _apply(eqn, inputs), []

    def scan(
        self, eqn: jex.JaxprEqn, inputs: list[Array], start: int
    ) -> tuple[list[Array], list[Array]]:
        params, body = eqn.params, eqn.params["jaxpr"]
        fixed, carried = params["num_consts"], params["num_carry"]
        consts, carry = inputs[:fixed], inputs[fixed : fixed + carried]

        def one(carry: list[Array], xs: list[Array]) -> tuple[list[Array], Any]:
            outputs, seen = self.run(body, [*consts, *carry, *xs], start)
            return outputs[:carried], (outputs[carried:], seen)

        last, (stacked, seen) = lax.scan(
            one, carry, inputs[fixed + carried :], params["length"], params["reverse"]
        )
        return [*last, *stacked], seen

    def loop(self, eqn: jex.JaxprEqn, inputs: list[Array]) -> list[Array]:
        params = eqn.params
        tests, fixed = params["cond_nconsts"], params["body_nconsts"]
        quiet = Evaluation(None, self.wide, {})
        return lax.while_loop(
            lambda carry: quiet.run(params["cond_jaxpr"], [*inputs[:tests], *carry], 0)[0][0],
            lambda carry: quiet.run(
                params["body_jaxpr"], [*inputs[tests : tests + fixed], *carry], 0
            )[0],
            inputs[tests + fixed :],
        )

    def branches(
        self, eqn: jex.JaxprEqn, inputs: list[Array], start: int
    ) -> tuple[list[Array], list[Array]]:
        which, *operands = inputs
        options, seen = [], []
        for branch in eqn.params["branches"]:
            outputs, observed = self.run(branch, operands, start)
            options.append(outputs)
            seen += observed
            start += count(branch)
        which = jnp.clip(which.astype(jnp.int32), 0, len(options) - 1)
        if len(options) == 2:
            which = which.astype(bool)
        return [lax.select_n(which, *cases) for cases in zip(*options, strict=True)], seen


def _apply(eqn: jex.JaxprEqn, inputs: list[Array]) -> list[Array]:
    name = eqn.primitive.name
    if name in _NARROW or (name == "scatter" and _has_body(eqn.params.get("update_jaxpr"))):
        return _as_traced(eqn, inputs)
    params = {key: _wide_parameter(value) for key, value in eqn.params.items()}
    if name in _SCATTERS:
        kept = ("dimension_numbers", "indices_are_sorted", "unique_indices", "mode")
        return [_SCATTERS[name](*inputs, **{key: params[key] for key in kept})]
    try:
        return apply_equation(eqn, inputs, params)
    except Exception:  # an operation that is tied to the precision it was traced in
        return _as_traced(eqn, inputs)


def _has_body(program: Any) -> bool:
    """Whether a scatter applies a function instead of replacing what is there."""
    return program is not None and bool(getattr(program, "eqns", ()))


def _as_traced(eqn: jex.JaxprEqn, inputs: list[Array]) -> list[Array]:
    narrow = [
        value.astype(v.aval.dtype) if hasattr(v.aval, "dtype") else value
        for v, value in zip(eqn.invars, inputs, strict=True)
    ]
    return [widened(found) for found in apply_equation(eqn, narrow)]


def _wide_parameter(value: Any) -> Any:
    if isinstance(value, np.dtype | type) and value is not bool:
        try:
            if jnp.issubdtype(value, jnp.floating):
                return np.dtype(np.float64)
            return np.dtype(np.complex128) if jnp.issubdtype(value, jnp.complexfloating) else value
        except TypeError:
            return value
    return value


def widened(value: Array) -> Array:
    """A floating-point value as float64, any other as it is."""
    if not isinstance(value, jax.Array | np.ndarray):
        value = np.asarray(value)
    if jnp.issubdtype(value.dtype, jnp.complexfloating):
        return value.astype(jnp.complex128)
    return value.astype(jnp.float64) if _is_float(value) else value


def _is_float(value: Array) -> bool:
    return jnp.issubdtype(value.dtype, jnp.floating) and value.dtype != jnp.float64


def place(eqn: jex.JaxprEqn, around: tuple, own: str | None) -> Where | None:
    """Where an operation stands in code that is not a library's; `own` is a file that counts.

    A program that was traced before is reused with the lines of its first use, so the body of a
    library's function is never asked where its caller stands: the call around it is.
    """
    for candidate in (eqn, *reversed(around)):
        found = _own_frame(candidate, own)
        if found is not None:
            return found
    return None


def direct(eqn: jex.JaxprEqn, own: str | None) -> bool:
    """Whether somebody's own line calls the operation itself, not a library's function with it."""
    trace: Any = eqn.source_info.traceback
    if trace is None:
        return False
    for code in trace.raw_frames()[0]:
        file = code.co_filename
        if file == own or not file.startswith((*_LIBRARIES, "<")):
            return True
        if any(part in file for part in _FUNCTIONS) or not file.startswith(_JAX):
            return False
    return False


def _own_frame(eqn: jex.JaxprEqn, own: str | None) -> Where | None:
    trace: Any = eqn.source_info.traceback
    if trace is None:
        return None
    codes, lasti = trace.raw_frames()
    for code, last in zip(codes, lasti, strict=True):
        file = code.co_filename
        if code.co_name.startswith("trace_to_jaxpr"):
            return None
        if file == own or not file.startswith((*_LIBRARIES, "<")):
            return _where(trace, code, last)
    return None


def _where(trace: Any, code: Any, last: int) -> Where:
    line, column, end_line, end = trace.code_addr2location(code, last)
    text = linecache.getline(code.co_filename, line).rstrip()
    known = end_line == line and 0 <= column < end <= len(text)
    return Where(
        code.co_filename,
        line,
        text.strip(),
        column - (len(text) - len(text.lstrip())) + 1 if known else None,
        end - (len(text) - len(text.lstrip())) + 1 if known else None,
    )

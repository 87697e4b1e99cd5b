"""Evaluates one example at many points: in float64, as the machine computes it, and its states.

A state is what a switching operation decides at a point: a sign, an index, a whole number. Between
two points of equal states the program is one smooth formula.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.subject import Subject
from landscape.audit.static import interpreter
from landscape.audit.static.reader import Site
from landscape.numerics.compiling import compile_once

Array = np.ndarray
CHUNK = 256
_NOT_A_NUMBER = 7.7e300  # a state in place of NaN, so that states compare
_COMPILERS = ThreadPoolExecutor(2, thread_name_prefix="compile")


class Derivatives(NamedTuple):
    """At each point: value, what autodiff gives as gradient, and its first three derivatives along
    the direction."""

    value: Array
    gradient: Array
    first: Array
    second: Array
    third: Array


class Probe:
    """The programs of a subject, compiled when first asked for; arrays in and out are NumPy."""

    def __init__(self, subject: Subject, sites: Sequence[Site]):
        self.subject = subject
        self.sites = [site for site in sites if _can_be_observed(site)]
        self._numbers = {site.number for site in self.sites}

    def scan(self, points: Array, target: Target) -> tuple[Array, Array]:
        """Values `(n,)` and states `(n, states)` in float64."""
        return self._run(self._scanner, np.float64, target, points)

    def values(self, points: Array, target: Target) -> Array:
        """Values `(n,)` in float64."""
        return self.scan(points, target)[0]

    def derivatives(self, points: Array, directions: Array, target: Target) -> Derivatives:
        """All derivatives along the directions, of the program that autodiff makes, in float64."""
        return Derivatives(*self._run(self._differentiator, np.float64, target, points, directions))

    def gradients(self, points: Array, target: Target) -> tuple[Array, Array]:
        """Values `(n,)` and gradients `(n, *shape)` in float64."""
        found = self.derivatives(points, np.zeros_like(points), target)
        return found.value, found.gradient

    def native(self, points: Array, target: Target, dtype: Any) -> tuple[Array, Array]:
        """Values and gradients as the machine computes them in this dtype, as float64 arrays.

        Whatever the function raises in that dtype is raised.
        """
        return self._run(self._native(dtype), dtype, target, points)

    @cached_property
    def owners(self) -> Array:
        """For each state, the position of its site in `sites`."""
        return np.array([i for i, n in enumerate(self._counts) for _ in range(n)], int)

    @cached_property
    def _counts(self) -> list[int]:
        with jax.enable_x64(True):
            x = jax.ShapeDtypeStruct(self.subject.shape, jnp.float64)

            def states(x: Any, t: Any) -> list:
                return interpreter.evaluate(self.subject.value, [x, t], self._observe)[1]

            shapes = jax.eval_shape(states, x, self.subject.targets[0].cast(np.float64))
            return [int(np.prod(s.shape)) for s in shapes]

    def _observe(self, number: int, eqn: Any, inputs: list, outputs: list) -> list:
        return [STATES[eqn.primitive.name](eqn, inputs)] if number in self._numbers else []

    @cached_property
    def _scanner(self) -> Callable:
        def scan(x: Any, t: Any) -> tuple:
            outputs, seen = interpreter.evaluate(self.subject.value, [x, t], self._observe)
            flat = [jnp.ravel(s).astype(jnp.float64) for s in seen]
            states = jnp.concatenate(flat) if flat else jnp.zeros(0)
            return outputs[0], jnp.where(jnp.isnan(states), _NOT_A_NUMBER, states)

        return self._compiled(scan, 1)

    @cached_property
    def _differentiator(self) -> Callable:
        """The highest derivatives that are needed and that there are; NaN for those beyond.

        A third one is needed where something may switch; some operations, such as a max pooling,
        have no second one.
        """
        for order in (3, 2, 1) if self.sites else (2, 1):
            try:
                return self._compiled(self._along(order), 2)
            except Exception:
                if order == 1:
                    raise
        raise AssertionError("the last order returns or raises")

    def _along(self, order: int) -> Callable:
        """`(x, direction, target) -> value, gradient, and three derivatives` up to an order."""

        def first(x: Any, d: Any, t: Any, s: Any) -> tuple:
            value, gradient = interpreter.evaluate(self.subject.gradient, [x + s * d, t])[0]
            return (jnp.vdot(gradient, d),), (value, gradient)

        def raised(lower: Callable) -> Callable:
            def higher(x: Any, d: Any, t: Any, s: Any) -> tuple:
                one = jnp.ones(())
                (known, kept), (slopes, _) = jax.jvp(lambda u: lower(x, d, t, u), (s,), (one,))
                return (*known, slopes[-1]), kept

            return higher

        program: Callable = first
        for _ in range(order - 1):
            program = raised(program)

        def at_zero(x: Any, d: Any, t: Any) -> tuple:
            known, (value, gradient) = program(x, d, t, jnp.zeros(()))
            missing = (jnp.full((), jnp.nan),) * (3 - order)
            return value, gradient, *known, *missing

        return at_zero

    def prepare(self, dtypes: Sequence[Any]) -> None:
        """Starts compiling for these dtypes beside other work."""
        for dtype in dtypes:
            key = np.dtype(dtype).name
            if key in self._natives:
                continue
            try:
                lowered = self._lowered(self._quiet_gradient, dtype, 1)
                self._natives[key] = _COMPILERS.submit(compile_once, lowered)
            except Exception as error:
                failed: Future = Future()
                failed.set_exception(error)
                self._natives[key] = failed

    def _quiet_gradient(self, x: Any, t: Any) -> tuple:
        """Value and gradient as the function computes them, without what it prints."""
        both = jax.value_and_grad(self.subject.row)
        if not self.subject.calls_back:
            return both(x, t)
        value, gradient = interpreter.evaluate(jax.make_jaxpr(both)(x, t), [x, t], wide=False)[0]
        return value, gradient

    @cached_property
    def _natives(self) -> dict[str, Future]:
        return {}

    def _native(self, dtype: Any) -> Callable:
        self.prepare([dtype])
        return self._natives[np.dtype(dtype).name].result()

    def _compiled(self, function: Callable, arrays: int) -> Callable:
        return compile_once(self._lowered(function, np.float64, arrays))

    def _lowered(self, function: Callable, dtype: Any, arrays: int) -> Any:
        """The function of `arrays` points and a target, over a chunk of points."""
        with jax.enable_x64(np.dtype(dtype) == np.float64):
            point = jax.ShapeDtypeStruct((CHUNK, *self.subject.shape), dtype)
            target = self.subject.targets[0].cast(dtype)
            axes = (0,) * arrays + (None,)
            return jax.jit(jax.vmap(function, axes)).lower(*[point] * arrays, target)

    def _run(self, program: Callable, dtype: Any, target: Target, *points: Array) -> Any:
        count = len(points[0])
        wide = np.dtype(dtype) == np.float64
        cast = target.cast(dtype)
        chunks = []
        with jax.enable_x64(wide):
            for start in range(0, max(count, 1), CHUNK):
                chunk = [_padded(p[start : start + CHUNK]).astype(dtype) for p in points]
                chunks.append(program(*chunk, cast))
            joined = [
                np.concatenate([np.asarray(c[i]).astype(np.float64) for c in chunks])[:count]
                for i in range(len(chunks[0]))
            ]
        return tuple(joined)


def _can_be_observed(site: Site) -> bool:
    """Whether its states can be told: those inside a while loop have no fixed number."""
    loops = any(eqn.primitive.name == "while" for eqn in site.calls)
    return site.equation.primitive.name in STATES and not loops


def _padded(points: Array) -> Array:
    missing = CHUNK - len(points)
    return np.concatenate([points, np.repeat(points[-1:], missing, 0)]) if missing else points


def _sign_of(eqn: Any, inputs: list) -> Any:
    return jnp.sign(inputs[0])


def _sign_of_difference(eqn: Any, inputs: list) -> Any:
    a, b = inputs[:2]
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return jnp.asarray(a, jnp.float64) - jnp.asarray(b, jnp.float64)
    return jnp.sign(a - b)


def _above(limit: float) -> Callable[[Any, list], Any]:
    return lambda eqn, inputs: jnp.sign(inputs[0] - limit)


def _denominator(eqn: Any, inputs: list) -> Any:
    return jnp.sign(inputs[1])


def _clamped(eqn: Any, inputs: list) -> Any:
    low, value, high = inputs
    return jnp.sign(value - low) + jnp.sign(value - high)


def _quotient(eqn: Any, inputs: list) -> Any:
    return jnp.trunc(inputs[0] / inputs[1])


def _largest(sign: float) -> Callable[[Any, list], Any]:
    """Which element is the largest; -1 where two are."""

    def state(eqn: Any, inputs: list) -> Any:
        x, axes = sign * inputs[0], tuple(eqn.params["axes"])
        rest = [i for i in range(x.ndim) if i not in axes]
        flat = jnp.transpose(x, (*rest, *axes)).reshape(*(x.shape[i] for i in rest), -1)
        top = jnp.max(flat, -1, keepdims=True)
        several = jnp.sum(flat == top, -1) > 1
        return jnp.where(several, -1, jnp.argmax(flat, -1))

    return state


def _order(eqn: Any, inputs: list) -> Any:
    return jnp.argsort(inputs[0], axis=eqn.params.get("dimension", -1))


def _running(largest: Any) -> Callable[[Any, list], Any]:
    return lambda eqn, inputs: (
        largest(inputs[0], axis=eqn.params["axis"], reverse=eqn.params["reverse"]) == inputs[0]
    )


def _top(eqn: Any, inputs: list) -> Any:
    return jnp.argsort(-inputs[0], axis=-1)


def _beyond(low: float, high: float) -> Callable[[Any, list], Any]:
    return lambda eqn, inputs: jnp.sign(inputs[0] - low) + jnp.sign(inputs[0] - high)


def _quantized(eqn: Any, inputs: list) -> Any:
    return jax.lax.reduce_precision(inputs[0], **eqn.params)


def _side(eqn: Any, inputs: list) -> Any:
    return jnp.sign(inputs[0]) + 3 * jnp.sign(inputs[1])


STATES: dict[str, Callable[[Any, list], Any]] = {
    **dict.fromkeys(
        ("abs", "sign", "sqrt", "rsqrt", "log", "cbrt", "pow", "integer_pow"), _sign_of
    ),
    **dict.fromkeys(("max", "min", "lt", "le", "gt", "ge", "eq", "ne"), _sign_of_difference),
    **dict.fromkeys(("lgamma", "digamma"), _sign_of),
    "clamp": _clamped,
    "div": _denominator,
    "log1p": _above(-1.0),
    "acosh": _above(1.0),
    **dict.fromkeys(("erf_inv", "atanh", "asin", "acos"), _beyond(-1.0, 1.0)),
    "floor": lambda eqn, inputs: jnp.floor(inputs[0]),
    "ceil": lambda eqn, inputs: jnp.ceil(inputs[0]),
    "round": lambda eqn, inputs: jnp.round(inputs[0]),
    "convert_element_type": lambda eqn, inputs: jnp.trunc(inputs[0]),
    "rem": _quotient,
    "reduce_max": _largest(1.0),
    "argmax": _largest(1.0),
    "reduce_min": _largest(-1.0),
    "argmin": _largest(-1.0),
    "sort": _order,
    "cummax": _running(jax.lax.cummax),
    "cummin": _running(jax.lax.cummin),
    "top_k": _top,
    "atan2": _side,
    "tan": lambda eqn, inputs: jnp.floor(inputs[0] / jnp.pi + 0.5),
    "reduce_precision": lambda eqn, inputs: _quantized(eqn, inputs),
}

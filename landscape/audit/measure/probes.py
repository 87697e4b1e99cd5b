"""Evaluates a subject at many points: in float64, in its training dtypes, and its states.

A state is the decision of a switching operation at a point: a sign, an index, an integer. Between
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
State = Callable[[Any, list], Any]
CHUNK = 256
# Operations whose results can be much larger than their operands.
_GROWING = ("exp", "exp2", "expm1", "mul", "integer_pow", "square", "pow", "div", "dot_general")
_NOT_A_NUMBER = 7.7e300  # a state in place of NaN, so that states compare
_COMPILERS = ThreadPoolExecutor(2, thread_name_prefix="compile")


class Derivatives(NamedTuple):
    """Value, gradient by autodiff, and three derivatives along a direction, at each point."""

    value: Array
    gradient: Array
    first: Array
    second: Array
    third: Array


class Probe:
    """The compiled programs of a subject; each is compiled on first use."""

    def __init__(self, subject: Subject, sites: Sequence[Site]):
        self.subject = subject
        self.sites = [site for site in sites if _can_be_observed(site)]
        self._numbers = {site.number for site in self.sites}
        self._natives: dict[str, Future] = {}

    def scan(self, points: Array, target: Target) -> tuple[Array, Array]:
        """Returns values `(n,)` and states `(n, states)` in float64."""
        return self._run(self._scanner, np.float64, target, points)

    def values(self, points: Array, target: Target) -> Array:
        """Returns values `(n,)` in float64."""
        return self.scan(points, target)[0]

    def peaks(self, points: Array, target: Target) -> Array:
        """Returns the largest size of an intermediate result of the value `(n,)`, in float64."""
        return self._run(self._peaker, np.float64, target, points)[0]

    def derivatives(self, points: Array, directions: Array, target: Target) -> Derivatives:
        """Returns the derivatives along these directions in float64."""
        return Derivatives(*self._run(self._differentiator, np.float64, target, points, directions))

    def gradients(self, points: Array, target: Target) -> tuple[Array, Array]:
        """Returns values `(n,)` and gradients `(n, *shape)` in float64."""
        derivatives = self.derivatives(points, np.zeros_like(points), target)
        return derivatives.value, derivatives.gradient

    def native(self, points: Array, target: Target, dtype: Any) -> tuple[Array, Array]:
        """Returns values and gradients computed in this dtype, as float64 arrays.

        Raises the error of the function if it fails in the dtype.
        """
        return self._run(self._native(dtype), dtype, target, points)

    @cached_property
    def owners(self) -> Array:
        """The position in `sites` of the site of each state."""

        def states(x: Any, t: Any) -> list:
            return interpreter.evaluate(
                self.subject.value, [x, *jax.tree.leaves(t)], self._observe
            )[1]

        with jax.enable_x64(True):
            x = jax.ShapeDtypeStruct(self.subject.shape, jnp.float64)
            shapes = jax.eval_shape(states, x, self.subject.targets[0].cast(np.float64))
        sizes = np.array([np.prod(shape.shape) for shape in shapes], int)
        return np.repeat(np.arange(len(sizes)), sizes)

    def _observe(self, number: int, eqn: Any, inputs: list, outputs: list) -> list:
        return [STATES[eqn.primitive.name](eqn, inputs)] if number in self._numbers else []

    @cached_property
    def _scanner(self) -> Callable:
        def scan(x: Any, t: Any) -> tuple:
            outputs, seen = interpreter.evaluate(
                self.subject.value, [x, *jax.tree.leaves(t)], self._observe
            )
            flat = [jnp.ravel(s).astype(jnp.float64) for s in seen]
            states = jnp.concatenate(flat) if flat else jnp.zeros(0)
            return outputs[0], jnp.where(jnp.isnan(states), _NOT_A_NUMBER, states)

        return self._compiled(scan, 1)

    @cached_property
    def _peaker(self) -> Callable:
        def observe(number: int, eqn: Any, inputs: list, outputs: list) -> list:
            results = outputs if eqn.primitive.name in _GROWING else []
            sizes = [jnp.abs(r) for r in results if jnp.issubdtype(r.dtype, jnp.floating)]
            return [jnp.max(jnp.where(jnp.isfinite(size), size, 0), initial=0) for size in sizes]

        def peak(x: Any, t: Any) -> tuple:
            observed = interpreter.evaluate(self.subject.value, [x, *jax.tree.leaves(t)], observe)[
                1
            ]
            return (jnp.max(jnp.stack([jnp.zeros(()), *map(jnp.max, observed)])),)

        return self._compiled(peak, 1)

    @cached_property
    def _differentiator(self) -> Callable:
        """The program of the derivatives, NaN for those that do not exist or are not needed.

        Only a subject with sites needs the third; some operations, as max pooling, have no second.
        """
        for order in (3, 2, 1) if self.sites else (2, 1):
            try:
                return self._compiled(self._along(order), 2)
            except Exception:
                if order == 1:
                    raise
        raise AssertionError("the last order returns or raises")

    def _along(self, order: int) -> Callable:
        """Returns a function of x, direction and target to all derivatives up to an order."""

        def first(x: Any, d: Any, t: Any, s: Any) -> tuple:
            value, gradient = interpreter.evaluate(
                self.subject.gradient, [x + s * d, *jax.tree.leaves(t)]
            )[0]
            return (jnp.vdot(gradient, d),), (value, gradient)

        def raised(lower: Callable) -> Callable:
            def higher(x: Any, d: Any, t: Any, s: Any) -> tuple:
                unit = jnp.ones(())
                primal, (slopes, _) = jax.jvp(lambda u: lower(x, d, t, u), (s,), (unit,))
                derivatives, value_and_gradient = primal
                return (*derivatives, slopes[-1]), value_and_gradient

            return higher

        program: Callable = first
        for _ in range(order - 1):
            program = raised(program)

        def at_zero(x: Any, d: Any, t: Any) -> tuple:
            derivatives, (value, gradient) = program(x, d, t, jnp.zeros(()))
            missing = (jnp.full((), jnp.nan),) * (3 - order)
            return value, gradient, *derivatives, *missing

        return at_zero

    def prepare(self, dtypes: Sequence[Any]) -> None:
        """Starts compiling value and gradient for these dtypes in the background."""
        for name in (np.dtype(dtype).name for dtype in dtypes):
            if name in self._natives:
                continue
            try:
                lowered = self._lowered(self._quiet_gradient, np.dtype(name), 1)
                self._natives[name] = _COMPILERS.submit(compile_once, lowered)
            except Exception as error:  # raised when the program is used
                self._natives[name] = Future()
                self._natives[name].set_exception(error)

    def _quiet_gradient(self, x: Any, t: Any) -> tuple:
        """Returns value and gradient in the dtype of x, without printing."""
        both = jax.value_and_grad(self.subject.row)
        if x.dtype == np.float32:
            program = self.subject.gradient  # traced already
        elif self.subject.calls_back:
            program = jax.make_jaxpr(both)(x, t)
        else:
            return both(x, t)
        return tuple(interpreter.evaluate(program, [x, *jax.tree.leaves(t)], wide=False)[0])

    def _native(self, dtype: Any) -> Callable:
        self.prepare([dtype])
        return self._natives[np.dtype(dtype).name].result()

    def _compiled(self, function: Callable, arrays: int) -> Callable:
        return compile_once(self._lowered(function, np.float64, arrays))

    def _lowered(self, function: Callable, dtype: Any, arrays: int) -> Any:
        """Returns the lowered function of chunks of `arrays` arrays of points, and a target."""
        with jax.enable_x64(np.dtype(dtype) == np.float64):
            point = jax.ShapeDtypeStruct((CHUNK, *self.subject.shape), dtype)
            target = self.subject.targets[0].cast(dtype)
            axes = (0,) * arrays + (None,)
            return jax.jit(jax.vmap(function, axes)).lower(*[point] * arrays, target)

    def _run(self, program: Callable, dtype: Any, target: Target, *points: Array) -> Any:
        count = len(points[0])
        value = target.cast(dtype)
        chunks = []
        with jax.enable_x64(np.dtype(dtype) == np.float64):
            for start in range(0, max(count, 1), CHUNK):
                chunk = [_padded(p[start : start + CHUNK]).astype(dtype) for p in points]
                outputs = program(*chunk, value)
                chunks.append([np.asarray(output).astype(np.float64) for output in outputs])
        return tuple(np.concatenate(output)[:count] for output in zip(*chunks, strict=True))


def _can_be_observed(site: Site) -> bool:
    """Whether the states of a site have a fixed number, as none in a while loop have."""
    loops = any(eqn.primitive.name == "while" for eqn in site.calls)
    return site.equation.primitive.name in STATES and not loops


def _padded(points: Array) -> Array:
    missing = CHUNK - len(points)
    return np.concatenate([points, np.repeat(points[-1:], missing, 0)]) if missing else points


def _sign_around(*limits: float) -> State:
    """Returns the states of an operation that switches if its operand passes a limit."""
    return lambda eqn, inputs: sum(jnp.sign(inputs[0] - limit) for limit in limits)


def _sign_of_difference(eqn: Any, inputs: list) -> Any:
    a, b = inputs[:2]
    if not jnp.issubdtype(a.dtype, jnp.floating):
        return jnp.asarray(a, jnp.float64) - jnp.asarray(b, jnp.float64)
    return jnp.sign(a - b)


def _clamped(eqn: Any, inputs: list) -> Any:
    low, value, high = inputs
    return jnp.sign(value - low) + jnp.sign(value - high)


def _largest(sign: float) -> State:
    """Returns the index of the largest element times `sign`, -1 at a tie."""

    def state(eqn: Any, inputs: list) -> Any:
        x, axes = sign * inputs[0], tuple(eqn.params["axes"])
        rest = [i for i in range(x.ndim) if i not in axes]
        flat = jnp.transpose(x, (*rest, *axes)).reshape(*(x.shape[i] for i in rest), -1)
        top = jnp.max(flat, -1, keepdims=True)
        several = jnp.sum(flat == top, -1) > 1
        return jnp.where(several, -1, jnp.argmax(flat, -1))

    return state


def _running(largest: Any) -> State:
    return lambda eqn, inputs: (
        largest(inputs[0], axis=eqn.params["axis"], reverse=eqn.params["reverse"]) == inputs[0]
    )


# The decision of each operation that can switch, from its equation and operands.
STATES: dict[str, State] = {
    **dict.fromkeys(
        ("abs", "sign", "sqrt", "rsqrt", "log", "cbrt", "pow", "integer_pow", "lgamma", "digamma"),
        _sign_around(0.0),
    ),
    **dict.fromkeys(("max", "min", "lt", "le", "gt", "ge", "eq", "ne"), _sign_of_difference),
    "clamp": _clamped,
    "div": lambda eqn, inputs: jnp.sign(inputs[1]),
    "log1p": _sign_around(-1.0),
    "acosh": _sign_around(1.0),
    **dict.fromkeys(("erf_inv", "atanh", "asin", "acos"), _sign_around(-1.0, 1.0)),
    "floor": lambda eqn, inputs: jnp.floor(inputs[0]),
    "ceil": lambda eqn, inputs: jnp.ceil(inputs[0]),
    "round": lambda eqn, inputs: jnp.round(inputs[0]),
    "convert_element_type": lambda eqn, inputs: jnp.trunc(inputs[0]),
    "rem": lambda eqn, inputs: jnp.trunc(inputs[0] / inputs[1]),
    **dict.fromkeys(("reduce_max", "argmax"), _largest(1.0)),
    **dict.fromkeys(("reduce_min", "argmin"), _largest(-1.0)),
    "sort": lambda eqn, inputs: jnp.argsort(inputs[0], axis=eqn.params.get("dimension", -1)),
    "cummax": _running(jax.lax.cummax),
    "cummin": _running(jax.lax.cummin),
    "top_k": lambda eqn, inputs: jnp.argsort(-inputs[0], axis=-1),
    "atan2": lambda eqn, inputs: jnp.sign(inputs[0]) + 3 * jnp.sign(inputs[1]),
    "tan": lambda eqn, inputs: jnp.floor(inputs[0] / jnp.pi + 0.5),
    "reduce_precision": lambda eqn, inputs: jax.lax.reduce_precision(inputs[0], **eqn.params),
}

"""The operation that makes a value NaN or infinite: for N301 to N303."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey
from landscape.audit.static import interpreter
from landscape.audit.static.equations import bodies, equations
from landscape.audit.static.source import locate
from landscape.numerics.compiling import jit_once
from landscape.storage.audit_records import Where


class Origin(NamedTuple):
    """The operation at fault and its place.

    `number` is that of its equation in the program of the value; None for one of the gradient.
    """

    operation: str
    where: Where | None
    number: int | None


def first_broken(
    survey: Survey, program: jex.ClosedJaxpr, point: np.ndarray, target: Target, dtype: Any
) -> Origin | None:
    """Returns the first operation of a program that turns finite inputs into non-finite outputs."""
    return _first(survey, program, point, target, dtype, _is_broken)


def first_singular(survey: Survey, point: np.ndarray, target: Target) -> Origin | None:
    """Returns the first operation of the value whose output or derivative is not finite.

    Such as a square root at 0. Only operations on the prediction count.
    """

    def is_singular(number: int, eqn: Any, inputs: list, outputs: list) -> Any:
        broken = _is_broken(number, eqn, inputs, outputs)
        edge = _EDGES.get(eqn.primitive.name)
        if edge is None or number not in survey.reading.varying:
            return broken
        return broken | jnp.any(edge(eqn, inputs))

    program = survey.subject.value
    return _first(survey, program, point, target, np.float32, is_singular)


def _first(
    survey: Survey,
    program: jex.ClosedJaxpr,
    point: np.ndarray,
    target: Target,
    dtype: Any,
    test: Callable[[int, Any, list, list], Any],
) -> Origin | None:
    """Returns the first operation that passes a test; None if unknown."""

    def observe(number: int, eqn: Any, inputs: list, outputs: list) -> list:
        if bodies(eqn):
            return []
        passes = test(number, eqn, inputs, outputs)
        return [jnp.stack([jnp.int32(number), jnp.asarray(passes, jnp.int32)])]

    def observations(x: Any, t: Any) -> list:
        return interpreter.evaluate(program, [x, *jax.tree.leaves(t)], observe, wide=False)[1]

    try:
        observed = jit_once(observations)(point.astype(dtype), target.cast(dtype))
    except Exception:  # an operation that cannot be evaluated outside of its program
        return None
    rows = [row for rows in observed for row in np.asarray(rows).reshape(-1, 2)]
    number = min((int(number) for number, passes in rows if passes), default=None)
    if number is None:
        return None
    _, eqn, calls = list(equations(program))[number]
    return Origin(eqn.primitive.name, locate(eqn, calls, survey.source_file), number)


def _is_broken(number: int, eqn: Any, inputs: list, outputs: list) -> Any:
    return _all_finite(inputs) & ~_all_finite(outputs)


def weight_is_infinite(survey: Survey, point: np.ndarray, target: Target) -> bool:
    """Whether the value's program divides a number other than 0 by 0, so that it is infinite."""

    def observe(number: int, eqn: Any, inputs: list, outputs: list) -> list:
        return [jnp.any(jnp.isinf(outputs[0]))] if eqn.primitive.name == "div" else []

    def observations(x: Any, t: Any) -> list:
        return interpreter.evaluate(
            survey.subject.value, [x, *jax.tree.leaves(t)], observe, wide=False
        )[1]

    observed = jit_once(observations)(point.astype(np.float32), target.cast(np.float32))
    return any(bool(np.any(infinite)) for infinite in observed)


def _all_finite(values: list) -> Any:
    """Whether all floating-point values are finite."""
    checks = [
        jnp.all(jnp.isfinite(v))
        for v in values
        if hasattr(v, "dtype") and jnp.issubdtype(v.dtype, jnp.floating)
    ]
    return jnp.all(jnp.stack(checks)) if checks else jnp.bool_(True)


def _is_one(eqn: Any, inputs: list) -> Any:
    return jnp.abs(inputs[0]) == 1


def _is_root_at_zero(eqn: Any, inputs: list) -> Any:
    base, exponent = inputs
    return (base == 0) & (exponent < 1) & (exponent != 0)


# Whether the derivative of an operation is not finite, although its value is.
_EDGES: dict[str, Callable[[Any, list], Any]] = {
    **dict.fromkeys(("sqrt", "cbrt"), lambda eqn, inputs: inputs[0] == 0),
    **dict.fromkeys(("asin", "acos", "atanh", "erf_inv"), _is_one),
    "acosh": _is_one,
    "div": lambda eqn, inputs: inputs[1] * inputs[1] == 0,
    "pow": _is_root_at_zero,
}

"""The operation that makes a value NaN or infinite: for N301 to N303."""

from typing import Any

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


def first_broken(
    survey: Survey, program: jex.ClosedJaxpr, point: np.ndarray, target: Target, dtype: Any
) -> tuple[str, Where | None]:
    """Returns the first operation of a program that turns finite inputs into non-finite outputs.

    Its name and its line in the user's source; "" and None if unknown.
    """

    def observe(number: int, eqn: Any, inputs: list, outputs: list) -> list:
        if bodies(eqn):
            return []
        return [jnp.stack([jnp.int32(number), _all_finite(inputs), _all_finite(outputs)])]

    def observations(x: Any, t: Any) -> list:
        return interpreter.evaluate(program, [x, t], observe, wide=False)[1]

    try:
        observed = jit_once(observations)(point.astype(dtype), target.cast(dtype))
    except Exception:  # an operation that cannot be evaluated outside of its program
        return "", None
    rows = [row for rows in observed for row in np.asarray(rows).reshape(-1, 3)]
    numbers = [number for number, before, after in rows if before and not after]
    if not numbers:
        return "", None
    _, eqn, calls = list(equations(program))[min(numbers)]
    return eqn.primitive.name, locate(eqn, calls, survey.source_file)


def weight_is_infinite(survey: Survey, point: np.ndarray, target: Target) -> bool:
    """Whether the value's program divides a number other than 0 by 0, so that it is infinite."""

    def observe(number: int, eqn: Any, inputs: list, outputs: list) -> list:
        return [jnp.any(jnp.isinf(outputs[0]))] if eqn.primitive.name == "div" else []

    def observations(x: Any, t: Any) -> list:
        return interpreter.evaluate(survey.subject.value, [x, t], observe, wide=False)[1]

    observed = jit_once(observations)(point.astype(np.float32), target.cast(np.float32))
    return any(bool(np.any(infinite)) for infinite in observed)


def _all_finite(values: list) -> Any:
    """Returns 1 if all floating-point values are finite, else 0."""
    checks = [
        jnp.all(jnp.isfinite(v))
        for v in values
        if hasattr(v, "dtype") and jnp.issubdtype(v.dtype, jnp.floating)
    ]
    return jnp.all(jnp.stack(checks)).astype(jnp.int32) if checks else jnp.int32(1)

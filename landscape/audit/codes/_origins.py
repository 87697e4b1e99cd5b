"""The operation that makes a value NaN or infinite: for N301 to N303."""

from typing import Any, NamedTuple

import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.findings import Where
from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey
from landscape.audit.static import interpreter
from landscape.audit.static.equations import bodies, equations
from landscape.audit.static.source import locate
from landscape.numerics.compiling import jit_once


class Origin(NamedTuple):
    """A primitive and its place in the user's source, None if it has none there."""

    primitive: str
    where: Where | None


def first_broken(
    survey: Survey, program: jex.ClosedJaxpr, point: np.ndarray, target: Target, dtype: Any
) -> Origin | None:
    """The first operation of a program that turns finite inputs into non-finite outputs."""
    numbered = [(eqn, calls) for _, eqn, calls in equations(program)]

    def observe(number: int, eqn: Any, inputs: list, outputs: list) -> list:
        if bodies(eqn):
            return []
        return [jnp.stack([jnp.int32(number), _all_finite(inputs), _all_finite(outputs)])]

    def look(x: Any, t: Any) -> list:
        return interpreter.evaluate(program, [x, t], observe, wide=False)[1]

    try:
        seen = jit_once(look)(point.astype(dtype), target.cast(dtype))
    except Exception:  # an operation that cannot be taken out of its program
        return None
    rows = [np.asarray(row).reshape(-1, 3) for row in seen]
    for number, before, after in sorted(map(tuple, np.concatenate(rows))) if rows else []:
        if before and not after:
            eqn, calls = numbered[int(number)]
            where = locate(eqn, calls, survey.source_file)
            return Origin(eqn.primitive.name, where)
    return None


def _all_finite(values: list) -> Any:
    """1 if all floating-point values are finite, else 0."""
    checks = [
        jnp.all(jnp.isfinite(v))
        for v in values
        if hasattr(v, "dtype") and jnp.issubdtype(v.dtype, jnp.floating)
    ]
    return jnp.all(jnp.stack(checks)).astype(jnp.int32) if checks else jnp.int32(1)

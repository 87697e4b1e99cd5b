"""Slopes that JAX gives at kinks of a PyTorch loss, whose own gradient is that of torch."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.crossings import Crossing
from landscape.audit.measure.survey import Survey
from landscape.audit.static.equations import equations
from landscape.audit.static.interpreter import Replacement, evaluate
from landscape.interop.libraries import library_of
from landscape.numerics.compiling import jit_once

Array = Any
TOLERANCE = 1e-6  # relative to the larger slope


def differing_slope(survey: Survey, crossing: Crossing) -> float | None:
    """Returns the slope that JAX gives at a tie where torch gives another one; None for no such.

    JAX differentiates the operations of the loss by its own rules. A maximum with 0 stands both for
    `jnp.maximum` and for `jax.nn.relu`; torch differs only if it differs from both.
    """
    subject = survey.subject
    if not crossing.tie or library_of(subject.function) != "PyTorch":
        return None
    zeros = {
        number: _relu for number, eqn, _ in equations(subject.value) if _is_maximum_with_zero(eqn)
    }
    slopes = [_slope(survey, crossing, rules) for rules in ({}, zeros)]
    torch_slope = float(crossing.center[1])
    if any(_equal(slope, torch_slope) for slope in slopes):
        return None
    return slopes[0]


def _slope(survey: Survey, crossing: Crossing, rules: Mapping[int, Replacement]) -> float:
    """Returns the derivative of the traced program, without its custom derivatives."""

    def value(step: Array) -> Array:
        target = crossing.target.cast(np.float64)
        point = jnp.asarray(crossing.point) + step * jnp.asarray(crossing.unit)
        arguments = [point, *jax.tree.leaves(target)]
        return evaluate(survey.subject.value, arguments, replacements=rules)[0][0]

    with jax.enable_x64(True):
        one = jnp.ones(())
        return float(jit_once(lambda: jax.jvp(value, (jnp.zeros(()),), (one,))[1])())


def _relu(inputs: list[Array]) -> list[Array]:
    return [jax.nn.relu(inputs[0])]


def _is_maximum_with_zero(eqn: jex.JaxprEqn) -> bool:
    if eqn.primitive.name != "max":
        return False
    other = eqn.invars[-1]
    return isinstance(other, jex.Literal) and not np.any(np.asarray(other.val))


def _equal(a: float, b: float) -> bool:
    return bool(np.isclose(a, b, rtol=TOLERANCE, atol=1e-12, equal_nan=True))

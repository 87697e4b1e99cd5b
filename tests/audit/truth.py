"""Readings of functions, and whether values at midpoints agree with a claimed curvature."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.static import intervals as iv
from landscape.audit.static import reader
from landscape.audit.static.abstract import AbstractValue

REAL, UNIT, POSITIVE = (-math.inf, math.inf), (0.0, 1.0), (0.0, math.inf)
# Of the value itself, or of its logarithm.
_CONVEX = {iv.CONSTANT, iv.AFFINE, iv.CONVEX, iv.LOG_CONVEX}
_CONCAVE = {iv.CONSTANT, iv.AFFINE, iv.CONCAVE, iv.LOG_CONCAVE}


def read(function, bounds=REAL, target=None, size=4):
    """Returns the reading of a function of a vector and a target."""
    inputs = [AbstractValue(range=bounds, varies=True, convexity=iv.AFFINE)]
    if target is not None:
        inputs.append(AbstractValue(range=target, uses_target=True))
    shapes = [jax.ShapeDtypeStruct((size,), jnp.float32)] * len(inputs)
    return reader.read(jax.make_jaxpr(function)(*shapes), inputs)


def bends_as_claimed(convexity, a, b, middle):
    """Whether values at midpoints and at their ends agree with a curvature."""
    with np.errstate(all="ignore"):
        if convexity in (iv.LOG_CONVEX, iv.LOG_CONCAVE):
            a, b, middle = np.log(a), np.log(b), np.log(middle)
        above, room = middle - (a + b) / 2, 1e-9 * (1 + np.abs(a) + np.abs(b))
    known = np.isfinite(above)
    convex, concave = convexity in _CONVEX, convexity in _CONCAVE
    return not (convex and np.any(above[known] > room[known])) and not (
        concave and np.any(above[known] < -room[known])
    )

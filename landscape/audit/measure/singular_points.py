"""Solves for points at which an argument touches the limit of its domain.

At the center of a norm, the root of a square or the pole of 1 / x^2 the argument does not change
sign, so no state changes on any line.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.domains import FAR, Target
from landscape.audit.measure.survey import Survey
from landscape.audit.static import interpreter
from landscape.numerics.compiling import jit_once

Array = np.ndarray
_STARTS, _STEPS, _MAX_SITES = 24, 70, 4
_REACHED = 1e-18
# The distance of the argument of each operation from its limit.
_DISTANCES: dict[str, Callable[[list], Any]] = {
    **dict.fromkeys(("sqrt", "rsqrt", "log", "cbrt", "pow", "integer_pow"), lambda xs: xs[0]),
    "div": lambda xs: xs[1],
    "log1p": lambda xs: 1 + xs[0],
    "acosh": lambda xs: xs[0] - 1,
    **dict.fromkeys(("erf_inv", "atanh", "asin", "acos"), lambda xs: 1 - jnp.abs(xs[0])),
}


def solve(survey: Survey, target: Target, sites: Sequence[int]) -> list[tuple[int, Array]]:
    """Returns sites, and points at which their arguments reach their limits.

    Takes steps of Polyak (1969) toward the known minimum 0 of the distance, from plausible
    predictions; a point is rounded if the rounded one is also a solution.
    """
    solutions: list[tuple[int, Array]] = []
    for site in [s for s in sites if survey.probe.sites[s].operation in _DISTANCES][:_MAX_SITES]:
        distance = _distance(survey, survey.probe.sites[site].number)
        solutions += [(site, point) for point in _descend(survey, target, distance)]
    return solutions


def _distance(survey: Survey, number: int) -> Callable[[Any, Any], Any]:
    def distance(x: Any, t: Any) -> Any:
        def observe(position: int, eqn: Any, inputs: list, outputs: list) -> list:
            return [_DISTANCES[eqn.primitive.name](inputs)] if position == number else []

        (distances,) = interpreter.evaluate(
            survey.subject.value, [x, *jax.tree.leaves(t)], observe
        )[1]
        return jnp.min(jnp.abs(distances))

    return distance


def _descend(survey: Survey, target: Target, distance: Callable[[Any, Any], Any]) -> list[Array]:
    domain = survey.subject.domain
    low, high = max(domain.low, -FAR), min(domain.high, FAR)
    rng = np.random.default_rng([survey.seed, 303])
    starts = domain.sample(rng, _STARTS, target)

    def follow(x: Any, t: Any) -> tuple:
        def polyak(_: int, x: Any) -> Any:
            value, slope = jax.value_and_grad(distance)(x, t)
            size = jnp.vdot(slope, slope)
            step = jnp.where(size > 0, value / jnp.where(size > 0, size, 1), 0)
            return jnp.clip(x - step * slope, low, high)

        x = jax.lax.fori_loop(0, _STEPS, polyak, x)
        rounded = jnp.round(x * 1e6) / 1e6
        end = jnp.where(distance(rounded, t) == 0, rounded, x)
        return end, distance(end, t)

    with jax.enable_x64(True):
        try:
            ends, left = jit_once(jax.vmap(follow, (0, None)))(starts, target.cast(np.float64))
        except Exception:  # the argument cannot be observed, as inside a loop
            return []
    ends, left = np.asarray(ends), np.asarray(left)
    solved = ends[(left < _REACHED) & np.isfinite(ends).reshape(len(ends), -1).all(1)]
    if len(solved) == 0:
        return []
    order = np.argsort(np.abs(solved).reshape(len(solved), -1).max(1), kind="stable")
    apart = np.unique(np.round(solved[order], 6), axis=0, return_index=True)[1]
    return list(solved[order][np.sort(apart)[:3]])

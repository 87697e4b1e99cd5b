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
from landscape.audit.measure.survey import Survey, once
from landscape.audit.static import interpreter
from landscape.numerics.compiling import jit_once

Array = np.ndarray
_STARTS, _STEPS, _MAX_SITES = 24, 70, 4
_REACHED = 1e-18
_OFF_SIMPLEX = 1e-6  # how far the sum of probabilities may be from 1
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
    descents = _descents(survey)
    rng = np.random.default_rng([survey.seed, 303])
    starts = survey.subject.domain.sample(rng, _STARTS, target)
    solutions: list[tuple[int, Array]] = []
    for site in [site for site in sites if site in descents][:_MAX_SITES]:
        with jax.enable_x64(True):
            try:
                ends, left = descents[site](starts, target.cast(np.float64))
            except (ValueError, NotImplementedError):
                continue  # the argument is not observed or has no derivative, as in a while loop
        solutions += [
            (site, point) for point in _solved(survey, np.asarray(ends), np.asarray(left))
        ]
    return solutions


@once
def _descents(survey: Survey) -> dict[int, Callable]:
    """Returns the descent of each site whose argument has a limit; compiled once for all targets.

    One program of all sites would follow NaN: the derivative of one argument may be infinite where
    another reaches its limit.
    """
    sites = survey.probe.sites
    solvable = [i for i, site in enumerate(sites) if site.operation in _DISTANCES]
    return {i: jit_once(jax.vmap(_descent(survey, sites[i].number), (0, None))) for i in solvable}


def _distance(survey: Survey, number: int) -> Callable[[Any, Any], Any]:
    def observe(position: int, eqn: Any, inputs: list, outputs: list) -> list:
        return [_DISTANCES[eqn.primitive.name](inputs)] if position == number else []

    def distance(x: Any, t: Any) -> Any:
        (distances,) = interpreter.evaluate(
            survey.subject.value, [x, *jax.tree.leaves(t)], observe
        )[1]
        return jnp.min(jnp.abs(distances))

    return distance


def _descent(survey: Survey, number: int) -> Callable[[Any, Any], tuple]:
    """Returns a function of a start and a target to the end, and the distance that is left."""
    distance, domain = _distance(survey, number), survey.subject.domain
    low, high = max(domain.low, -FAR), min(domain.high, FAR)
    is_simplex = domain.name == "simplex"

    def follow(x: Any, t: Any) -> tuple:
        def polyak(_: int, x: Any) -> Any:
            value, slope = jax.value_and_grad(distance)(x, t)
            if is_simplex:  # the sum of the probabilities stays 1
                slope = slope - slope.mean(-1, keepdims=True)
            size = jnp.vdot(slope, slope)
            step = jnp.where(size > 0, value / jnp.where(size > 0, size, 1), 0)
            return jnp.clip(x - step * slope, low, high)

        x = jax.lax.fori_loop(0, _STEPS, polyak, x)
        ends = jnp.stack([x, jnp.round(x * 1e6) / 1e6])
        left = jax.vmap(distance, (0, None))(ends, t)
        chosen = jnp.where(left[1] == 0, 1, 0)
        return ends[chosen], left[chosen]

    return follow


def _solved(survey: Survey, ends: Array, left: Array) -> list[Array]:
    """Returns up to three different points at which the argument has reached its limit."""
    reached = (left < _REACHED) & np.isfinite(ends).reshape(len(ends), -1).all(1)
    if survey.subject.domain.name == "simplex":
        off = np.abs(ends.sum(-1) - 1).reshape(len(ends), -1).max(1)
        reached &= off < _OFF_SIMPLEX
    solved = ends[reached]
    if len(solved) == 0:
        return []
    order = np.argsort(np.abs(solved).reshape(len(solved), -1).max(1), kind="stable")
    apart = np.unique(np.round(solved[order], 6), axis=0, return_index=True)[1]
    return list(solved[order][np.sort(apart)[:3]])

"""Compares bfloat16 and float16 with float32: the first prediction at which only a half fails.

Compiling the two programs takes a fifth of an audit, so they are compared only if float32 comes
near the limits of float16.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.domains import FAR, Target
from landscape.audit.measure.survey import Survey, norms, once
from landscape.audit.measure.switching import lowest_values, special_points
from landscape.audit.static.equations import equations

Array = np.ndarray
HALVES = (jnp.bfloat16, np.float16)
ABOVE = 0.02  # a lost gradient counts if the loss is this much above its minimum, by its spread,
STEEP = 0.05  # if in float32 it is this share of the largest,
LOST = 0.02  # and if more than this share of the gradients is lost
# A result of this size may come with a larger gradient, beyond float16's range; gradients that are
# all smaller than this with one below it.
LARGE = float(np.finfo(np.float16).max) / 16
SMALL = float(np.finfo(np.float16).tiny) * 16


@dataclass(frozen=True)
class HalfFailure:
    """A prediction at which float32 is finite, but a dtype is not or loses the gradient.

    `value` and `gradient` are in that dtype, `wide_value` and the norm of the gradient in float32.
    """

    dtype: Any
    target: Target
    point: Array
    finite: bool
    value: float
    gradient: Array
    wide_value: float
    wide_norm: float


class HalfPrecision(NamedTuple):
    """The first failure, and a note for each dtype that the function refuses."""

    failure: HalfFailure | None
    refusals: tuple[str, ...]


class _Group(NamedTuple):
    """Predictions for a target, with value and gradient in float32."""

    target: Target
    points: Array
    value: Array
    gradient: Array


@once
def has_sensitive_constants(survey: Survey) -> bool:
    """Whether a half rounds a constant of the program to 0, 1 or infinity."""
    operands = [v for _, eqn, _ in equations(survey.subject.value) for v in eqn.invars]
    constants = [v.val for v in operands if isinstance(v, jex.Literal)]
    return any(map(_is_sensitive, [*constants, *survey.subject.value.consts]))


def _is_sensitive(constant: Any) -> bool:
    if not jnp.issubdtype(jnp.result_type(constant), jnp.floating):
        return False
    exact = np.asarray(constant, np.float64)
    halves = (exact.astype(dtype).astype(np.float64) for dtype in HALVES)
    special = (np.isin(np.abs(half), (0, 1, np.inf)) & (half != exact) for half in halves)
    return any(np.any(each & np.isfinite(exact)) for each in special)


def _is_near_the_limits(survey: Survey, groups: list[_Group]) -> bool:
    """Whether a constant, an intermediate result or a gradient is near the limits of float16."""
    if has_sensitive_constants(survey) or 0 < survey.steepest < SMALL:
        return True
    sizes = [np.abs(array).ravel() for group in groups for array in (group.value, group.gradient)]
    sizes += [survey.probe.peaks(group.points, group.target) for group in groups]
    size = np.concatenate(sizes)
    return bool(size[np.isfinite(size)].max(initial=0.0) > LARGE)


@once
def half_precision(survey: Survey) -> HalfPrecision:
    """Compares predictions up to 30 in each half with float32, until one fails.

    Compares none if float32 is not near the limits of float16.
    """
    groups, refusals = _groups(survey), []
    if not _is_near_the_limits(survey, groups):
        return HalfPrecision(None, ())
    for dtype in HALVES:
        try:
            halves = [survey.probe.native(group.points, group.target, dtype) for group in groups]
        except Exception as error:
            reason = str(error).strip().split("\n")[0][:120]
            refusals.append(f"not tried in {np.dtype(dtype).name}: it refuses ({reason})")
            continue
        failures = (_failure(survey, g, dtype, *h) for g, h in zip(groups, halves, strict=True))
        failure = next(filter(None, failures), None)
        if failure is not None:
            return HalfPrecision(failure, tuple(refusals))
    return HalfPrecision(None, tuple(refusals))


def _groups(survey: Survey) -> list[_Group]:
    groups = []
    for sample, path in zip(survey.plausible, survey.paths, strict=True):
        target, near = sample.target, np.abs(path.steps) <= FAR
        for points in (special_points(survey, target), sample.points):
            groups += [_Group(target, points, *survey.probe.native(points, target, np.float32))]
        arrays = path.points[near], path.value32[near], path.gradient32[near]
        groups.append(_Group(target, *arrays))
    return groups


def _failure(
    survey: Survey, group: _Group, dtype: Any, values: Array, slopes: Array
) -> HalfFailure | None:
    wide_norms = norms(group.gradient)
    finite = np.isfinite(group.value) & np.isfinite(wide_norms)
    broken = finite & ~(np.isfinite(values) & np.isfinite(norms(slopes)))
    lowest = lowest_values(survey)[group.target.name]
    above = group.value > lowest + ABOVE * survey.scale.levels[0]
    steep = wide_norms > STEEP * max(survey.steepest, 1e-30)
    lost = finite & above & steep & (norms(slopes) == 0)
    failing = broken | lost if lost.mean() > LOST else broken
    if not failing.any():
        return None
    sizes = np.abs(group.points).reshape(len(group.points), -1).max(1)
    i = int(np.flatnonzero(failing)[np.argmin(sizes[failing])])
    return HalfFailure(
        dtype=dtype,
        target=group.target,
        point=group.points[i],
        finite=not broken[i],
        value=values[i],
        gradient=slopes[i],
        wide_value=group.value[i],
        wide_norm=wide_norms[i],
    )

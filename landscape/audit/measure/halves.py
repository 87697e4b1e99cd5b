"""bfloat16 and float16 against float32: the first prediction at which only a half fails."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.domains import FAR, Target
from landscape.audit.measure.survey import Survey, norms, once
from landscape.audit.measure.switching import lowest_values, special_points

Array = np.ndarray
HALVES = (jnp.bfloat16, np.float16)
ABOVE = 0.02  # a lost gradient counts if the loss is this much above its minimum, by its spread,
STEEP = 0.05  # if in float32 it is this share of the largest,
LOST = 0.02  # and if more than this share of the gradients is lost


@dataclass(frozen=True)
class HalfFailure:
    """A prediction at which float32 is finite and the dtype is not, or loses the gradient.

    `value` and `gradient` in that dtype, `wide_value` and `wide_norm` in float32.
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


class _RefusedError(Exception):
    """The function cannot be computed in a dtype."""


@once
def half_precision(survey: Survey) -> HalfPrecision:
    """Compares predictions up to 30 in each half with float32, until one fails."""
    groups = [group for target in survey.subject.targets for group in _groups(survey, target)]
    refusals: list[str] = []
    for dtype in HALVES:
        try:
            failure = _first_failure(survey, groups, dtype)
        except _RefusedError as refusal:
            refusals.append(f"not tried in {np.dtype(dtype).name}: it refuses ({refusal})")
            continue
        if failure is not None:
            return HalfPrecision(failure, tuple(refusals))
    return HalfPrecision(None, tuple(refusals))


def _groups(survey: Survey, target: Target) -> list[_Group]:
    near = [special_points(survey, target)]
    near += [s.points for s in survey.plausible if s.target.name == target.name]
    groups = [_Group(target, p, *survey.probe.native(p, target, np.float32)) for p in near]
    for path in survey.paths:
        if path.target.name == target.name:
            chosen = np.abs(path.steps) <= FAR
            arrays = path.points[chosen], path.value32[chosen], path.gradient32[chosen]
            groups.append(_Group(target, *arrays))
    return groups


def _first_failure(survey: Survey, groups: list[_Group], dtype: Any) -> HalfFailure | None:
    for group in groups:
        try:
            values, slopes = survey.probe.native(group.points, group.target, dtype)
        except Exception as error:
            raise _RefusedError(str(error).strip().split("\n")[0][:120]) from error
        failure = _failure(survey, group, dtype, values, slopes)
        if failure is not None:
            return failure
    return None


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

"""Gradients that fade on the way to the most wrong prediction: for G202 and G205."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from landscape.audit.codes._dead_regions import FADED
from landscape.audit.codes._numbers import quote
from landscape.audit.measure.domains import FAR
from landscape.audit.measure.survey import Path, Survey, norms, once
from landscape.audit.measure.switching import lowest_values

Array = np.ndarray
FAR_END = 1e-2  # the gradient at the far end is below this share of the largest,
OF_START = 0.5  # and of the gradient a sixth of the way to the place that is reported,
START = 6
ABOVE = 0.05  # and the loss there is this much above its minimum, relative to its typical spread
_POINTS = 8  # a side with fewer finite gradients is not judged


@dataclass(frozen=True)
class Fading:
    """A wrong side of a target's path on which the gradient fades.

    Gradients as shares of the largest: `at_30` at the step `place`, `far` at the `end`. `cut`: it
    is zero there without fading. `zero_from`: the step from which on it is zero in float32.
    """

    target: str
    at_30: float
    place: float
    far: float
    cut: bool
    zero_from: float | None
    end: Any

    def evidence(self) -> dict[str, Any]:
        """The known numbers by name."""
        numbers = asdict(self)
        return {key: v for key, v in numbers.items() if key != "cut" and v is not None}


@once
def fading(survey: Survey) -> list[Fading]:
    """Every wrong side of a path on which the gradient fades."""
    two_sided = survey.subject.task == "regression" or survey.subject.kind != "loss"
    signs = (1, -1) if two_sided and not _is_bounded(survey) else (1,)
    sides = [_fading(survey, path, sign) for path in survey.paths for sign in signs]
    return [side for side in sides if side is not None]


def _fading(survey: Survey, path: Path, sign: int) -> Fading | None:
    side = np.flatnonzero((path.steps * sign > 0) & np.isfinite(path.norms))
    side = side[np.argsort(np.abs(path.steps[side]))]
    if len(side) < _POINTS:
        return None
    steps, slopes = np.abs(path.steps[side]), path.norms[side]
    largest = _largest(survey, path, slopes)
    near = 1.0 if _is_bounded(survey) else FAR
    last = slopes[-1] / largest if largest else 1.0
    start = slopes[_first_from(steps, near / START)] / largest
    if last >= FAR_END or last >= OF_START * start:
        return None
    target, value = path.target.name, path.value[side[-1]]
    if not value > lowest_values(survey)[target] + ABOVE * survey.scale.levels[0]:
        return None
    alive = slopes[slopes > 0]
    index = _first_from(steps, near)
    return Fading(
        target=target,
        at_30=float(slopes[index] / largest),
        place=float(sign * steps[index]),
        far=float(last),
        cut=bool(last == 0 and len(alive) and alive[-1] > FADED * largest),
        zero_from=_zero_from(path, sign),
        end=quote(path.points[side[-1]]),
    )


def _is_bounded(survey: Survey) -> bool:
    return survey.subject.domain.name in ("unit", "simplex")


def _largest(survey: Survey, path: Path, slopes: Array) -> float:
    """What gradients are compared with: the median on a bounded domain, whose ends can be poles."""
    if _is_bounded(survey):
        plausible = np.concatenate([sample.norms for sample in survey.plausible])
        return float(np.median(plausible[np.isfinite(plausible)]))
    return max(float(slopes.max()), survey.steepest_for(path.target.name))


def _first_from(steps: Array, step: float) -> int:
    """The index of the first step that is not smaller, or of the last."""
    return min(int(np.searchsorted(steps, step)), len(steps) - 1)


def _zero_from(path: Path, sign: int) -> float | None:
    """The step from which on every float32 gradient of a side is exactly zero."""
    side = np.flatnonzero(path.steps * sign > 0)
    side = side[np.argsort(np.abs(path.steps[side]))]
    alive = np.flatnonzero(norms(path.gradient32[side]) != 0)
    first = alive[-1] + 1 if len(alive) else 0
    return float(path.steps[side[first]]) if first < len(side) else None

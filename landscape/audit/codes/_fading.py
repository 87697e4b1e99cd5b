"""Gradients that fade toward the most wrong prediction: for G202 and G205."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from landscape.audit.codes._dead_regions import FADED
from landscape.audit.codes._numbers import quote
from landscape.audit.measure.aims import aim
from landscape.audit.measure.domains import FAR, PLAUSIBLE
from landscape.audit.measure.survey import Path, Survey, norms, once, sure_paths
from landscape.audit.measure.switching import lowest_values

Array = np.ndarray
# A gradient fades if at the far end it is below FAR_END of the largest and below OF_START of the
# gradient at 1 / START of the distance to the reported step, and the loss there is above its
# minimum by more than ABOVE of its typical spread.
FAR_END, OF_START, START, ABOVE = 1e-2, 0.5, 6, 0.05
END = 1e-4  # share of a bounded domain at its far end; a gradient that fades only there is a note
_POINTS = 8  # a side with fewer finite gradients is not judged
LARGE = 0.1  # share of the largest gradient, for one that fades late
_HIDDEN = ("cut", "at_end_only", "late")


@dataclass(frozen=True)
class Fading:
    """A wrong side of a target's path on which the gradient fades.

    Gradients as shares of the largest: `at_30` at the step `place`, `far` at the `end`. `cut`: it
    is zero there without fading. `zero_from`: the step from which on it is zero in float32.
    `at_end_only`: on a bounded domain, the gradient is large up to `END` from the far end.
    `late`: in classification on the reals, it is large at the step `PLAUSIBLE / 2`.
    """

    target: str
    at_30: float
    place: float
    far: float
    cut: bool
    zero_from: float | None
    end: Any
    at_end_only: bool
    late: bool

    @property
    def is_mild(self) -> bool:
        """Whether only predictions fade that training hardly meets."""
        return self.at_end_only or self.late

    def evidence(self) -> dict[str, Any]:
        """Returns the known numbers by name."""
        numbers = asdict(self)
        return {k: v for k, v in numbers.items() if k not in _HIDDEN and v is not None}


@once
def fading(survey: Survey) -> list[Fading]:
    """Returns every wrong side of a path on which the gradient fades."""
    if not survey.subject.is_directed:
        return []
    two_sided = survey.subject.goal == "numbers" or survey.subject.kind != "loss"
    signs = (1, -1) if two_sided and not _is_bounded(survey) else (1,)
    sides = [_fading(survey, path, sign) for path in survey.judged_paths for sign in signs]
    sides += [_fading(survey, path, 1) for path in sure_paths(survey)]
    return [side for side in sides if side is not None]


def _fading(survey: Survey, path: Path, sign: int) -> Fading | None:
    side = np.flatnonzero(path.steps * sign > 0)
    side = side[np.argsort(np.abs(path.steps[side]))]
    finite = side[np.isfinite(path.norms[side])]
    if len(finite) < _POINTS:
        return None
    steps, slopes = np.abs(path.steps[finite]), _slopes(survey, path)[finite]
    largest = _largest(survey, path, slopes)
    reported = 1.0 if _is_bounded(survey) else FAR
    last = slopes[-1] / largest if largest else 1.0
    start = slopes[_first_from(steps, reported / START)] / largest
    if last >= FAR_END or last >= OF_START * start:
        return None
    target, value = path.target.name, path.value[finite[-1]]
    if not value > lowest_values(survey)[target] + ABOVE * survey.scale.levels[0]:
        return None
    alive = slopes[slopes > 0]
    index = _first_from(steps, reported)
    return Fading(
        target=target,
        at_30=float(slopes[index] / largest),
        place=float(sign * steps[index]),
        far=float(last),
        cut=bool(last == 0 and len(alive) and alive[-1] > FADED * largest),
        zero_from=_zero_from(path, side),
        end=quote(path.points[finite[-1]]),
        at_end_only=_is_large_near_end(survey, path, largest),
        late=_is_late(survey, steps, slopes / largest),
    )


def _is_large_near_end(survey: Survey, path: Path, largest: float) -> bool:
    """Whether the gradient just before the far end of a bounded domain has not faded."""
    if not _is_bounded(survey):
        return False
    near = path.points_at(np.array([1 - END]))
    return bool(norms(survey.probe.gradients(near, path.target)[1])[0] >= FAR_END * largest)


def _is_late(survey: Survey, steps: Array, shares: Array) -> bool:
    """Whether a gradient is large at wrong predictions that an untrained model may give."""
    is_choice = survey.subject.goal in ("sides", "classes") and not _is_bounded(survey)
    return is_choice and bool(shares[_first_from(steps, PLAUSIBLE / 2)] >= LARGE)


def _slopes(survey: Survey, path: Path) -> Array:
    """Returns the norms of the gradients; of a distribution the slopes toward the targets alone.

    Far from its targets, predictions of a distribution still repel each other.
    """
    if survey.subject.kind != "loss" or aim(survey).name != "distribution":
        return path.norms
    return np.abs((path.gradient * path.direction).reshape(len(path.steps), -1).sum(1))


def _is_bounded(survey: Survey) -> bool:
    return survey.subject.domain.bounded


def _largest(survey: Survey, path: Path, slopes: Array) -> float:
    """Returns the largest gradient; on a bounded domain, whose ends can be poles, the median."""
    if _is_bounded(survey):
        plausible = np.concatenate([sample.norms for sample in survey.plausible])
        return float(np.median(plausible[np.isfinite(plausible)]))
    return max(float(slopes.max()), survey.steepest_for(path.target.name))


def _first_from(steps: Array, step: float) -> int:
    """Returns the index of the first step that is not smaller, or of the last."""
    return min(int(np.searchsorted(steps, step)), len(steps) - 1)


def _zero_from(path: Path, side: Array) -> float | None:
    """Returns the step from which on every float32 gradient of a side is exactly zero."""
    alive = np.flatnonzero(norms(path.gradient32[side]) != 0)
    first = alive[-1] + 1 if len(alive) else 0
    return float(path.steps[side[first]]) if first < len(side) else None

"""Where a loss is lowest, and the place of its result: for S402 to S404."""

from typing import NamedTuple

import numpy as np

from landscape.audit.findings import Where
from landscape.audit.measure.survey import Path, Survey, once

Array = np.ndarray
SHIFT = 0.3  # minimizers that miss their targets by about the same amount spread less than this
STEP = 0.05  # a minimizer that grows with its target grows by more than this to the next
_APART = 1e-6  # least difference of minimizer and target, and relative one of their values
_NEAR = 2.0  # steps within which the level of a path is measured
_RESULT = (
    "neg",
    "sub",
    "add",
    "mul",
    "div",
    "reduce_sum",
    "select_n",
    "sin",
    "cos",
    "max",
    "min",
)


def result_place(survey: Survey) -> Where | None:
    """The place of the last operation, most often the return."""
    return survey.place_of_operation(_RESULT, last=True) or survey.definition


def judges_single_targets(survey: Survey) -> bool:
    """Whether each prediction has a right value of its own.

    Not if rows are compared with each other: they may be embeddings, and no class is right by
    itself.
    """
    subject = survey.subject
    return subject.kind == "loss" and not (subject.rows > 1 and subject.task == "multiclass")


class Lowest(NamedTuple):
    """The minimizer nearest to the target, with the value there and at the target."""

    path: Path
    minimizer: float
    value: float
    value_at_target: float

    @property
    def target(self) -> float:
        return float(np.ravel(self.path.target.value)[0])

    @property
    def misses(self) -> bool:
        """Whether minimizer and value can be told from those of the target."""
        gain = self.value_at_target - self.value
        apart = abs(self.minimizer - self.target) > _APART
        level = abs(self.value_at_target) + abs(self.value)
        return gain > _room(self.path) and apart and gain > _APART * level


class Minimizers(NamedTuple):
    """The lowest points for several equal targets, `missed` those that are not at the target."""

    lowest: list[Lowest]
    missed: list[Lowest]

    def ordered(self) -> tuple[Array, Array]:
        """Targets in ascending order, and their minimizers."""
        pairs = sorted((lowest.target, lowest.minimizer) for lowest in self.lowest)
        targets, minimizers = np.array(pairs).reshape(-1, 2).T
        return targets, minimizers

    @property
    def increase(self) -> bool:
        """Whether the minimizer grows with the target."""
        steps = np.diff(self.ordered()[1])
        return len(steps) > 0 and bool((steps > STEP).all())

    @property
    def never_decrease(self) -> bool:
        return bool((np.diff(self.ordered()[1]) >= -1e-9).all())

    @property
    def biased(self) -> bool:
        """Whether all targets are missed by about the same amount."""
        targets, minimizers = self.ordered()
        gaps = minimizers - targets
        return len(self.missed) == len(self.lowest) and bool(
            np.ptp(gaps) < SHIFT * np.abs(gaps).max()
        )

    @property
    def linked(self) -> bool:
        """Whether predictions follow their targets through a link, such as the logarithm."""
        return bool(self.missed) and self.increase and not self.biased


@once
def regression_minimizers(survey: Survey) -> Minimizers:
    """The lowest point of each path whose target is one number, of a regression loss."""
    paths = [path for path in survey.paths if np.ptp(path.target.value) == 0]
    if survey.subject.task != "regression":
        paths = []
    lowest = [low for low in map(_lowest, paths) if np.isfinite(low.value_at_target)]
    return Minimizers(lowest, [low for low in lowest if low.misses])


def _lowest(path: Path) -> Lowest:
    value = np.where(np.isfinite(path.value), path.value, np.inf)
    low = float(value.min())
    near = np.flatnonzero(value <= low + 1e-9 * max(abs(low), _room(path)))
    i = near[np.argmin(np.abs(path.steps[near]))]
    at_target = int(np.argmin(np.abs(path.steps)))
    return Lowest(path, float(np.ravel(path.points[i])[0]), low, float(value[at_target]))


def _room(path: Path) -> float:
    """The rounding of values near the target, by their typical spread."""
    near = path.value[np.isfinite(path.value) & (np.abs(path.steps) <= _NEAR)]
    return 1e-6 * float(np.median(np.abs(near - np.median(near)))) if len(near) else 0.0

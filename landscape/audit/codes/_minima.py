"""Where a loss is lowest, and the place of its result: for S402 to S404."""

from typing import NamedTuple

import numpy as np

from landscape.audit.measure.aims import aim
from landscape.audit.measure.survey import Path, Survey, once
from landscape.storage.audit_records import Where

Array = np.ndarray
SHIFT = 0.3  # relative spread below which targets are missed by about the same amount
STEP = 0.05  # a minimizer that grows with its target grows by more than this to the next
_APART = 1e-6  # least difference of minimizer and target, and relative one of their values
_NEAR = 2.0  # steps within which the level of a path is measured
_RESULT = ("neg", "sub", "add", "mul", "div", "reduce_sum", "select_n", "sin", "cos", "max", "min")


def result_place(survey: Survey) -> Where | None:
    """Returns the place of the last operation, most often the return."""
    return survey.place_of_operation(_RESULT, last=True) or survey.definition


def judges_single_targets(survey: Survey) -> bool:
    """Whether each prediction has a right value or side; not those of a ranking, for instance."""
    return survey.subject.kind == "loss" and aim(survey).has_right_predictions


class Lowest(NamedTuple):
    """The minimizer nearest to the target, with the value there and at the target."""

    path: Path
    target: float
    minimizer: float
    value: float
    value_at_target: float

    @property
    def misses(self) -> bool:
        """Whether minimizer and value differ from those of the target."""
        gain = self.value_at_target - self.value
        apart = abs(self.minimizer - self.target) > _APART
        level = abs(self.value_at_target) + abs(self.value)
        return gain > _rounding(self.path) and apart and gain > _APART * level


class Minimizers(NamedTuple):
    """The minimizers of a loss for ascending `targets`; `missed` are those not at the target."""

    targets: Array
    points: Array
    missed: list[Lowest]

    @property
    def increase(self) -> bool:
        """Whether the minimizer grows with the target."""
        return len(self.points) > 1 and bool((np.diff(self.points) > STEP).all())

    @property
    def linked(self) -> bool:
        """Whether predictions follow their targets through a link, such as the logarithm.

        Not if all targets are missed by about the same amount.
        """
        gaps = self.points - self.targets
        if not self.missed or not self.increase:
            return False
        some_right = len(self.missed) < len(self.targets)
        return some_right or bool(np.ptp(gaps) >= SHIFT * np.abs(gaps).max())


@once
def regression_minimizers(survey: Survey) -> Minimizers:
    """Returns the lowest point of each path of a regression loss whose target is one number."""
    paths = [path for path in survey.judged_paths if np.ptp(path.target.value) == 0]
    if survey.subject.goal != "numbers":
        paths = []
    lowest = [low for low in map(_lowest, paths) if np.isfinite(low.value_at_target)]
    pairs = sorted((low.target, low.minimizer) for low in lowest)
    targets, points = np.array(pairs).reshape(-1, 2).T
    return Minimizers(targets, points, [low for low in lowest if low.misses])


def _lowest(path: Path) -> Lowest:
    value = np.where(np.isfinite(path.value), path.value, np.inf)
    low = float(value.min())
    near = np.flatnonzero(value <= low + 1e-9 * max(abs(low), _rounding(path)))
    i = near[np.argmin(np.abs(path.steps[near]))]
    return Lowest(
        path=path,
        target=float(np.ravel(path.target.value)[0]),
        minimizer=float(np.ravel(path.points[i])[0]),
        value=low,
        value_at_target=float(value[np.argmin(np.abs(path.steps))]),
    )


def _rounding(path: Path) -> float:
    """Returns the rounding of values near the target, by their typical spread."""
    near = path.value[np.isfinite(path.value) & (np.abs(path.steps) <= _NEAR)]
    return 1e-6 * float(np.median(np.abs(near - np.median(near)))) if len(near) else 0.0

"""The trials of one loss: its grid of learning rates, the points tried, and the best of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from landscape.compare import grids
from landscape.compare.tuning import Trial, Tuned
from landscape.config import Run
from landscape.sweep.compared_experiment import ComparedExperiment, Options
from landscape.sweep.outcomes import Outcome

_DIGITS = 4  # of the factor of a grid


class Point(NamedTuple):
    """A learning rate and swept options of a loss, and the stage in which it is tried."""

    rate: float
    options: Options
    stage: str


@dataclass(frozen=True)
class LossTrials:
    """The points at which a loss is tried, in a grid of ascending rates.

    `factor`: the center of the grid relative to that of the reference.
    """

    label: str
    factor: float
    rates: tuple[float, ...]
    points: tuple[Point, ...]

    def extended(self, tuned: Tuned, stage: str) -> "LossTrials":
        """Returns the trials with one more decade at the edge at which the loss is tuned."""
        if not tuned.edge:
            return self
        options = self.points[tuned.index].options
        rates = grids.extended(self.rates, tuned.edge)
        points = tuple(Point(rate, options, stage) for rate in rates)
        return replace(self, rates=tuple(sorted(self.rates + rates)), points=self.points + points)

    def along_rates(self, tuned: Tuned) -> tuple[Point, ...]:
        """Returns the points of the whole grid at the tuned options that are not trials yet."""
        options = self.points[tuned.index].options
        tried = [(point.rate, point.options) for point in self.points]
        untried = [rate for rate in self.rates if (rate, options) not in tried]
        return tuple(Point(rate, options, "tolerance") for rate in untried)


@dataclass(frozen=True)
class TunedLosses:
    """The losses with a trial that did not fail, by label, and the best trial of each.

    `reference_metric`: the metric of the reference at its best trial, at which the gain is 1.
    """

    trials: dict[str, LossTrials]
    tuned: dict[str, Tuned]
    reference_metric: float

    def point(self, label: str) -> Point:
        """Returns the tuned point of a loss."""
        return self.trials[label].points[self.tuned[label].index]


def first_trials(compared: ComparedExperiment, label: str, factor: float) -> LossTrials:
    """Returns the trials of a loss before any extension.

    Losses with swept options get as many trials as losses without.
    """
    rates, center = compared.settings.rates, compared.center * factor
    if isinstance(rates, int):
        grid = grids.learning_rates(_rounded(center), rates)
    else:
        grid = tuple(_rounded(rate * factor) if factor != 1 else rate for rate in rates)
    points = grids.trials(grid, compared.options[label], len(grid))
    return LossTrials(
        label, factor, grid, tuple(Point(rate, options, "tuning") for rate, options in points)
    )


def grid_factor(reference_norm: float, norm: float) -> float:
    """Returns G_reference / G_loss, 1 if either gradient is zero or not finite.

    With plain SGD a loss that is multiplied by a constant is then trained exactly as before.
    """
    factor = reference_norm / norm if norm > 0 else math.nan
    return _rounded(factor) if math.isfinite(factor) and factor > 0 else 1.0


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


def trial_results(
    compared: ComparedExperiment,
    label: str,
    points: Sequence[Point],
    outcomes: Mapping[str, Outcome],
    condition: Options | None = None,
) -> list[Trial]:
    """Returns the results of trials; a run that failed counts as one that diverged."""
    options = compared.options[label]
    return [
        _result(
            point.rate,
            options.index(point.options) if options else 0,
            [outcomes[run.id] for run in runs],
        )
        for point in points
        for runs in [compared.trials(label, point.rate, point.options, condition)]
    ]


def _result(rate: float, options_index: int, runs: Sequence[Outcome]) -> Trial:
    return Trial(
        rate,
        options_index,
        metrics=np.array([run.metric for run in runs]),
        initial=np.array([run.initial for run in runs]),
        diverged=np.array([run.status != "done" for run in runs]),
    )


def all_failed(runs: Sequence[Run], outcomes: Mapping[str, Outcome]) -> bool:
    """Returns whether every one of these runs failed: its code raised, or it exceeded a limit."""
    return all(outcomes[run.id].status == "failed" for run in runs)

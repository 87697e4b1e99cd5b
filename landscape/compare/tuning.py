"""Tuning of one loss: its gain at each trial, and the trial with the highest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEARNS = 0.1  # least gain of a run that learns
SUCCEEDS = 0.95  # least gain of a run that succeeds

Edge = Literal["", "low", "high"]


@dataclass(frozen=True)
class Trial:
    """One tried point of a loss: metrics at the end and untrained, (seeds,) each.

    `options_index` numbers the options of the loss, 0 if it has none. `diverged` marks runs whose
    loss or parameters became infinite or NaN.
    """

    rate: float
    options_index: int
    metrics: NDArray[np.float64]
    initial: NDArray[np.float64]
    diverged: NDArray[np.bool_]


@dataclass(frozen=True)
class Tuned:
    """The best trial of a loss, by number, and its mean gain.

    `edge` is the end of the grid of rates at which it lies, empty inside. `learns` is whether any
    trial has a mean gain of at least 0.1.
    """

    index: int
    gain: float
    edge: Edge
    learns: bool


def gain(
    metrics: ArrayLike, initial: float, reference: float, diverged: ArrayLike = False
) -> NDArray[np.float64]:
    """`g = (M - M0) / (M_ref - M0)`: 0 for an untrained model, 1 for the reference.

    `metrics` and `diverged` have one value per run; a run that diverged, or whose metric is not
    finite, has gain 0. All are NaN if the reference is not better than the untrained model: then
    nothing can be measured on its scale.
    """
    values = np.asarray(metrics, np.float64)
    failed = np.asarray(diverged, bool) | ~np.isfinite(values)
    if not reference > initial:
        return np.full(values.shape, np.nan)
    return (np.where(failed, initial, values) - initial) / (reference - initial)


def gains(trials: Sequence[Trial], reference: float) -> NDArray[np.float64]:
    """Returns the gain of each run, (trials, seeds); `reference` is M_ref.

    M0 is the mean over all trials and seeds: the untrained models of a seed are the same model, and
    the mean over seeds keeps their noise out of the scale.
    """
    return gain(
        [trial.metrics for trial in trials],
        untrained(trials),
        reference,
        [trial.diverged for trial in trials],
    )


def untrained(trials: Sequence[Trial]) -> float:
    """Returns M0, the mean metric of the untrained models; NaN if none is finite."""
    initial = np.asarray([trial.initial for trial in trials], np.float64)
    initial = initial[np.isfinite(initial)]
    return float(initial.mean()) if len(initial) else np.nan


def best_metric(trials: Sequence[Trial]) -> float:
    """Returns the highest mean metric of a trial; of the reference it is M_ref."""
    return float(mean_metrics(trials).max())


def mean_metrics(trials: Sequence[Trial]) -> NDArray[np.float64]:
    """Returns the mean metric of each trial over the seeds, (trials,).

    A run that diverged, or whose metric is not finite, counts as M0. NaN if no untrained model has
    a finite metric.
    """
    metrics = np.array([trial.metrics for trial in trials], np.float64)
    failed = np.array([trial.diverged for trial in trials], bool) | ~np.isfinite(metrics)
    return np.asarray(np.where(failed, untrained(trials), metrics).mean(axis=1))


def tuned(
    trials: Sequence[Trial], reference: float | None = None, rates: Sequence[float] | None = None
) -> Tuned:
    """Returns the trial with the highest mean gain over the seeds.

    `reference` is M_ref; None for the reference itself, whose own best trial has gain 1. `rates` is
    the grid if not every rate of it was tried. Equal gains: the rate nearest to the center of the
    grid on the log axis, then the first. A loss that does not learn at any trial, or is compared
    with a reference that does not, is tuned at the center and has no edge, since its highest gain
    is noise.
    """
    grid = np.log10([trial.rate for trial in trials] if rates is None else rates)
    tried = np.log10([trial.rate for trial in trials])
    means = gains(trials, best_metric(trials) if reference is None else reference).mean(axis=1)
    best = float(means.max())
    learns = best >= LEARNS
    index = nearest_to_center(means >= best - 1e-12 if learns else np.isfinite(tried), tried, grid)
    edge: Edge = ""
    if learns and np.ptp(grid) > 0:
        if np.isclose(tried[index], grid.min()):
            edge = "low"
        elif np.isclose(tried[index], grid.max()):
            edge = "high"
    return Tuned(index, float(means[index]), edge, learns)


def nearest_to_center(
    candidates: NDArray[np.bool_], tried: NDArray[np.float64], grid: NDArray[np.float64]
) -> int:
    """Returns the candidate whose log rate is nearest to the middle of the grid's range."""
    # Rounded, so that two rates on either side of the center are equally far in spite of rounding.
    distance = np.round(np.abs(tried - (grid.min() + grid.max()) / 2), 3)
    return int(np.argmin(np.where(candidates, distance, np.inf)))

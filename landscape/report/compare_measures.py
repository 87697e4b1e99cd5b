"""The numbers of each loss in a comparison at tuned points, as docs/definitions.md defines them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from landscape.compare import best_of_k, time_to_target, tuning
from landscape.compare.tolerance import UNDEFINED, Tolerance, tolerance
from landscape.report import stored_run
from landscape.report.compare_results import Array, CompareResults
from landscape.report.statistics import SeedEstimate, Share, mean, seed_estimate
from landscape.storage.compare_records import ComparedLoss, TrialRecord

# Numbers of trials for which the expected best is reported.
BEST_OF = (1, 2, 4, 8)


class RateCurve(NamedTuple):
    """The evaluation metric at each learning rate of the grid, at the tuned options.

    `values` and `diverged` have shape (rates, seeds); a diverged run has the value of its untrained
    model. `tolerance` is the range of rates that train about as well as the best.
    """

    rates: Array
    values: Array
    diverged: NDArray[np.bool_]
    tolerance: Tolerance

    @property
    def means(self) -> Array:
        """Means over the seeds with a result, shape (rates,)."""
        known = np.isfinite(self.values)
        sums = np.where(known, self.values, 0.0).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return sums / known.sum(axis=1)


@dataclass(frozen=True)
class LossMeasures:
    """The numbers of one loss; those of judged runs are NaN or empty if it was not judged.

    `outcomes`, `gains` and `times` have one value per judging seed: the test metric, its gain
    relative to the reference, and the steps to the target, NaN if it is never reached; there are no
    `times` without a target.
    `own_estimate` is that at the learning rate and the options of the config. `best_of` are the
    expected bests of `BEST_OF` trials. `failures` are judged runs that diverged, do not
    learn or have no result; `success` and `grid_success` are runs that reach 95 % of the gain of
    the reference, judged ones and those of all trials.
    """

    name: str
    entry: ComparedLoss
    curve: RateCurve
    best_of: tuple[float, ...]
    grid_success: Share
    outcomes: Array
    gains: Array
    times: Array
    estimate: SeedEstimate
    failures: Share
    success: Share
    running_time: float
    own_estimate: SeedEstimate

    @property
    def reached(self) -> Share:
        """The judged runs that reach the target."""
        return Share(int(np.isfinite(self.times).sum()), len(self.times))


class Scale(NamedTuple):
    """The metric of the untrained model and of the reference, between which gains are measured."""

    untrained: float
    reference: float

    def gain(self, compared: CompareResults, names: Sequence[str]) -> Array:
        """Returns the gain of the outcome of each run.

        It is 0 for a run that diverged or failed, NaN for one that has not finished or is damaged.
        """
        sign = compared.sign
        gains = tuning.gain(
            sign * compared.outcomes(names),
            sign * self.untrained,
            sign * self.reference,
            compared.diverged(names),
        )
        return np.where(compared.ended(names), gains, np.nan)


def scale(compared: CompareResults, names: Sequence[str]) -> Scale:
    """Returns the scale of gains that these runs of the reference define, by what judges them."""
    return Scale(mean(compared.untrained(names)), mean(compared.outcomes(names)))


def loss_measures(
    compared: CompareResults, entry: ComparedLoss, target: float, judged_scale: Scale
) -> LossMeasures:
    """Returns the numbers of one loss; `target` is that of the evaluation metric."""
    sign = compared.sign
    trials = [_trial(compared, trial) for trial in entry.trials]
    values = tuning.mean_metrics(trials) if trials else np.zeros(0)
    best = best_of_k.best_of_k(values[np.isfinite(values)], BEST_OF)
    gains = judged_scale.gain(compared, entry.judged)
    outcomes = compared.outcomes(entry.judged)
    times = steps_to_target(compared, entry.judged, target) if np.isfinite(target) else np.zeros(0)
    return LossMeasures(
        name=entry.loss,
        entry=entry,
        curve=_rate_curve(compared, entry),
        best_of=tuple(sign * value for value in best),
        grid_success=success(_gains(compared, trials)),
        outcomes=outcomes,
        gains=gains,
        times=times,
        estimate=seed_estimate(outcomes),
        failures=failures(gains, compared.improved(entry.judged)),
        success=success(gains),
        running_time=time_to_target.expected_running_time(times, budget(compared, entry.judged)),
        own_estimate=seed_estimate(compared.outcomes(entry.judged_at_own_rate)),
    )


def success(gains: Array) -> Share:
    """Returns the runs that reach 95 % of the gain of the reference."""
    return Share(int((gains >= tuning.SUCCEEDS).sum()), int(np.isfinite(gains).sum()))


def failures(gains: Array, improved: NDArray[np.bool_]) -> Share:
    """Returns the runs that do not learn, as diverged ones.

    They gain less than 10 % of what the reference gains, or are not better than their own untrained
    model: that of one seed may be far above M0, the mean over seeds.
    """
    known = np.isfinite(gains)
    return Share(int((known & ((gains < tuning.LEARNS) | ~improved)).sum()), int(known.sum()))


def steps_to_target(compared: CompareResults, names: Sequence[str], target: float) -> Array:
    """Returns the step at which each run reached the target; NaN also without a result."""
    metric, higher = compared.record.metric, compared.record.higher_is_better
    return np.array(
        [
            np.nan if run is None else run.steps_to_target(metric, target, higher_is_better=higher)
            for run in compared.finished(names)
        ]
    )


def budget(compared: CompareResults, names: Sequence[str]) -> float:
    """Returns the number of steps of the longest of these runs."""
    return stored_run.budget(run for run in compared.finished(names) if run is not None)


def _rate_curve(compared: CompareResults, entry: ComparedLoss) -> RateCurve:
    """Returns the curve over all rates whose runs have ended, rising."""
    records = sorted(entry.rates, key=lambda trial: trial.rate)
    records = [trial for trial in records if compared.ended(trial.runs).all()]
    trials = [_trial(compared, trial) for trial in records]
    rates = np.array([trial.rate for trial in records])
    values = np.array([compared.evaluations(trial.runs) for trial in records])
    diverged = np.array([trial.diverged for trial in trials], dtype=bool)
    defined = len(trials) > 1 and entry.learns
    gains = _gains(compared, trials)
    width = tolerance(rates, gains) if defined and np.isfinite(gains).all() else UNDEFINED
    return RateCurve(rates, values, diverged, width)


def _trial(compared: CompareResults, record: TrialRecord) -> tuning.Trial:
    sign = compared.sign
    return tuning.Trial(
        record.rate,
        0,
        sign * compared.evaluations(record.runs),
        sign * compared.starts(record.runs),
        compared.diverged(record.runs),
    )


def _gains(compared: CompareResults, trials: Sequence[tuning.Trial]) -> Array:
    """Returns the gains of trials on the evaluation split, shape (trials, seeds)."""
    if not trials:
        return np.zeros((0, 0))
    return tuning.gains(trials, compared.sign * compared.record.reference_value)

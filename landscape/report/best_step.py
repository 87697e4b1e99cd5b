"""The best step of each run beside its last: how much is lost by continuing to train."""

from typing import NamedTuple

import numpy as np

from landscape.compare.intervals import Estimate, mean_interval
from landscape.report import statistics
from landscape.report.loss_rows import LossRow
from landscape.report.results import StoredRun


class BestStep(NamedTuple):
    """The median best step, and what is lost of the metric from there to the last step."""

    step: float
    lost: Estimate


def best_step_of(row: LossRow) -> BestStep:
    """Returns the best step of a row and the mean loss of the metric after it.

    The best step is chosen on the evaluation split. The loss is measured on the test split, where
    that choice does not flatter it; it is NaN if the runs are not judged. Runs that diverged do not
    count.
    """
    runs = [run for run in row.counted if run.status == "done"]
    lost = mean_interval(row.oriented([_lost(run, row.metric) for run in runs]))
    return BestStep(statistics.median([best_step(run, row) for run in runs]), lost)


def best_step(run: StoredRun, row: LossRow) -> float:
    """Returns the recorded step with the best metric on the evaluation split, the first if tied."""
    values = row.oriented(run.column(row.metric))
    return float(run.column("step")[np.nanargmax(values)]) if np.isfinite(values).any() else np.nan


def _lost(run: StoredRun, metric: str) -> float:
    """Returns the metric on the test split at the best step minus that at the last."""
    if run.summary is None:
        return np.nan
    at_best = run.summary.test_at_best.get(metric, np.nan)
    return at_best - run.summary.test.get(metric, np.nan)

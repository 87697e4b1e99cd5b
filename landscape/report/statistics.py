"""Statistics over runs: medians, means, and intervals of curves and of differences."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.compare.intervals import Estimate, corrected_interval, mean_interval
from landscape.storage.records import SummaryRecord


class MeanCurve(NamedTuple):
    """A mean over runs at each step and the ends of its 95 % intervals; NaN where undefined."""

    center: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def median(values: ArrayLike) -> float:
    """Returns the median, without NaN but with infinities; NaN if there are no values."""
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    return float(np.median(sample)) if len(sample) else np.nan


def mean(values: ArrayLike) -> float:
    """Returns the mean, without NaN but with infinities; NaN if there are no values."""
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    with np.errstate(invalid="ignore"):
        return float(sample.mean()) if len(sample) else np.nan


def finite_mean(values: ArrayLike) -> float:
    """Returns the mean of the finite values; NaN if there are none."""
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[np.isfinite(sample)]
    return float(sample.mean()) if len(sample) else np.nan


def resplit_interval(differences: ArrayLike, summaries: Iterable[SummaryRecord | None]) -> Estimate:
    """Returns Nadeau and Bengio's interval; the first summary with sizes of splits provides them.

    NaN if none has them: runs that are not judged, or of an earlier version.
    """
    for summary in summaries:
        if summary is not None and summary.test_examples and summary.training_examples:
            sizes = summary.test_examples, summary.training_examples
            return corrected_interval(differences, *sizes)
    return Estimate(np.nan, np.nan, np.nan)


def mean_curve(samples: NDArray[np.float64]) -> MeanCurve:
    """Returns the mean of `samples` (runs, steps) at each step, where all runs are finite."""
    known = np.isfinite(samples).all(axis=0)
    estimates = np.full((samples.shape[1], 3), np.nan)
    for index in np.flatnonzero(known):
        estimates[index] = mean_interval(samples[:, index])
    return MeanCurve(*estimates.T)

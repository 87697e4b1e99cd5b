"""Statistics over runs: the median, and the mean of a curve with its interval."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.compare.intervals import mean_interval


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


def mean_curve(samples: NDArray[np.float64]) -> MeanCurve:
    """Returns the mean of `samples` (runs, steps) at each step, where all runs are finite."""
    known = np.isfinite(samples).all(axis=0)
    estimates = np.full((samples.shape[1], 3), np.nan)
    for index in np.flatnonzero(known):
        estimates[index] = mean_interval(samples[:, index])
    return MeanCurve(*estimates.T)

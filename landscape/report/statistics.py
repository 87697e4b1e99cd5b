"""Statistics over runs: medians, means, shares, and intervals of curves and of differences."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.compare.intervals import Estimate, corrected_interval, mean_interval, wilson
from landscape.storage.records import SummaryRecord


class SeedEstimate(NamedTuple):
    """A mean over seeds, the ends of its 95 % interval, and the seeds with a finite value.

    `low` and `high` are NaN with too few seeds; `lowest` and `highest` are values of seeds.
    """

    value: float
    low: float
    high: float
    seeds: int
    lowest: float
    highest: float

    @property
    def interval(self) -> Estimate:
        """The mean and the ends of its interval."""
        return Estimate(self.value, self.low, self.high)

    def cells(self, prefix: str = "") -> dict[str, float]:
        """Returns the fields as cells of a table, by names with a prefix."""
        return {f"{prefix}{name}": value for name, value in self._asdict().items()}


def seed_estimate(values: ArrayLike) -> SeedEstimate:
    """Returns the mean of one value per seed; values that are not finite do not count."""
    sample = np.asarray(values, dtype=np.float64)
    known = sample[np.isfinite(sample)]
    ends = (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)
    return SeedEstimate(*mean_interval(sample), len(known), *ends)


class Share(NamedTuple):
    """A number of runs out of all, and the ends of Wilson's 95 % interval of the share."""

    number: int
    total: int

    @property
    def interval(self) -> Estimate:
        """The share and the ends of its interval, NaN without a run."""
        return wilson(self.number, self.total)

    @property
    def value(self) -> float:
        return self.number / self.total if self.total else np.nan


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

"""Statistics over seeds: interquartile mean, bootstrap interval, paired sign-flip test."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

RESAMPLES = 2000
LEVEL = 0.95
SIGNIFICANT = 0.05
# Above this many seeds the 2**n sign flips are sampled instead of enumerated.
EXACT_SEEDS = 13


class SeedEstimate(NamedTuple):
    """An interquartile mean over seeds and the ends of its interval; NaN if undefined."""

    value: float
    low: float
    high: float


def interquartile_mean(values: ArrayLike, axis: int = 0) -> NDArray[np.float64]:
    """Returns the mean of the middle half: floor(n/4) values are dropped at each end."""
    return np.asarray(stats.trim_mean(np.asarray(values, dtype=np.float64), 0.25, axis=axis))


def estimate(values: ArrayLike) -> SeedEstimate:
    """Returns the interquartile mean of the finite values and its 95 % bootstrap interval.

    The interval is NaN for one value and a single point for equal values; all is NaN for none.
    """
    sample = _finite(values)
    if not len(sample):
        return SeedEstimate(np.nan, np.nan, np.nan)
    low, high = (float(end[0]) for end in interval(sample[:, None]))
    return SeedEstimate(float(interquartile_mean(sample)), low, high)


def interval(samples: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the 95 % percentile bootstrap interval of the interquartile mean over axis 0 (seeds).

    `samples` has shape (seeds, columns); both ends have shape (columns,). All columns share the
    resamples of a fixed generator, so the same samples give the same interval.
    """
    if len(samples) < 2:
        return np.full(samples.shape[1], np.nan), np.full(samples.shape[1], np.nan)
    result = stats.bootstrap(
        (samples,),
        interquartile_mean,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        axis=0,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    return result.confidence_interval.low, result.confidence_interval.high


def median(values: ArrayLike) -> float:
    """Returns the median, without NaN but with infinities; NaN if there are no values."""
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    return float(np.median(sample)) if len(sample) else np.nan


def sign_flip_test(differences: ArrayLike) -> float:
    """Returns the two-sided p of the mean of n paired differences under all 2^n sign flips.

    Exact up to 13 pairs, sampled above. It cannot go below 2 / 2^n: see `can_be_significant`.
    Returns NaN without pairs.
    """
    sample = _finite(differences)
    if not len(sample):
        return np.nan
    if len(sample) == 1 or not np.any(sample):
        return 1.0
    return float(
        stats.permutation_test(
            (sample,),
            np.mean,
            permutation_type="samples",
            vectorized=True,
            n_resamples=2**EXACT_SEEDS,
            rng=np.random.default_rng(0),
        ).pvalue
    )


def can_be_significant(pairs: int) -> bool:
    """Returns whether the smallest p of the sign-flip test, 2 / 2^n, is at most 0.05."""
    return 2.0 ** (1 - pairs) <= SIGNIFICANT


def steps_to_target(
    steps: ArrayLike, values: ArrayLike, target: float, higher_is_better: bool
) -> float:
    """Returns the first recorded step at which the metric meets the target, or NaN if none does."""
    values = np.asarray(values, dtype=np.float64)
    reached = values >= target if higher_is_better else values <= target
    return float(np.asarray(steps)[np.argmax(reached)]) if reached.any() else np.nan


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    return sample[np.isfinite(sample)]

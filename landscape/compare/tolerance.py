"""Tolerance to the learning rate: the width of the interval of rates that train well."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.compare.intervals import LEVEL

SHARE = 0.95  # of the loss's own best gain
RESAMPLES = 1000


class Tolerance(NamedTuple):
    """Width in decades and ends of an interval of rates; NaN if the loss gains nothing.

    `leaves_low` and `leaves_high` mark an interval that is cut off by an end of the grid: its true
    width is larger. `interval` holds the 95 % bootstrap ends of the width, NaN for one seed.
    """

    decades: float
    low_rate: float
    high_rate: float
    leaves_low: bool
    leaves_high: bool
    interval: tuple[float, float]

    @property
    def cut_ends(self) -> tuple[str, ...]:
        """The ends of the grid that cut the interval off: `low`, `high`."""
        sides = (("low", self.leaves_low), ("high", self.leaves_high))
        return tuple(side for side, leaves in sides if leaves)


UNDEFINED = Tolerance(np.nan, np.nan, np.nan, False, False, (np.nan, np.nan))


def tolerance(rates: ArrayLike, gains: ArrayLike) -> Tolerance:
    """Returns the connected interval around the best rate with mean gain >= 0.95 of the best.

    `rates` (trials,) are distinct, in any order; `gains` is (trials, seeds). The mean gain over the
    seeds is interpolated linearly in the log of the rate. The interval of the width is the
    percentile bootstrap over whole seeds, with a fixed generator: rough for three seeds, of which
    there are ten different resamples.
    """
    order = np.argsort(np.asarray(rates, np.float64))
    log_rates = np.log10(np.asarray(rates, np.float64)[order])
    curves = np.asarray(gains, np.float64)[order]
    low, high = _interval(log_rates, curves.mean(axis=1)[None])
    if np.isnan(low[0]):
        return UNDEFINED
    return Tolerance(
        float(high[0] - low[0]),
        float(10 ** low[0]),
        float(10 ** high[0]),
        bool(low[0] == log_rates[0]),
        bool(high[0] == log_rates[-1]),
        _bootstrap(log_rates, curves),
    )


def _bootstrap(log_rates: NDArray[np.float64], curves: NDArray[np.float64]) -> tuple[float, float]:
    seeds = curves.shape[1]
    if seeds < 2:
        return np.nan, np.nan
    resamples = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    low, high = _interval(log_rates, curves[:, resamples].mean(axis=2).T)
    widths = np.nan_to_num(high - low)  # a resample that gains nothing tolerates no rate
    ends = np.quantile(widths, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(ends[0]), float(ends[1])


def _interval(
    log_rates: NDArray[np.float64], means: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns both ends, in log10 of the rate, for each row of mean gains (rows, trials)."""
    center = (log_rates[0] + log_rates[-1]) / 2
    outward = np.argsort(np.abs(log_rates - center), kind="stable")
    best = outward[np.argmax(means[:, outward], axis=1)]  # of equal gains, the innermost
    rows = np.arange(len(means))
    threshold = SHARE * means[rows, best]
    below = means < threshold[:, None]
    number = np.arange(len(log_rates))
    left = np.max(np.where(below & (number < best[:, None]), number, -1), axis=1)
    right = np.min(np.where(below & (number > best[:, None]), number, len(number)), axis=1)

    def crossing(outside: NDArray, inside: NDArray) -> NDArray[np.float64]:
        """The rate between two neighbors at which the line meets the threshold."""
        at_end = (outside < 0) | (outside == len(number))
        outside = np.where(at_end, inside, outside)
        rise = means[rows, inside] - means[rows, outside]
        share = (threshold - means[rows, outside]) / np.where(rise == 0, 1, rise)
        step = log_rates[inside] - log_rates[outside]
        return np.where(at_end, log_rates[inside], log_rates[outside] + share * step)

    gains_something = means[rows, best] > 0
    low, high = crossing(left, left + 1), crossing(right, right - 1)
    return np.where(gains_something, low, np.nan), np.where(gains_something, high, np.nan)

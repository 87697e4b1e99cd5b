"""Time to a target when some runs never reach it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ReachedCurve(NamedTuple):
    """Share of runs at the target at each step where it rises or a run is censored; starts at 0."""

    steps: NDArray[np.float64]
    share: NDArray[np.float64]


def first_reach(steps: ArrayLike, values: ArrayLike, target: float) -> float:
    """Returns the first of two successive records at or above the target; NaN if none is.

    One record above the target may be noise, so the next one must confirm it. Hence the last record
    alone does not count: a run that arrives there is censored at the end of its budget, as nothing
    shows that it stays. NaN values are below every target.
    """
    reached = np.asarray(values, np.float64) >= target
    confirmed = np.flatnonzero(reached[:-1] & reached[1:])
    return float(np.asarray(steps)[confirmed[0]]) if len(confirmed) else np.nan


def kaplan_meier(times: ArrayLike, censored: ArrayLike) -> ReachedCurve:
    """Returns one minus the Kaplan-Meier estimate (1958): the share of runs at the target.

    `times` (runs,) holds the step at which a run reached the target or, where `censored`, up to
    which it was observed without reaching it. Censor a run that diverged at the end of the budget:
    it is known that it does not arrive, and the plateau below 1 shows it.
    """
    times, late = np.asarray(times, np.float64), np.asarray(censored, bool)
    steps, index = np.unique(times, return_inverse=True)
    arrived = np.bincount(index, ~late, len(steps))
    observed = np.cumsum(np.bincount(index, minlength=len(steps))[::-1])[::-1]
    if late.any():
        share = 1 - np.cumprod((observed - arrived) / observed)
    else:  # the same, without its rounding
        share = np.cumsum(arrived) / len(times)
    start = np.zeros(1)
    return ReachedCurve(np.append(start, steps), np.append(start, share))


def expected_running_time(times: ArrayLike, budget: float) -> float:
    """`sum min(t, T) / successes`: steps spent per success if failures are restarted.

    `times` (runs,) is NaN, or above the budget T, for a run that does not reach the target (Auger
    and Hansen 2005). Infinite if no run succeeds, NaN without runs.
    """
    values = np.asarray(times, np.float64)
    if not len(values):
        return np.nan
    successes = np.count_nonzero(values <= budget)
    return float(np.fmin(values, budget).sum() / successes) if successes else np.inf

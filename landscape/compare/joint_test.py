"""The joint test of all pairs of losses on shared seeds."""

from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from landscape.compare.intervals import LEVEL

SIGNIFICANT = 0.05
EXACT_SEEDS = 13  # above, the 2^n flips are sampled instead of enumerated
FEWEST_SEEDS = 6  # with fewer, the smallest p, 2 / 2^n, is above 0.05
# Differences that barely vary have a t that rounding dominates: 1 - u^2 is not resolved below.
RESOLUTION = 1e-9
TIE = 1e-6  # relative; t of flips within it are equal up to rounding


class PairTest(NamedTuple):
    """The numbers of one pair: mean difference, joint p, ends of the simultaneous interval."""

    difference: float
    p: float
    low: float
    high: float


class JointTest(NamedTuple):
    """All pairs (i, j), i < j, of the columns; arrays are (pairs,).

    `differences` are means of outcome i minus outcome j; `p` is adjusted for all pairs; `low` and
    `high` are simultaneous 95 % intervals. p and intervals are NaN for a pair with fewer than 6
    shared seeds, which no sign flip can tell apart.
    """

    pairs: tuple[tuple[int, int], ...]
    differences: NDArray[np.float64]
    p: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def pair(self, i: int, j: int) -> PairTest:
        """Returns the numbers of loss i minus loss j, whichever column comes first."""
        index = self.pairs.index((min(i, j), max(i, j)))
        difference, p = float(self.differences[index]), float(self.p[index])
        low, high = float(self.low[index]), float(self.high[index])
        return (
            PairTest(difference, p, low, high) if i < j else PairTest(-difference, p, -high, -low)
        )


def joint_test(outcomes: ArrayLike) -> JointTest:
    """Returns the step-down max-t test of all pairs under joint sign flips.

    `outcomes` is (seeds, losses), the losses of a row sharing their seed. If two losses are equal,
    their difference is as likely as its negative on every seed. A flip negates all differences of
    some seeds, which keeps the dependence of the pairs; for each flip the largest |t| over the
    pairs is taken, and p of a pair is the share of flips whose maximum reaches its |t|. Step-down:
    the maximum runs over the pairs whose |t| is not larger (Westfall and Young 1993; Romano and
    Wolf 2005). All 2^n flips up to 13 seeds, 8192 of a fixed generator, with the identity, above.
    The chance that any pair of equal losses gets p <= 0.05 is at most about 5 %, for any number of
    losses; no p is below 2 / 2^n. Unequal spreads do not change that, but a loss that is both more
    spread and more skewed than the others does: with exponential outcomes of 5 times the spread, 7
    to 12 % at 10 seeds, since its rare bad runs are often not in the sample.

    NaN is a missing run: a pair uses the seeds that both losses have. Give a run that diverged the
    metric of an untrained model instead, or the test compares survivors.

    Intervals are `mean +- c s / sqrt(n)`, c the 95 % quantile of the maxima over all pairs, and at
    least Student's: they are not stepped down, so one may contain 0 although p <= 0.05.
    """
    table = np.asarray(outcomes, np.float64)
    pairs = tuple(combinations(range(table.shape[1]), 2))
    left, right = (np.array([pair[side] for pair in pairs], int) for side in (0, 1))
    differences = table[:, left] - table[:, right]
    shared = np.isfinite(differences)
    counts = shared.sum(axis=0)
    differences = np.where(shared, differences, 0.0)
    means = np.where(counts > 0, differences.sum(axis=0) / np.maximum(counts, 1), np.nan)
    p, low, high = np.full((3, len(pairs)), np.nan)
    tested = counts >= FEWEST_SEEDS
    if tested.any():
        differences, counts = differences[:, tested], counts[tested]
        t = _abs_t(_flips(len(table)), differences, counts)
        p[tested] = _step_down(t)
        half = _critical(t, counts) * _standard_error(differences, counts)
        low[tested], high[tested] = means[tested] - half, means[tested] + half
    return JointTest(pairs, means, p, low, high)


def _flips(seeds: int) -> NDArray[np.float64]:
    """Returns rows of signs, the identity first; of a flip and its negative, one suffices."""
    if seeds <= EXACT_SEEDS:
        return np.array([(1.0, *signs) for signs in product((1.0, -1.0), repeat=seeds - 1)])
    signs = np.random.default_rng(0).choice((1.0, -1.0), size=(2**EXACT_SEEDS, seeds))
    signs[0] = 1.0
    return signs


def _abs_t(
    signs: NDArray[np.float64], differences: NDArray[np.float64], counts: NDArray[np.int_]
) -> NDArray[np.float64]:
    """Returns |t| for each flip and pair: sqrt((n - 1) u^2 / (1 - u^2)), u^2 = n mean^2 / sum d^2.

    A flip changes the mean, but not the sum of squares.
    """
    squares = np.sum(differences**2, axis=0)
    share = (signs @ differences) ** 2 / (counts * np.where(squares > 0, squares, 1))
    return np.sqrt((counts - 1) * share / np.maximum(1 - share, RESOLUTION))


def _step_down(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the adjusted p of each pair from |t| (flips, pairs), the observed ones in row 0."""
    order = np.argsort(-t[0], kind="stable")
    maxima = np.maximum.accumulate(t[:, order[::-1]], axis=1)[:, ::-1]
    shares = np.mean(maxima >= t[0, order] * (1 - TIE), axis=0)
    p = np.empty(len(order))
    p[order] = np.maximum.accumulate(shares)
    return p


def _critical(t: NDArray[np.float64], counts: NDArray[np.int_]) -> NDArray[np.float64]:
    """Returns the |t| that at most 5 % of the maxima exceed, at least Student's, per pair."""
    maxima = np.sort(t.max(axis=1))[::-1]
    exceeded = maxima[int(SIGNIFICANT * len(maxima))]
    return np.maximum(exceeded, special.stdtrit(counts - 1, (1 + LEVEL) / 2))


def _standard_error(
    differences: NDArray[np.float64], counts: NDArray[np.int_]
) -> NDArray[np.float64]:
    means = differences.sum(axis=0) / counts
    variances = (np.sum(differences**2, axis=0) - counts * means**2) / (counts - 1)
    return np.sqrt(np.maximum(variances, 0) / counts)

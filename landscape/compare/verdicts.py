"""What may be concluded about a pair of losses, and about all of them."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from landscape.compare.joint_test import SIGNIFICANT, JointTest

PairVerdict = Literal["worse", "better", "equivalent", "undecided", "rates differ"]


def verdict(
    difference: float,
    p: float,
    low: float,
    high: float,
    margin: float,
    failures: tuple[int, int] = (0, 0),
    runs: tuple[int, int] = (0, 0),
) -> PairVerdict:
    """Returns what may be concluded about loss i relative to loss j from one pair of a JointTest.

    - `rates differ`: the losses fail in different numbers of their `runs`. The distribution of
      outcomes is then a mixture, for which no test of means is right (it errs in up to 16 % of
      experiments at 5 %), and the rates are what matters. A loss that fails in every run beside one
      that never fails is not a mixture: its verdict is by p.
    - `equivalent`: the interval lies within the margin, even if p is small: the difference is real,
      and too small to matter.
    - `worse`, `better`: joint p <= 0.05.
    - `undecided`: none of these; also if there were too few seeds to test.
    """
    if failures[0] != failures[1] and not _all_against_none(failures, runs):
        return "rates differ"
    if -margin <= low and high <= margin:  # False for NaN
        return "equivalent"
    if p <= SIGNIFICANT:
        return "worse" if difference < 0 else "better"
    return "undecided"


def verdicts(
    test: JointTest, margin: float, failures: Sequence[int], runs: Sequence[int]
) -> tuple[PairVerdict, ...]:
    """Returns the verdict of each pair; `failures` and `runs` count those of each loss."""
    numbers = zip(test.pairs, test.differences, test.p, test.low, test.high, strict=True)
    return tuple(
        verdict(difference, p, low, high, margin, (failures[i], failures[j]), (runs[i], runs[j]))
        for (i, j), difference, p, low, high in numbers
    )


def may_be_best(
    test: JointTest, verdicts: Sequence[PairVerdict], failures: Sequence[int], runs: Sequence[int]
) -> tuple[int, ...]:
    """Returns the losses that may be the best, by number; empty if every loss always fails.

    Left out are losses that fail in every run, and losses whose mean is lower than another's with
    joint p <= 0.05, unless the two are equivalent. The best is in the set in at least about 95 % of
    experiments; a set of one names it.
    """
    count = len(failures)
    out = {loss for loss in range(count) if runs[loss] and failures[loss] == runs[loss]}
    for (i, j), difference, p, name in zip(
        test.pairs, test.differences, test.p, verdicts, strict=True
    ):
        if p <= SIGNIFICANT and name != "equivalent":
            out.add(i if difference < 0 else j)
    return tuple(loss for loss in range(count) if loss not in out)


def identical(outcomes: ArrayLike) -> tuple[tuple[int, int], ...]:
    """Returns the pairs of losses (columns) whose outcomes agree in every run (row).

    Such losses are the same function for this purpose, or their metric cannot tell them apart.
    Runs that both lack (NaN) agree, but one run at least must be present.
    """
    table = np.asarray(outcomes, np.float64)
    return tuple(
        (i, j)
        for i, j in combinations(range(table.shape[1]), 2)
        if np.isfinite(table[:, i]).any()
        and np.array_equal(table[:, i], table[:, j], equal_nan=True)
    )


def _all_against_none(failures: tuple[int, int], runs: tuple[int, int]) -> bool:
    return any(
        runs[one] > 0 and failures[one] == runs[one] and failures[other] == 0
        for one, other in ((0, 1), (1, 0))
    )

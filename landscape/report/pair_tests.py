"""The joint test of the rows under one condition, and what it allows to conclude about each."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from landscape.compare.intervals import Estimate
from landscape.compare.joint_test import EXACT_SEEDS, JointTest, joint_test
from landscape.compare.verdicts import PairVerdict, may_be_best, verdict, verdicts
from landscape.report.loss_rows import Array, LossRow, best_row
from landscape.report.statistics import resplit_interval
from landscape.storage.records import SummaryRecord

# Pairs of rows times flips of seeds that are tested; an array of them has 64 MB. With more, only
# the best point of each loss is tested.
MOST_CELLS = 2**23


class Pair(NamedTuple):
    """Two losses and the mean difference of their outcomes, `loss` minus `other`, by seed.

    `low` and `high` are the ends of the simultaneous 95 % interval, `p` the joint p of all pairs,
    `corrected` the interval of Nadeau and Bengio; all are NaN with too few seeds. `verdict` is
    about `loss` relative to `other`.
    """

    loss: str
    other: str
    seeds: int
    difference: float
    low: float
    high: float
    p: float
    verdict: PairVerdict
    corrected: Estimate


class JointResult(NamedTuple):
    """What the joint test allows to conclude about one row among the `compared` ones.

    `pair` is that with the reference, which fails in `reference_failures` of its runs. `rivals` are
    the other rows that may be best; `top` marks the row with the best mean.
    """

    pair: Pair | None = None
    reference_failures: int = 0
    reference_runs: int = 0
    may_be_best: bool = False
    rivals: tuple[str, ...] = ()
    compared: int = 0
    top: bool = False

    @property
    def verdict(self) -> str:
        """The verdict on the row relative to the reference; empty if they were not compared."""
        return "" if self.pair is None else self.pair.verdict


NOT_TESTED = JointResult()


def joint_results(
    rows: Sequence[LossRow], reference: LossRow, margin: float
) -> dict[str, JointResult]:
    """Returns the result of each row under one condition by name; the reference is one of them.

    All pairs of rows are tested jointly, those at different points of the sweep as well, so that
    choosing the best point of a loss afterwards does not make it look better than it is.
    """
    tested = _tested(rows)
    outcomes = outcome_table(tested)
    test = joint_test(outcomes)
    failures = [int(row.failures(reference).sum()) for row in tested]
    runs = [len(row.counted) for row in tested]
    best = may_be_best(test, verdicts(test, margin, failures, runs), failures, runs)
    base = tested.index(reference) if reference in tested else None
    sign = 1.0 if reference.higher_is_better else -1.0
    top = best_row(tested) if tested else None
    results = dict.fromkeys((row.name for row in rows), NOT_TESTED)
    for index, row in enumerate(tested):
        pair = None
        if base is not None and index != base:
            counts = (failures[index], failures[base]), (runs[index], runs[base])
            answer = verdict(*test.pair(index, base), margin, *counts)
            names, summaries = (row.name, reference.name), [row.counted[0].summary]
            pair = paired(test, (index, base), outcomes, sign, names, answer, summaries)
        results[row.name] = JointResult(
            pair,
            0 if base is None else failures[base],
            0 if base is None else runs[base],
            may_be_best=index in best,
            rivals=tuple(tested[i].name for i in best if i != index),
            compared=len(tested),
            top=row is top,
        )
    return results


def paired(
    test: JointTest,
    pair: tuple[int, int],
    outcomes: Array,
    sign: float,
    names: tuple[str, str],
    answer: PairVerdict,
    summaries: Iterable[SummaryRecord | None],
) -> Pair:
    """Returns a pair in units of the metric.

    `outcomes` are those of the test (seeds, losses), higher being better: the metric times `sign`.
    """
    numbers = test.pair(*pair)
    differences = sign * (outcomes[:, pair[0]] - outcomes[:, pair[1]])
    low, high = np.sort(sign * np.array([numbers.low, numbers.high])) + 0.0  # no -0.0
    return Pair(
        *names,
        seeds=int(np.isfinite(differences).sum()),
        difference=sign * numbers.difference + 0.0,
        low=float(low),
        high=float(high),
        p=numbers.p,
        verdict=answer,
        corrected=resplit_interval(differences, summaries),
    )


def _tested(rows: Sequence[LossRow]) -> list[LossRow]:
    """Returns the rows with results; if those are too many, the best row of each loss."""
    tested = [row for row in rows if np.isfinite(row.outcomes).any()]
    seeds = len({run.seed for row in tested for run in row.counted})
    flips = 2 ** (min(seeds, EXACT_SEEDS + 1) - 1)
    if flips * len(tested) ** 2 / 2 <= MOST_CELLS:
        return tested
    losses = dict.fromkeys(row.loss for row in tested)
    tested = [best_row([row for row in tested if row.loss == loss]) for loss in losses]
    return tested if flips * len(tested) ** 2 / 2 <= MOST_CELLS else []


def outcome_table(rows: Sequence[LossRow]) -> Array:
    """Returns the outcomes (seeds, rows), higher being better; NaN if a row lacks a seed."""
    by_seed: list[dict[int, float]] = [
        {
            run.seed: float(value)
            for run, value in zip(row.counted, row.oriented(row.outcomes), strict=True)
            if run.seed is not None
        }
        for row in rows
    ]
    seeds = sorted(set().union(*by_seed))
    table = [[outcomes.get(seed, np.nan) for outcomes in by_seed] for seed in seeds]
    return np.array(table, np.float64).reshape(len(seeds), len(rows))

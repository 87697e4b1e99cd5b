"""The joint test of the rows under one condition, and what it allows to conclude about each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.compare.joint_test import EXACT_SEEDS, PairTest, joint_test
from landscape.compare.verdicts import may_be_best, verdict, verdicts
from landscape.report.loss_rows import Array, LossRow, best_row
from landscape.report.statistics import resplit_interval

# Pairs of rows times flips of seeds that are tested; an array of them has 64 MB. With more, only
# the best point of each loss is tested.
MOST_CELLS = 2**23
NOT_TESTED: dict[str, Any] = {
    "pairs": 0,
    "difference": np.nan,
    "difference_low": np.nan,
    "difference_high": np.nan,
    "p_value": np.nan,
    "corrected_low": np.nan,
    "corrected_high": np.nan,
    "verdict": "",
    "may_be_best": False,
    "rivals": (),
    "compared": 0,
    "top": False,
    "reference_failures": 0,
    "reference_runs": 0,
}


def pair_columns(
    rows: Sequence[LossRow], reference: LossRow, margin: float
) -> dict[str, dict[str, Any]]:
    """Returns the columns of each row under one condition by name; the reference is one of them.

    All pairs of rows are tested jointly, those at different points of the sweep as well, so that
    choosing the best point of a loss afterwards does not make it look better than it is.
    """
    columns = {row.name: dict(NOT_TESTED) for row in rows}
    tested = _tested(rows)
    outcomes = outcome_table(tested)
    test = joint_test(outcomes)
    failures = [int(row.failures(reference).sum()) for row in tested]
    runs = [len(row.counted) for row in tested]
    answers = verdicts(test, margin, failures, runs)
    best = may_be_best(test, answers, failures, runs)
    for index, row in enumerate(tested):
        columns[row.name] |= {
            "may_be_best": index in best,
            "rivals": tuple(tested[i].name for i in best if i != index),
            "compared": len(tested),
            "top": row is best_row(tested),
        }
    if reference in tested:
        base = tested.index(reference)
        for index in set(range(len(tested))) - {base}:
            pair = test.pair(index, base)
            counts = (failures[index], failures[base]), (runs[index], runs[base])
            differences = outcomes[:, index] - outcomes[:, base]
            answer = verdict(*pair, margin, *counts)
            columns[tested[index].name] |= _columns(tested[index], pair, differences, answer) | {
                "reference_failures": failures[base],
                "reference_runs": runs[base],
            }
    return columns


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


def _columns(row: LossRow, pair: PairTest, differences: Array, answer: str) -> dict[str, Any]:
    """Returns the columns in the units of the metric, where lower may be better."""
    _, low, high = resplit_interval(differences, [row.counted[0].summary])
    ends = _ordered(row.oriented([pair.low, pair.high]))
    corrected = _ordered(row.oriented([low, high]))
    return {
        "pairs": int(np.isfinite(differences).sum()),
        "difference": float(row.oriented(pair.difference)),
        "difference_low": ends[0],
        "difference_high": ends[1],
        "p_value": pair.p,
        "corrected_low": corrected[0],
        "corrected_high": corrected[1],
        "verdict": answer,
    }


def _ordered(ends: NDArray[np.float64]) -> tuple[float, float]:
    return float(ends.min()), float(ends.max())

"""Numbers of a loss over the points of a sweep: tolerance to the learning rate, best of k."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from landscape.compare.best_of_k import best_of_k
from landscape.compare.tolerance import UNDEFINED, Tolerance, tolerance
from landscape.report.learning_rates import row_rate
from landscape.report.loss_rows import Array, LossRow, best_row

TRIALS = (1, 2, 4, 8)
RATE = "optimizer.learning_rate"
# With two rates the interval of good rates is between them by construction.
_FEWEST_RATES = 3


class SweepNumbers(NamedTuple):
    """The number of points of a loss, the expected best of `TRIALS` of them, and the tolerance."""

    trials: int
    best_of: tuple[float, ...]
    tolerance: Tolerance


def sweep_numbers(rows: Sequence[LossRow]) -> dict[str, SweepNumbers]:
    """Returns the numbers of each loss; empty if no loss has several points."""
    by_loss: dict[str, list[LossRow]] = {}
    for row in rows:
        by_loss.setdefault(row.loss, []).append(row)
    if all(len(points) == 1 for points in by_loss.values()):
        return {}
    return {
        loss: SweepNumbers(len(points), _best_of_k(points), _tolerance(points))
        for loss, points in by_loss.items()
    }


def _best_of_k(points: Sequence[LossRow]) -> tuple[float, ...]:
    """Returns the expected best mean of k trials drawn from the points of the sweep."""
    means = [float(row.oriented(row.value)) for row in points]
    expected = best_of_k([mean for mean in means if np.isfinite(mean)], TRIALS)
    return tuple(
        float(points[0].oriented(value)) if k <= len(points) else np.nan
        for k, value in zip(TRIALS, expected, strict=True)
    )


def _tolerance(points: Sequence[LossRow]) -> Tolerance:
    """Returns the tolerance to the learning rate, at the other swept values of the best point."""
    others = _without_rate(best_row(points))
    same = [row for row in points if RATE in row.swept and _without_rate(row) == others]
    gains = _gains_by_seed(same)
    if len(same) < _FEWEST_RATES or not gains.size:
        return UNDEFINED
    return tolerance([row_rate(row) for row in same], gains)


def _without_rate(row: LossRow) -> dict[str, Any]:
    return {key: value for key, value in row.swept.items() if key != RATE}


def _gains_by_seed(rows: Sequence[LossRow]) -> Array:
    """Returns what each run gained over its untrained model, (rows, seeds that all rows have)."""
    by_seed: list[dict[int | None, float]] = []
    for row in rows:
        gained = row.oriented(row.outcomes - row.starts)
        seeds = [run.seed for run in row.counted]
        by_seed.append({s: float(g) for s, g in zip(seeds, gained, strict=True) if np.isfinite(g)})
    shared = sorted(set.intersection(*map(set, by_seed)), key=str) if by_seed else []
    return np.array([[gains[seed] for seed in shared] for gains in by_seed]).reshape(
        len(rows), len(shared)
    )

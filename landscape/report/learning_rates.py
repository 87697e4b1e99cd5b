"""The learning rates that each loss was trained with."""

from collections.abc import Sequence

import numpy as np

from landscape.catalog.menu import menu
from landscape.report.loss_rows import LossRow
from landscape.report.results import RateGrid, Results, StoredRun


def learning_rate(run: StoredRun) -> float:
    """Returns the learning rate of a run, before its schedule; NaN if it is not known."""
    if run.config is None:
        return np.nan
    optimizer = run.config.optimizer
    entry = menu("optimizers").get(optimizer.name)
    option = entry and entry.options.get("learning_rate")
    rate = optimizer.options.get("learning_rate", option and option.default)
    return float(rate) if isinstance(rate, int | float) else np.nan


def row_rate(row: LossRow) -> float:
    """Returns the learning rate of the runs of a row; NaN if it is not known."""
    return next((learning_rate(run) for run in row.runs), np.nan)


def rate_grids(
    results: Results, rows: Sequence[LossRow], reference: LossRow
) -> dict[str, RateGrid]:
    """Returns all learning rates of each loss, rising, and whether it learns at any of them.

    They are those of its tuning, else those of the sweep.
    """
    grids: dict[str, RateGrid] = {}
    for loss in dict.fromkeys(row.loss for row in rows):
        same = [row for row in rows if row.loss == loss]
        known = {rate for row in same if not np.isnan(rate := row_rate(row))}
        learns = any(row.learns(reference) for row in same)
        grids[loss] = results.tuned.get(loss) or RateGrid(tuple(sorted(known)), learns)
    return grids

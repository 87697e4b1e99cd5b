"""The learning rates that each loss was trained with."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from landscape.catalog.menu import menu
from landscape.report.loss_rows import LossRow
from landscape.report.results import StoredRun


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


def rate_columns(rows: Sequence[LossRow], reference: LossRow) -> dict[str, dict[str, Any]]:
    """Returns the learning rate of each row by name, and what its loss does at other rates.

    `rates` are all rates of the loss, ascending, and `rate_learns` tells whether it learns at any
    of them.
    """
    columns = {}
    for row in rows:
        same = [other for other in rows if other.loss == row.loss]
        known = {rate for other in same if not np.isnan(rate := row_rate(other))}
        columns[row.name] = {
            "learning_rate": row_rate(row),
            "rates": tuple(sorted(known)),
            "rate_learns": any(other.learns(reference) for other in same),
        }
    return columns

"""The task metrics beside the primary one: columns of every table of losses."""

from collections.abc import Iterable, Sequence

import numpy as np

from landscape.compare.intervals import mean_interval
from landscape.report import words
from landscape.report.compare_columns import estimate_cells, estimate_column
from landscape.report.stored_run import StoredRun
from landscape.report.tables import TableColumn


def cells(runs: Sequence[StoredRun], metrics: Iterable[str]) -> dict[str, float]:
    """Returns the mean outcome of counted runs by each metric: `f1_value`, `f1_low`, ..."""
    row: dict[str, float] = {}
    for metric in metrics:
        outcomes = np.array([run.outcome(metric) for run in runs], np.float64)
        row |= estimate_cells(f"{metric}_", outcomes, mean_interval(outcomes))
    return row


def columns(metrics: Iterable[str]) -> list[TableColumn]:
    """Returns the columns that show these cells."""
    return [
        estimate_column(
            f"{words.metric_label(metric)} [95 % CI]",
            f"mean of the final {words.metric_label(metric)}, as the metric that judges",
            f"{metric}_",
        )
        for metric in metrics
    ]

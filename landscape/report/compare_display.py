"""The table of a comparison at tuned points in a terminal: one short text per number."""

import math

import pandas as pd

from landscape.report import words
from landscape.report.compare_measures import LossMeasures, Share
from landscape.report.compare_tables import options_text, verdict_text
from landscape.report.compare_text import rate, tolerance_text
from landscape.report.tuned_comparison import TunedComparison

# The first columns are what the page shows above its figures.
MAIN_COLUMNS = 6


def display(comparison: TunedComparison) -> pd.DataFrame:
    """Returns one row of texts per loss, the most important columns first."""
    return pd.DataFrame([_row(comparison, loss) for loss in comparison.losses])


def explained_by(comparison: TunedComparison) -> dict[str, str]:
    """Returns the column of the tuning table that defines each of the main columns."""
    return {
        f"{words.metric_heading(comparison.metric)} [95 % CI]": f"{comparison.label} [95 % CI]",
        "verdict": f"against {comparison.record.reference}",
        "decades tolerated": "tolerance",
    }


def _row(comparison: TunedComparison, loss: LossMeasures) -> dict[str, str]:
    metric, heading = comparison.metric, words.metric_heading(comparison.metric)
    options = options_text(loss)
    texts = {
        "loss": "\n".join(filter(None, (loss.name, *options.split(", ")))),
        f"{heading} [95 % CI]": _mean(metric, loss.estimate.value, *loss.estimate[1:]),
        "success": _count(loss.success),
        "tuned rate": rate(loss.entry.tuned_rate),
        "verdict": verdict_text(comparison, loss),
        "decades tolerated": tolerance_text(loss.curve.tolerance).split(" [")[0],
        f"{heading} at the config's rate": _mean(
            metric, loss.own_estimate.value, *loss.own_estimate[1:]
        ),
        "best of 1": words.table_number(metric, loss.best_of[0]),
        "best of 8": words.table_number(metric, loss.best_of[-1]),
        "grid success": _count(loss.grid_success),
        "at target": _count(loss.reached),
        "steps per success": words.short(loss.running_time),
        "trials": str(len(loss.entry.trials)),
    }
    cells = comparison.other_cells.get(loss.name, {})
    return texts | {
        words.metric_heading(name): words.table_number(name, cells[f"{name}_value"])
        for name in comparison.other_metrics
    }


def _mean(metric: str, value: float, low: float, high: float) -> str:
    text = words.table_number(metric, value)
    if math.isnan(low):
        return text
    return f"{text} [{words.table_number(metric, low)}, {words.table_number(metric, high)}]"


def _count(share: Share) -> str:
    return f"{share.number}/{share.total}" if share.total else words.MISSING

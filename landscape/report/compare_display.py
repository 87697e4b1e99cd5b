"""The table of a comparison at tuned points in a terminal: one short text per number."""

import pandas as pd

from landscape.report import words
from landscape.report.compare_measures import LossMeasures
from landscape.report.compare_tables import options_text, verdict_text
from landscape.report.compare_text import rate
from landscape.report.number_texts import count_text, metric_text, tolerance_text
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
        f"{heading} [95 % CI]": metric_text(metric, loss.estimate.interval),
        "success": count_text(loss.success),
        "tuned rate": rate(loss.entry.tuned_rate),
        "verdict": verdict_text(comparison, loss),
        "decades tolerated": tolerance_text(loss.curve.tolerance).split(" [")[0],
        f"{heading} at the config's rate": metric_text(metric, loss.own_estimate.interval),
        "best of 1": words.table_number(metric, loss.best_of[0]),
        "best of 8": words.table_number(metric, loss.best_of[-1]),
        "grid success": count_text(loss.grid_success),
        "at target": count_text(loss.reached),
        "steps per success": words.short(loss.running_time),
        "trials": str(len(loss.entry.trials)),
    }
    return texts | {
        words.metric_heading(name): words.table_number(name, estimate.value)
        for name, estimate in comparison.other_estimates[loss.name].items()
    }

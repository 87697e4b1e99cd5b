"""The tables of a comparison at tuned points: losses, pairs, robustness."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.config.yaml_source import short_text
from landscape.report import other_metrics, robustness_table, tables, words
from landscape.report.compare_columns import (
    estimate_cells,
    estimate_column,
    has_content,
    share_cells,
    share_column,
)
from landscape.report.compare_measures import BEST_OF, LossMeasures
from landscape.report.compare_text import (
    difference_number,
    interval_text,
    rate,
    tolerance_text,
)
from landscape.report.tables import ReportTable, TableColumn, value_column
from landscape.report.tuned_comparison import TunedComparison

SECTION = "compare"


def report_tables(comparison: TunedComparison) -> list[ReportTable]:
    """Returns the tables that have rows."""
    described = (
        ("tuning", "Losses at their tuned points", tuning(comparison), _tuning_columns),
        ("pairs", "All pairs", pairs(comparison), _pair_columns),
        ("robustness", "Robustness", robustness_table.table(comparison), robustness_table.columns),
    )
    return [
        ReportTable(
            name, title, SECTION, columns(comparison, rows), rows, rows.head(tables.MOST_ROWS)
        )
        for name, title, rows, columns in described
        if len(rows)
    ]


def tuning(comparison: TunedComparison) -> pd.DataFrame:
    """Returns one row per loss: trials, tuned point, tolerance, and the numbers of judged runs."""
    return pd.DataFrame([_tuning_row(comparison, loss) for loss in comparison.losses])


def _tuning_row(comparison: TunedComparison, loss: LossMeasures) -> dict[str, Any]:
    entry, tolerance = loss.entry, loss.curve.tolerance
    row = {
        "loss": loss.name,
        "metric": comparison.metric,
        "trials": len(entry.trials),
        "tuned_rate": entry.tuned_rate,
        "tuned_options": options_text(loss),
        "edge": entry.edge,
        "gain": entry.gain,
        "learns": entry.learns,
        **estimate_cells("", loss.outcomes, loss.estimate),
        **comparison.other_cells.get(loss.name, {}),
        **share_cells("failures", loss.failures),
        "tolerance": tolerance.decades,
        "tolerance_low": tolerance.interval[0],
        "tolerance_high": tolerance.interval[1],
        "tolerance_from": tolerance.low_rate,
        "tolerance_to": tolerance.high_rate,
        "leaves_grid": _leaves(loss),
    }
    row |= {f"best_of_{k}": value for k, value in zip(BEST_OF, loss.best_of, strict=True)}
    row |= share_cells("success", loss.success) | share_cells("grid_success", loss.grid_success)
    row |= {
        "target": comparison.target,
        "reached": loss.reached.number,
        "running_time": loss.running_time,
        "own_rate": entry.own_rate,
        **estimate_cells("own_", loss.own_outcomes, loss.own_estimate),
        "may_be_best": loss.name in comparison.pairs.may_be_best,
        "verdict": verdict_text(comparison, loss),
    }
    return row


def _leaves(loss: LossMeasures) -> str:
    tolerance = loss.curve.tolerance
    sides = (("low", tolerance.leaves_low), ("high", tolerance.leaves_high))
    return " ".join(side for side, leaves in sides if leaves)


def options_text(loss: LossMeasures) -> str:
    """Formats the swept options at the tuned point by their last words: `gamma=2.0`."""
    options = loss.entry.tuned_options
    return ", ".join(f"{key.rpartition('.')[2]}={short_text(v)}" for key, v in options.items())


def verdict_text(comparison: TunedComparison, loss: LossMeasures) -> str:
    """Returns the verdict on a loss relative to the reference; empty if it was not judged."""
    if loss.name == comparison.record.reference:
        return "reference"
    pair = comparison.pairs.of(loss.name, comparison.record.reference)
    if not loss.entry.learns:
        return "does not learn"
    return "" if pair is None else pair.verdict


def _tuning_columns(comparison: TunedComparison, rows: pd.DataFrame) -> Sequence[TableColumn]:
    label, reference = comparison.label, comparison.record.reference
    evaluation = f"{label} on the {comparison.split} split"
    tolerances = {loss.name: tolerance_text(loss.curve.tolerance) for loss in comparison.losses}
    columns = [
        value_column("loss", "label of the loss"),
        value_column("trials", "number of points (learning rate, swept options) that were tried"),
        value_column(
            "tuned rate",
            "learning rate of the trial with the highest mean gain on the "
            f"{comparison.split} split over the tuning seeds; gain is (M - M0) / (M_ref - M0), M0 "
            f"the untrained model, M_ref the reference ({reference}) at its own tuned point",
            rate,
            "tuned_rate",
        ),
        value_column("options", "swept options of that trial", words.or_missing, "tuned_options"),
        value_column(
            "edge",
            "low or high if the tuned rate is the last one of its grid, so that a better one may "
            "lie beyond",
            words.or_missing,
        ),
        estimate_column(
            f"{label} [95 % CI]",
            f"mean {label} on the test split over the judging seeds, and its 95 % interval, below "
            "5 seeds the lowest and the highest; a diverged run counts with the value of its "
            "untrained model",
        ),
        *other_metrics.columns(comparison.other_metrics),
        share_column(
            "failures",
            "judged runs that failed, diverged, gain less than 10 % of what the reference gains, "
            "or are not better than their own untrained model, "
            "with Wilson's 95 % interval",
            "failures",
        ),
        TableColumn(
            "tolerance",
            lambda row: tolerances[row["loss"]],
            "width, in decades, of the connected interval of learning rates around the tuned one "
            "with a mean gain of at least 95 % of the loss's own best, linear in the logarithm of "
            "the rate, with a 95 % bootstrap interval over the tuning seeds; > if it leaves the "
            "grid",
        ),
        *(
            value_column(
                f"best of {k}",
                f"expected best {evaluation} of {k} trials drawn at random from those of the loss: "
                f"the sum over j of M_(j) ((j/N)^{k} - ((j-1)/N)^{k})",
                words.decimal,
                f"best_of_{k}",
            )
            for k in BEST_OF
        ),
        share_column(
            "success",
            "judged runs that reach 95 % of the mean gain of the reference, with Wilson's 95 % "
            "interval",
            "success",
        ),
        share_column(
            "success over the grid",
            f"the same for all trials, on the tuning seeds and the {comparison.split} split",
            "grid_success",
        ),
        TableColumn(
            "reached",
            lambda row: (
                f"{row['reached']}/{row['seeds']}"
                if row["seeds"] and np.isfinite(row["target"])
                else words.MISSING
            ),
            f"judged runs that reached the target of {words.decimal(comparison.target)} on the "
            f"{comparison.split} split at two successive records",
        ),
        value_column(
            "steps per success",
            "expected running time to the target if runs that miss it are restarted: the sum of "
            "the steps of all judged runs, each until it reaches the target, divided by the number "
            "that reach it",
            _steps,
            "running_time",
        ),
        estimate_column(
            "at the config's rate",
            f"mean {label} on the test split over the judging seeds at the learning rate and the "
            "options of the config",
            "own_",
        ),
        value_column(
            f"against {reference}",
            f"verdict on the loss relative to the reference, {reference}",
            words.or_missing,
            "verdict",
        ),
    ]
    return [column for column in columns if has_content(column, rows)]


def _steps(value: float) -> str:
    return words.decimal(value) if not np.isfinite(value) else f"{value:.0f}"


def pairs(comparison: TunedComparison) -> pd.DataFrame:
    """Returns one row per pair of judged losses, those with the reference first."""
    return pd.DataFrame(
        [
            {
                "loss": pair.loss,
                "other": pair.other,
                "seeds": pair.seeds,
                "difference": pair.difference,
                "low": pair.low,
                "high": pair.high,
                "p": pair.p,
                "verdict": pair.verdict,
                "corrected_low": pair.corrected.low,
                "corrected_high": pair.corrected.high,
            }
            for pair in comparison.pairs.pairs
        ]
    )


def _pair_columns(comparison: TunedComparison, rows: pd.DataFrame) -> Sequence[TableColumn]:
    metric = comparison.metric
    unit = " (points)" if words.is_share(metric) else ""

    def interval(row: pd.Series) -> str:
        return interval_text(metric, row["difference"], row["low"], row["high"], unit=False)

    def corrected(row: pd.Series) -> str:
        ends = (difference_number(metric, row[f"corrected_{end}"]) for end in ("low", "high"))
        return f"[{', '.join(ends)}]" if np.isfinite(row["corrected_low"]) else words.MISSING

    columns = [
        value_column("loss", "label of the loss"),
        value_column("minus", "label of the loss that is subtracted", name="other"),
        value_column("seeds", "judging seeds that both have", words.count),
        TableColumn(
            f"difference{unit} [simultaneous 95 % CI]",
            interval,
            f"mean difference of the {comparison.label} on the test split over the seeds; the "
            "intervals of all pairs hold simultaneously with 95 % confidence",
        ),
        value_column(
            "p",
            "joint p: the share of flips of whole seeds whose largest |t| over the pairs reaches "
            "that of this pair, step-down; corrected for all pairs",
            words.decimal,
        ),
        TableColumn(
            "corrected for resplits",
            corrected,
            "95 % interval of this difference alone with the variance of Nadeau and Bengio (2003), "
            "since the splits of the seeds share examples",
        ),
        value_column(
            "verdict",
            "on the loss relative to the other one: better or worse if p is at most 0.05, "
            "equivalent if the simultaneous interval lies within the margin, rates differ if the "
            "two fail in different numbers of runs, else undecided",
        ),
    ]
    return [column for column in columns if has_content(column, rows)]

"""The tables of a comparison at tuned points: losses, pairs, robustness."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from landscape.config.yaml_source import short_text
from landscape.report import robustness_table, words
from landscape.report.compare_measures import BEST_OF, LossMeasures
from landscape.report.compare_text import difference_number, interval_text, rate
from landscape.report.number_texts import ends_text, tolerance_text
from landscape.report.pair_tests import Pair
from landscape.report.tables import (
    Item,
    ReportTable,
    TableColumn,
    estimate_column,
    file_column,
    report_table,
    share_column,
    value_column,
)
from landscape.report.tuned_comparison import TunedComparison

SECTION = "compare"
LossColumn = TableColumn[LossMeasures]


def report_tables(comparison: TunedComparison) -> list[ReportTable]:
    """Returns the tables that have rows."""
    pairs, cells = comparison.pairs.pairs, comparison.cells
    tables = [
        _table(
            "tuning", "Losses at their tuned points", tuning_columns(comparison), comparison.losses
        ),
        _table("pairs", "All pairs", _pair_columns(comparison), pairs),
        _table("robustness", "Robustness", robustness_table.columns(comparison.label), cells),
    ]
    return [table for table in tables if len(table.rows)]


def _table(
    name: str, title: str, columns: Sequence[TableColumn[Item]], items: Sequence[Item]
) -> ReportTable:
    return report_table(name, title, SECTION, columns, items, drop_empty=True)


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


def tuning_columns(comparison: TunedComparison) -> list[LossColumn]:
    """Returns the columns of the losses: trials, tuned point, tolerance, numbers of judged runs."""
    return [
        value_column("loss", "label of the loss", lambda loss: loss.name),
        file_column(lambda loss: {"metric": comparison.metric}),
        *_point_columns(comparison),
        estimate_column(
            f"{comparison.label} [95 % CI]",
            f"mean {comparison.label} on the test split over the judging seeds, and its 95 % "
            "interval, below 5 seeds the lowest and the highest; a diverged run counts with the "
            "value of its untrained model",
            lambda loss: loss.estimate,
        ),
        *(_metric_column(comparison, name) for name in comparison.other_metrics),
        share_column(
            "failures",
            "judged runs that failed, diverged, gain less than 10 % of what the reference gains, "
            "or are not better than their own untrained model, "
            "with Wilson's 95 % interval",
            lambda loss: loss.failures,
            "failures",
        ),
        _tolerance_column(),
        *(_best_of_column(comparison, index, k) for index, k in enumerate(BEST_OF)),
        *_success_columns(comparison),
        *_target_columns(comparison),
        file_column(lambda loss: {"own_rate": loss.entry.own_rate}),
        estimate_column(
            "at the config's rate",
            f"mean {comparison.label} on the test split over the judging seeds at the learning "
            "rate and the options of the config",
            lambda loss: loss.own_estimate,
            "own_",
        ),
        file_column(lambda loss: {"may_be_best": loss.name in comparison.pairs.may_be_best}),
        value_column(
            f"against {comparison.record.reference}",
            f"verdict on the loss relative to the reference, {comparison.record.reference}",
            lambda loss: verdict_text(comparison, loss),
            words.or_missing,
            name="verdict",
        ),
    ]


def _point_columns(comparison: TunedComparison) -> list[LossColumn]:
    """Returns the columns of the trials and of the tuned point."""
    return [
        value_column(
            "trials",
            "number of points (learning rate, swept options) that were tried",
            lambda loss: len(loss.entry.trials),
        ),
        value_column(
            "tuned rate",
            "learning rate of the trial with the highest mean gain on the "
            f"{comparison.split} split over the tuning seeds; gain is (M - M0) / (M_ref - M0), M0 "
            f"the untrained model, M_ref the reference ({comparison.record.reference}) at its own "
            "tuned point",
            lambda loss: loss.entry.tuned_rate,
            rate,
            name="tuned_rate",
        ),
        value_column(
            "options",
            "swept options of that trial",
            options_text,
            words.or_missing,
            name="tuned_options",
        ),
        value_column(
            "edge",
            "low or high if the tuned rate is the last one of its grid, so that a better one may "
            "lie beyond",
            lambda loss: loss.entry.edge,
            words.or_missing,
        ),
        file_column(lambda loss: {"gain": loss.entry.gain, "learns": loss.entry.learns}),
    ]


def _metric_column(comparison: TunedComparison, name: str) -> LossColumn:
    label = words.metric_label(name)
    return estimate_column(
        f"{label} [95 % CI]",
        f"mean of the final {label}, as the metric that judges",
        lambda loss: comparison.other_estimates[loss.name][name],
        f"{name}_",
    )


def _tolerance_column() -> LossColumn:
    def cells(loss: LossMeasures) -> dict[str, Any]:
        tolerance = loss.curve.tolerance
        return {
            "tolerance": tolerance.decades,
            "tolerance_low": tolerance.interval[0],
            "tolerance_high": tolerance.interval[1],
            "tolerance_from": tolerance.low_rate,
            "tolerance_to": tolerance.high_rate,
            "leaves_grid": " ".join(tolerance.cut_ends),
        }

    return TableColumn(
        "tolerance",
        "width, in decades, of the connected interval of learning rates around the tuned one "
        "with a mean gain of at least 95 % of the loss's own best, linear in the logarithm of "
        "the rate, with a 95 % bootstrap interval over the tuning seeds; > if it leaves the "
        "grid",
        lambda loss: tolerance_text(loss.curve.tolerance),
        cells,
    )


def _best_of_column(comparison: TunedComparison, index: int, k: int) -> LossColumn:
    return value_column(
        f"best of {k}",
        f"expected best {comparison.label} on the {comparison.split} split of {k} trials drawn at "
        f"random from those of the loss: the sum over j of M_(j) ((j/N)^{k} - ((j-1)/N)^{k})",
        lambda loss: loss.best_of[index],
        words.decimal,
        name=f"best_of_{k}",
    )


def _success_columns(comparison: TunedComparison) -> list[LossColumn]:
    return [
        share_column(
            "success",
            "judged runs that reach 95 % of the mean gain of the reference, with Wilson's 95 % "
            "interval",
            lambda loss: loss.success,
            "success",
        ),
        share_column(
            "success over the grid",
            f"the same for all trials, on the tuning seeds and the {comparison.split} split",
            lambda loss: loss.grid_success,
            "grid_success",
        ),
    ]


def _target_columns(comparison: TunedComparison) -> list[LossColumn]:
    target = comparison.target

    def reached(loss: LossMeasures) -> str:
        defined = loss.estimate.seeds and np.isfinite(target)
        return f"{loss.reached.number}/{loss.estimate.seeds}" if defined else words.MISSING

    return [
        TableColumn(
            "reached",
            f"judged runs that reached the target of {words.decimal(target)} on the "
            f"{comparison.split} split at two successive records",
            reached,
            lambda loss: {"target": target, "reached": loss.reached.number},
        ),
        value_column(
            "steps per success",
            "expected running time to the target if runs that miss it are restarted: the sum of "
            "the steps of all judged runs, each until it reaches the target, divided by the number "
            "that reach it",
            lambda loss: loss.running_time,
            _steps,
            name="running_time",
        ),
    ]


def _steps(value: float) -> str:
    return words.decimal(value) if not np.isfinite(value) else f"{value:.0f}"


def _pair_columns(comparison: TunedComparison) -> list[TableColumn[Pair]]:
    metric = comparison.metric
    unit = " (points)" if words.is_share(metric) else ""

    def interval(pair: Pair) -> str:
        return interval_text(metric, pair.difference, pair.low, pair.high, unit=False)

    def corrected(pair: Pair) -> str:
        return ends_text(
            pair.corrected.low, pair.corrected.high, lambda end: difference_number(metric, end)
        )

    return [
        value_column("loss", "label of the loss", lambda pair: pair.loss),
        value_column(
            "minus", "label of the loss that is subtracted", lambda pair: pair.other, name="other"
        ),
        value_column("seeds", "judging seeds that both have", lambda pair: pair.seeds, words.count),
        TableColumn(
            f"difference{unit} [simultaneous 95 % CI]",
            f"mean difference of the {comparison.label} on the test split over the seeds; the "
            "intervals of all pairs hold simultaneously with 95 % confidence",
            interval,
            lambda pair: {"difference": pair.difference, "low": pair.low, "high": pair.high},
        ),
        value_column(
            "p",
            "joint p: the share of flips of whole seeds whose largest |t| over the pairs reaches "
            "that of this pair, step-down; corrected for all pairs",
            lambda pair: pair.p,
            words.decimal,
        ),
        file_column(lambda pair: {"verdict": pair.verdict}),
        TableColumn(
            "corrected for resplits",
            "95 % interval of this difference alone with the variance of Nadeau and Bengio (2003), "
            "since the splits of the seeds share examples",
            corrected,
            lambda pair: {
                "corrected_low": pair.corrected.low,
                "corrected_high": pair.corrected.high,
            },
        ),
        TableColumn(
            "verdict",
            "on the loss relative to the other one: better or worse if p is at most 0.05, "
            "equivalent if the simultaneous interval lies within the margin, rates differ if the "
            "two fail in different numbers of runs, else undecided",
            lambda pair: pair.verdict,
        ),
    ]

"""The columns of the comparison, with their definitions, for the page and the files."""

import math
from collections.abc import Sequence

import pandas as pd

from landscape.compare.intervals import FEWEST
from landscape.compare.joint_test import FEWEST_SEEDS, SIGNIFICANT
from landscape.compare.tuning import LEARNS, SUCCEEDS
from landscape.report import audits, other_metrics, words
from landscape.report.comparison_texts import (
    ends_text,
    interval_text,
    outcome_text,
    reached_text,
    share_text,
    swept_text,
    tolerance_text,
)
from landscape.report.loss_rows import LEARNS_ROOM
from landscape.report.sentences import MENTION_DEAD_EXAMPLES, MENTION_DEAD_UNITS, MENTION_STEPS
from landscape.report.tables import TableColumn, value_column

_FINDING = (
    f"a summary of the row by fixed rules. A loss learns if its gain is at least {LEARNS:g} and it "
    f"closes at least {LEARNS_ROOM:.0%} of the gap between the untrained model and a perfect "
    "value. Better and worse are by the joint test, equivalent is by the margin. The summary "
    f"mentions dead units from {MENTION_DEAD_UNITS:.0%} up, dead examples from "
    f"{MENTION_DEAD_EXAMPLES:.0%} up, vanishing and exploding gradients from "
    f"{MENTION_STEPS:.0%} of the steps up, and overfitting if the metric falls by more than the "
    "margin after the best step and the interval of the fall is above 0"
).replace("%", " %")


def columns(table: pd.DataFrame, others: Sequence[str] = ()) -> list[TableColumn]:
    """Returns the columns of the full comparison, without those that are empty in every row.

    `others` are the metrics that do not judge.
    """
    metric = words.metric_label(str(table["metric"].iloc[0]))
    swept = table.columns[1 : table.columns.get_loc("metric")]
    columns = [
        value_column("loss", "label of the loss"),
        *(value_column(key, "value of the swept option", swept_text) for key in swept),
        *_outcome_columns(metric),
        *other_metrics.columns(others),
        *_rate_columns(metric),
        *_pair_columns(metric),
        *_target_columns(metric),
        *(_sweep_columns(metric) if "trials" in table else ()),
        *_gradient_columns(),
        *_slice_columns(),
        *(_audit_columns() if "audit_verdict" in table else ()),
        value_column("finding", _FINDING),
    ]
    rows = [row for _, row in table.iterrows()]
    return [column for column in columns if any(_has_content(column, row) for row in rows)]


def _has_content(column: TableColumn, row: pd.Series) -> bool:
    """Returns whether the cell has content; zero failed or unfinished runs do not count."""
    text = column.text(row)
    ignored = {"failed": "0", "unfinished": "0"}
    return text not in (words.MISSING, ignored.get(column.heading))


def _outcome_columns(metric: str) -> list[TableColumn]:
    return [
        TableColumn(
            f"{metric} [95 % CI]",
            outcome_text,
            f"mean over seeds of the final {metric}, on the test split if it was measured, and its "
            f"95 % interval: Student's t, corrected for skewness (Hall 1992). Below {FEWEST} seeds "
            "there is no interval, and the lowest and the highest seed are shown in parentheses. A "
            "diverged run counts with the value of its untrained model, and a failed run does not "
            "count",
        ),
        value_column("seeds", "number of runs that count", words.count),
        TableColumn(
            "does not learn",
            lambda row: share_text(row, "failure"),
            f"share of the runs that diverged or whose gain is below {LEARNS:g}, and its 95 % "
            "interval (Wilson 1927)",
        ),
        TableColumn(
            "success",
            lambda row: share_text(row, "success"),
            f"share of the runs whose gain is at least {SUCCEEDS:g}, and its 95 % interval "
            "(Wilson 1927)",
        ),
        value_column(
            "gain",
            f"mean over the runs of (M - M0) / (M_ref - M0): M the final {metric} of the run, "
            "M_ref and M0 the mean over the runs of the reference, trained and untrained; 0 for a "
            "run that diverged",
            words.decimal,
        ),
    ]


def _rate_columns(metric: str) -> list[TableColumn]:
    return [
        value_column(
            "diverged",
            "share of the counted runs in which the risk or a gradient became NaN or infinite",
            words.percentage,
        ),
        value_column("failed", "number of runs that ended with an error", words.count),
        value_column("unfinished", "number of runs that have not finished", words.count),
        TableColumn(
            "lost after best step",
            lambda row: interval_text(row, "lost_after_best", "lost_low", "lost_high"),
            f"{metric} on the test split at the best step minus that at the last step, mean over "
            "the runs with its 95 % interval; the best step is chosen on the evaluation split",
        ),
        value_column(
            "best step",
            f"recorded step with the best {metric} on the evaluation split, median over runs",
            words.count,
            "best_step",
        ),
    ]


def _pair_columns(metric: str) -> list[TableColumn]:
    return [
        value_column("reference", "the row with which this row is compared", words.or_missing),
        TableColumn(
            "difference [95 % CI]",
            lambda row: interval_text(row, "difference", "difference_low", "difference_high"),
            f"mean difference of the final {metric} to the reference, paired by seed, with an "
            "interval that holds for all pairs of rows simultaneously",
        ),
        value_column(
            "joint p",
            "two-sided step-down max-t permutation test of all pairs of rows, in which whole "
            f"seeds are flipped: the chance that equal losses give any p of at most {SIGNIFICANT} "
            f"is about 5 %. With n seeds p is at least 2/2^n: {FEWEST_SEEDS} seeds are needed",
            words.decimal,
            "p_value",
        ),
        TableColumn(
            "corrected 95 % CI",
            lambda row: ends_text(row["corrected_low"], row["corrected_high"]),
            "interval of the difference for other samples of the same size (Nadeau and Bengio "
            "2003): seeds split one pool of examples, so their differences are not independent; "
            "of this pair alone",
        ),
        value_column(
            "verdict",
            "worse or better: joint p is at most 0.05. equivalent: the interval of the difference "
            "lies within the margin. rates differ: the rows fail in different numbers of runs, "
            "so that no test of means is right. undecided: none of these",
            words.or_missing,
        ),
    ]


def _target_columns(metric: str) -> list[TableColumn]:
    return [
        TableColumn(
            "reached",
            reached_text,
            f"number of runs whose {metric} on the evaluation split met the target at two "
            "successive records, out of the runs that count; runs that diverged are excluded",
        ),
        value_column(
            "steps",
            "first of these records, median over all runs: a run that never meets the target is "
            "later than all others (Kaplan and Meier 1958); undefined if fewer than half meet it",
            words.count,
            "steps_to_target",
        ),
        value_column(
            "steps per success",
            "training steps of all runs, each until it met the target or ended, divided by the "
            "number of runs that met it",
            lambda value: words.count(round(value)) if math.isfinite(value) else words.MISSING,
            "expected_steps",
        ),
    ]


def _sweep_columns(metric: str) -> list[TableColumn]:
    return [
        value_column("trials", "number of points of the sweep of this loss", words.count),
        TableColumn(
            "tolerance (decades)",
            tolerance_text,
            "width of the connected interval of learning rates around the best one at which the "
            "loss gains at least 95 % of its own best gain, linear in the logarithm of the rate, "
            "with a 95 % bootstrap interval over seeds; > if an end of the grid cuts it off",
        ),
        *(
            value_column(
                f"best of {k}",
                f"expected best mean {metric} of {k} points drawn from the sweep of this loss "
                "(Dodge et al. 2019)",
                words.decimal,
                f"best_of_{k}",
            )
            for k in (1, 2, 4, 8)
        ),
    ]


def _gradient_columns() -> list[TableColumn]:
    return [
        value_column(
            "gradient norm, start",
            "Euclidean norm of the batch gradient of the risk before the first update, "
            "median over runs; in the loss's own units",
            words.scientific,
            "gradient_start",
        ),
        value_column(
            "gradient norm, end",
            "the same at the last recorded step with a finite norm",
            words.scientific,
            "gradient_end",
        ),
        value_column(
            "vanishing",
            "share of the steps with a mean absolute gradient below the threshold of the "
            "experiment, median over runs",
            words.percentage,
        ),
        value_column(
            "exploding",
            "share of the steps with a gradient norm above the threshold of the experiment, "
            "median over runs",
            words.percentage,
        ),
        *(
            value_column(
                f"dead {name}",
                f"{text}; last recorded value, median over runs",
                words.percentage,
                f"dead_{name}",
            )
            for name, text in words.DEAD.items()
        ),
    ]


def _slice_columns() -> list[TableColumn]:
    return [
        value_column(
            "relative rise",
            "rise of the risk from the trained point to the ends of its lines, relative to the "
            "decrease achieved by training: (mean of both ends - center) / (initial risk "
            "- center), mean over directions, median over runs; 1 undoes all of the training; "
            "undefined if training did not decrease the risk; for the first set of lines",
            words.decimal,
            "relative_rise",
        ),
        value_column(
            "roughness",
            "total variation of a line beyond that of a single valley, relative to its range: "
            "(sum of |differences| - (first + last - 2 min)) / (max - min), mean over "
            "directions, median over runs; 0 for a line that falls and then rises; depends on "
            "the grid spacing, so compare only equal grids; for the first set of lines",
            words.decimal,
        ),
    ]


def _audit_columns() -> list[TableColumn]:
    definitions = {
        "verdict": "verdict of the audit, without training: trainable, care or untrainable",
        "findings": "codes of the errors and warnings behind the verdict, explained in the section "
        "on the audit",
        "agrees": f"whether training agrees with the audit: {audits.RULE}",
    }
    return [
        value_column(
            "audit" if name == "verdict" else f"audit {name}",
            definition,
            words.or_missing,
            f"audit_{name}",
        )
        for name, definition in definitions.items()
    ]

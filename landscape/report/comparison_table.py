"""The columns of the comparison, with their definitions, for the page and the files."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from landscape.compare.intervals import FEWEST, Estimate
from landscape.compare.joint_test import FEWEST_SEEDS, SIGNIFICANT
from landscape.compare.tuning import LEARNS, SUCCEEDS
from landscape.report import words
from landscape.report.audit_agreement import RULE
from landscape.report.comparison_row import Row
from landscape.report.comparison_texts import reached_text, swept_text
from landscape.report.loss_rows import LEARNS_ROOM
from landscape.report.number_texts import (
    ends_text,
    estimate_text,
    outcome_text,
    rate_text,
    tolerance_text,
)
from landscape.report.pair_tests import Pair
from landscape.report.sentences import MENTION_DEAD_EXAMPLES, MENTION_DEAD_UNITS, MENTION_STEPS
from landscape.report.sweep_numbers import TRIALS, SweepNumbers
from landscape.report.tables import Shown, TableColumn

_FINDING = (
    f"a summary of the row by fixed rules. A loss learns if its gain is at least {LEARNS:g} and it "
    f"closes at least {LEARNS_ROOM:.0%} of the gap between the untrained model and a perfect "
    "value. Better and worse are by the joint test, equivalent is by the margin. The summary "
    f"mentions dead units from {MENTION_DEAD_UNITS:.0%} up, dead examples from "
    f"{MENTION_DEAD_EXAMPLES:.0%} up, vanishing and exploding gradients from "
    f"{MENTION_STEPS:.0%} of the steps up, and overfitting if the metric falls by more than the "
    "margin after the best step and the interval of the fall is above 0"
).replace("%", " %")


def columns(rows: Sequence[Row], swept: Sequence[str]) -> list[TableColumn[Row]]:
    """Returns the columns of the full comparison, which are shown unless every row is empty."""
    first = rows[0]
    metric = words.metric_label(first.metric)
    return [
        _column("loss", "label of the loss", lambda row: row.loss),
        *(_swept_column(key) for key in swept),
        *_outcome_columns(metric),
        *(_metric_column(name) for name in first.other_metrics),
        *_rate_columns(metric),
        *_pair_columns(metric),
        *_target_columns(metric),
        *(_sweep_columns(metric) if any(row.sweep for row in rows) else ()),
        *_gradient_columns(),
        *_slice_columns(),
        *(_audit_columns() if first.audit is not None else ()),
        _column("finding", _FINDING, lambda row: row.finding),
    ]


def _column(
    heading: str,
    definition: str,
    value: Callable[[Row], Any],
    to_text: Callable[[Any], str] = str,
    shown: Shown = "always",
) -> TableColumn[Row]:
    return TableColumn(heading, definition, lambda row: to_text(value(row)), shown=shown)


def _swept_column(key: str) -> TableColumn[Row]:
    return _column(key, "value of the swept option", lambda row: row.swept.get(key), swept_text)


def _metric_column(name: str) -> TableColumn[Row]:
    label = words.metric_label(name)
    definition = f"mean of the final {label}, as the metric that judges"
    heading = f"{label} [95 % CI]"
    return _column(heading, definition, lambda row: row.other_metrics[name], outcome_text)


def _outcome_columns(metric: str) -> list[TableColumn[Row]]:
    return [
        _column(
            f"{metric} [95 % CI]",
            f"mean over seeds of the final {metric}, on the test split if it was measured, and its "
            f"95 % interval: Student's t, corrected for skewness (Hall 1992). Below {FEWEST} seeds "
            "there is no interval, and the lowest and the highest seed are shown in parentheses. A "
            "diverged run counts with the value of its untrained model, and a failed run does not "
            "count",
            lambda row: row.estimate,
            outcome_text,
        ),
        _column("seeds", "number of runs that count", lambda row: row.estimate.seeds, words.count),
        _column(
            "does not learn",
            f"share of the runs that diverged or whose gain is below {LEARNS:g}, and its 95 % "
            "interval (Wilson 1927)",
            lambda row: row.gain.failures,
            rate_text,
        ),
        _column(
            "success",
            f"share of the runs whose gain is at least {SUCCEEDS:g}, and its 95 % interval "
            "(Wilson 1927)",
            lambda row: row.gain.success,
            rate_text,
        ),
        _column(
            "gain",
            f"mean over the runs of (M - M0) / (M_ref - M0): M the final {metric} of the run, "
            "M_ref and M0 the mean over the runs of the reference, trained and untrained; 0 for a "
            "run that diverged",
            lambda row: row.gain.mean,
            words.decimal,
        ),
    ]


def _rate_columns(metric: str) -> list[TableColumn[Row]]:
    return [
        _column(
            "diverged",
            "share of the counted runs in which the risk or a gradient became NaN or infinite",
            lambda row: row.states.diverged,
            words.percentage,
        ),
        _column(
            "failed",
            "number of runs that ended with an error",
            lambda row: row.states.failed,
            words.count,
            "nonzero",
        ),
        _column(
            "unfinished",
            "number of runs that have not finished",
            lambda row: row.states.unfinished,
            words.count,
            "nonzero",
        ),
        _column(
            "lost after best step",
            f"{metric} on the test split at the best step minus that at the last step, mean over "
            "the runs with its 95 % interval; the best step is chosen on the evaluation split",
            lambda row: row.best_step.lost,
            estimate_text,
        ),
        _column(
            "best step",
            f"recorded step with the best {metric} on the evaluation split, median over runs",
            lambda row: row.best_step.step,
            words.count,
        ),
    ]


def _pair_columns(metric: str) -> list[TableColumn[Row]]:
    return [
        _column(
            "reference",
            "the row with which this row is compared",
            lambda row: row.gain.reference,
            words.or_missing,
        ),
        _pair_column(
            "difference [95 % CI]",
            f"mean difference of the final {metric} to the reference, paired by seed, with an "
            "interval that holds for all pairs of rows simultaneously",
            lambda pair: estimate_text(Estimate(pair.difference, pair.low, pair.high)),
        ),
        _pair_column(
            "joint p",
            "two-sided step-down max-t permutation test of all pairs of rows, in which whole "
            f"seeds are flipped: the chance that equal losses give any p of at most {SIGNIFICANT} "
            f"is about 5 %. With n seeds p is at least 2/2^n: {FEWEST_SEEDS} seeds are needed",
            lambda pair: words.decimal(pair.p),
        ),
        _pair_column(
            "corrected 95 % CI",
            "interval of the difference for other samples of the same size (Nadeau and Bengio "
            "2003): seeds split one pool of examples, so their differences are not independent; "
            "of this pair alone",
            lambda pair: ends_text(pair.corrected.low, pair.corrected.high),
        ),
        _pair_column(
            "verdict",
            "worse or better: joint p is at most 0.05. equivalent: the interval of the difference "
            "lies within the margin. rates differ: the rows fail in different numbers of runs, "
            "so that no test of means is right. undecided: none of these",
            lambda pair: pair.verdict,
        ),
    ]


def _pair_column(heading: str, definition: str, to_text: Callable[[Pair], str]) -> TableColumn[Row]:
    """Returns a column about the pair with the reference; a dash in rows that have none."""

    def text(pair: Pair | None) -> str:
        return words.MISSING if pair is None else to_text(pair)

    return _column(heading, definition, lambda row: row.joint.pair, text)


def _target_columns(metric: str) -> list[TableColumn[Row]]:
    return [
        TableColumn(
            "reached",
            f"number of runs whose {metric} on the evaluation split met the target at two "
            "successive records, out of the runs that count; runs that diverged are excluded",
            reached_text,
        ),
        _column(
            "steps",
            "first of these records, median over all runs: a run that never meets the target is "
            "later than all others (Kaplan and Meier 1958); undefined if fewer than half meet it",
            lambda row: row.target.steps,
            words.count,
        ),
        _column(
            "steps per success",
            "training steps of all runs, each until it met the target or ended, divided by the "
            "number of runs that met it",
            lambda row: row.target.expected_steps,
            lambda value: words.count(round(value)) if math.isfinite(value) else words.MISSING,
        ),
    ]


def _sweep_columns(metric: str) -> list[TableColumn[Row]]:
    return [
        _sweep_column(
            "trials",
            "number of points of the sweep of this loss",
            lambda sweep: words.count(sweep.trials),
        ),
        _sweep_column(
            "tolerance (decades)",
            "width of the connected interval of learning rates around the best one at which the "
            "loss gains at least 95 % of its own best gain, linear in the logarithm of the rate, "
            "with a 95 % bootstrap interval over seeds; > if an end of the grid cuts it off",
            lambda sweep: tolerance_text(sweep.tolerance),
        ),
        *(_best_of_column(index, k, metric) for index, k in enumerate(TRIALS)),
    ]


def _best_of_column(index: int, k: int, metric: str) -> TableColumn[Row]:
    return _sweep_column(
        f"best of {k}",
        f"expected best mean {metric} of {k} points drawn from the sweep of this loss "
        "(Dodge et al. 2019)",
        lambda sweep: words.decimal(sweep.best_of[index]),
    )


def _sweep_column(
    heading: str, definition: str, to_text: Callable[[SweepNumbers], str]
) -> TableColumn[Row]:
    """Returns a column about a sweep; a dash in rows of a condition without one."""

    def text(sweep: SweepNumbers | None) -> str:
        return words.MISSING if sweep is None else to_text(sweep)

    return _column(heading, definition, lambda row: row.sweep, text)


def _gradient_columns() -> list[TableColumn[Row]]:
    return [
        _column(
            "gradient norm, start",
            "Euclidean norm of the batch gradient of the risk before the first update, "
            "median over runs; in the loss's own units",
            lambda row: row.gradients.start,
            words.scientific,
        ),
        _column(
            "gradient norm, end",
            "the same at the last recorded step with a finite norm",
            lambda row: row.gradients.end,
            words.scientific,
        ),
        _column(
            "vanishing",
            "share of the steps with a mean absolute gradient below the threshold of the "
            "experiment, median over runs",
            lambda row: row.gradients.vanishing,
            words.percentage,
        ),
        _column(
            "exploding",
            "share of the steps with a gradient norm above the threshold of the experiment, "
            "median over runs",
            lambda row: row.gradients.exploding,
            words.percentage,
        ),
        *(_dead_column(name, text) for name, text in words.DEAD.items()),
    ]


def _dead_column(name: str, meaning: str) -> TableColumn[Row]:
    definition = f"{meaning}; last recorded value, median over runs"
    return _column(f"dead {name}", definition, lambda row: row.dead[name], words.percentage)


def _slice_columns() -> list[TableColumn[Row]]:
    return [
        _column(
            "relative rise",
            "rise of the risk from the trained point to the ends of its lines, relative to the "
            "decrease achieved by training: (mean of both ends - center) / (initial risk "
            "- center), mean over directions, median over runs; 1 undoes all of the training; "
            "undefined if training did not decrease the risk; for the first set of lines",
            lambda row: row.slice.relative_rise,
            words.decimal,
        ),
        _column(
            "roughness",
            "total variation of a line beyond that of a single valley, relative to its range: "
            "(sum of |differences| - (first + last - 2 min)) / (max - min), mean over "
            "directions, median over runs; 0 for a line that falls and then rises; depends on "
            "the grid spacing, so compare only equal grids; for the first set of lines",
            lambda row: row.slice.roughness,
            words.decimal,
        ),
    ]


def _audit_columns() -> list[TableColumn[Row]]:
    return [
        _column(
            "audit",
            "verdict of the audit, without training: trainable, care or untrainable",
            lambda row: row.audit and row.audit.verdict,
            words.or_missing,
        ),
        _column(
            "audit findings",
            "codes of the errors and warnings behind the verdict, explained in the section on the "
            "audit",
            lambda row: row.audit and row.audit.findings,
            words.or_missing,
        ),
        _column(
            "audit agrees",
            f"whether training agrees with the audit: {RULE}",
            lambda row: row.audit and row.audit.agrees,
            words.or_missing,
        ),
    ]

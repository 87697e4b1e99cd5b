"""Compares losses: one row of raw numbers per loss and point of the sweep."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.compare.margins import margin_of
from landscape.errors import last_line
from landscape.report import audits, check_results, other_metrics, words
from landscape.report.best_step import best_step_columns
from landscape.report.learning_rates import rate_columns
from landscape.report.loss_rows import (
    LossRow,
    best_row,
    derived_target,
    gain_columns,
    loss_rows,
    summary_columns,
    target_columns,
)
from landscape.report.pair_tests import pair_columns
from landscape.report.results import Results
from landscape.report.sentences import sentence
from landscape.report.sweep_numbers import sweep_columns

# Columns that only the sentence needs.
_INTERNAL = (
    "unreadable",
    "runs",
    "rivals",
    "compared",
    "top",
    "reference_failures",
    "reference_runs",
    "rates",
    "rate_learns",
)


def compare(results: Results, rows: Sequence[LossRow] | None = None) -> pd.DataFrame:
    """Returns one row per loss and point of the sweep: numbers over seeds and their summary.

    docs/definitions.md defines the columns. Rows are compared with the reference loss, at its best
    point under the same condition: see `LossRow`. `rows` are `loss_rows(results)`, if known.
    """
    rows = loss_rows(results) if rows is None else rows
    columns: dict[str, dict[str, Any]] = {}
    for group in conditions(rows):
        columns |= _condition_columns(results, group)
    table = pd.DataFrame([_table_row(results, row, columns[row.name]) for row in rows])
    for key in results.swept:  # whole numbers stay whole beside losses without the option
        table[key] = pd.Series([row.swept.get(key, np.nan) for row in rows], dtype=object)
        table[key] = table[key] if table[key].isna().any() else table[key].infer_objects()
    return table.drop(columns=list(_INTERNAL))


def conditions(rows: Sequence[LossRow]) -> list[list[LossRow]]:
    """Returns the rows by condition."""
    groups: dict[str, list[LossRow]] = {}
    for row in rows:
        groups.setdefault(row.condition, []).append(row)
    return list(groups.values())


def reference_row(results: Results, rows: Sequence[LossRow]) -> LossRow:
    """Returns the best row of the reference loss, else the first row if it has none."""
    return best_row([row for row in rows if row.loss == results.reference] or rows[:1])


def target_of(results: Results, reference: LossRow) -> float:
    """Returns the target of the config, else 95 % of the gain of the reference; may be NaN."""
    if results.settings is not None and results.settings.target is not None:
        return results.settings.target
    return derived_target(reference)


def margin(results: Results, reference: LossRow) -> float:
    """Returns the margin within which two losses are equivalent, in the unit of the metric."""
    compared = results.settings and results.settings.compare
    configured = compared.margin if compared else None
    return margin_of(words.metric_kind(results.metric), configured, reference.value)


def _condition_columns(results: Results, rows: Sequence[LossRow]) -> dict[str, dict[str, Any]]:
    """Returns the columns of each row under one condition, by name."""
    reference = reference_row(results, rows)
    target, width = target_of(results, reference), margin(results, reference)
    pairs = pair_columns(rows, reference, width)
    rates = rate_columns(results, rows, reference)
    numbers = sweep_columns(rows)
    return {
        row.name: summary_columns(row)
        | {"name": row.name}
        | gain_columns(row, reference)
        | target_columns(row, target)
        | best_step_columns(row)
        | pairs[row.name]
        | {"margin": width}
        | rates[row.name]
        | numbers[row.loss]
        for row in rows
    }


def _table_row(results: Results, row: LossRow, columns: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"loss": row.loss}
    values |= {key: row.swept.get(key) for key in results.swept}
    values |= columns | check_results.columns(row.runs)
    values |= other_metrics.cells(row.counted, results.other_metrics)
    if audited(results):
        values |= audits.columns(audits.of(run.audit for run in row.runs))
        values["audit_agrees"] = audits.agrees(values["audit_verdict"], values)
    errors = [last_line(run.error) for run in row.runs if run.error]
    return values | {"finding": sentence(values, errors[0] if errors else "")}


def audited(results: Results) -> bool:
    """Returns whether any run has an audit."""
    return any(run.audit is not None for run in results.runs)


def best_points(table: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per loss, best first: its point of the sweep with the best mean."""
    return best_first(table).drop_duplicates("loss", ignore_index=True)


def shown_points(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows to show, best first: all of them, or `best_points` if there are too many."""
    if len(table) <= words.MOST_POINTS:
        return best_first(table)
    return best_points(table)


def best_first(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows in the order of their means."""
    ascending = not bool(table["higher_is_better"].iloc[0])
    return table.sort_values("value", ascending=ascending, kind="stable", ignore_index=True)


def steps_to_target(rows: Sequence[LossRow], table: pd.DataFrame) -> dict[str, float]:
    """Returns the step at which each counted run reached the target of its row, by name of run."""
    return {
        run.name: float(step)
        for row, target in zip(rows, table["target"], strict=True)
        for run, step in zip(row.counted, row.steps_to_target(target), strict=True)
    }

"""Compares losses: one row of numbers per loss and point of the sweep."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from landscape.compare.margins import margin_of
from landscape.errors import last_line
from landscape.report import audit_agreement, audits, check_results, words
from landscape.report.best_step import best_step_of
from landscape.report.comparison_row import Row, frame
from landscape.report.learning_rates import rate_grids, row_rate
from landscape.report.loss_rows import (
    LossRow,
    SliceShape,
    best_row,
    derived_target,
    gain_of,
    gradients,
    loss_rows,
    run_states,
    target_reached,
)
from landscape.report.pair_tests import joint_results
from landscape.report.results import Results
from landscape.report.run_measures import outcomes_by_metric
from landscape.report.sentences import sentence
from landscape.report.statistics import seed_estimate
from landscape.report.sweep_numbers import sweep_numbers


def compare(results: Results) -> list[Row]:
    """Returns one row per loss and point of the sweep, losses in the order of the config.

    Rows are compared with the reference loss, at its best point under the same condition: see
    `LossRow`.
    """
    loss_runs = loss_rows(results)
    rows: dict[str, Row] = {}
    for group in conditions(loss_runs):
        rows |= {row.name: row for row in _rows(results, group)}
    return [rows[runs.name] for runs in loss_runs]


def comparison_frame(results: Results) -> pd.DataFrame:
    """Returns the comparison of all points of the sweep as a table of raw numbers."""
    return frame(compare(results), results.swept)


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


def _rows(results: Results, group: Sequence[LossRow]) -> list[Row]:
    """Returns the rows under one condition."""
    reference = reference_row(results, group)
    target, width = target_of(results, reference), margin(results, reference)
    joint = joint_results(group, reference, width)
    grids = rate_grids(results, group, reference)
    numbers = sweep_numbers(group)
    with_audits = any(run.audit is not None for run in results.runs)
    return [
        _finished(
            Row(
                runs=runs,
                estimate=seed_estimate(runs.outcomes),
                start=runs.start,
                states=run_states(runs),
                gradients=gradients(runs),
                dead={name: runs.median(f"dead_{name}") for name in words.DEAD},
                slice=SliceShape(runs.median("relative_rise"), runs.median("roughness")),
                gain=gain_of(runs, reference),
                target=target_reached(runs, target),
                best_step=best_step_of(runs),
                joint=joint[runs.name],
                margin=width,
                rate=row_rate(runs),
                rates=grids[runs.loss],
                sweep=numbers.get(runs.loss),
                checks_failed=check_results.failed_text(runs.runs),
                other_metrics=outcomes_by_metric(runs.counted, results.other_metrics),
            ),
            with_audits,
        )
        for runs in group
    ]


def _finished(row: Row, with_audits: bool) -> Row:
    """Returns the row with its audit, if any run has one, and its finding."""
    errors = [last_line(run.error) for run in row.runs.runs if run.error]
    row = replace(row, finding=sentence(row, errors[0] if errors else ""))
    if not with_audits:
        return row
    audit = audits.answer(audits.of(run.audit for run in row.runs.runs))
    agrees = audit_agreement.agrees(audit.verdict, learns=row.gain.learns, runs=row.estimate.seeds)
    return replace(row, audit=audit._replace(agrees=agrees))


def best_points(rows: Sequence[Row]) -> list[Row]:
    """Returns one row per loss, best first: its point of the sweep with the best mean."""
    best: dict[str, Row] = {}
    for row in best_first(rows):
        best.setdefault(row.loss, row)
    return list(best.values())


def shown_points(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows to show, best first: all of them, or `best_points` if there are too many."""
    return best_first(rows) if len(rows) <= words.MOST_POINTS else best_points(rows)


def best_first(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows in the order of their means, those without one last."""

    def rank(row: Row) -> tuple[bool, float]:
        value = float(row.runs.oriented(row.estimate.value))
        return math.isnan(value), -value

    return sorted(rows, key=rank)

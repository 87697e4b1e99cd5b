"""What a report states of looks at parameters that were trained elsewhere: one row per look.

Nothing was trained here, so there are no seeds, no reference and no target: the numbers of a look
stand for themselves, and no test compares them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from landscape.config import look_settings
from landscape.errors import counted
from landscape.report import audits, check_results, curvature_table, words
from landscape.report.figures.view import View
from landscape.report.loss_rows import loss_rows
from landscape.report.page_tables import PageTable, page_table
from landscape.report.results import Results, StoredRun
from landscape.report.tables import (
    ReportTable,
    TableColumn,
    file_column,
    report_table,
    value_column,
)

RISK, NORM = "risk/evaluation", "gradient_norm/global"
_FEW = 0.01  # share of dead units that is worth a clause
TITLE = "What was looked at"
# Introductions of sections of the page, which differ from those of trainings.
INTRODUCTIONS = {
    "curvature": "The eigenvalues of the Hessian of the risk describe all directions at once; a "
    "slice shows one or two.",
    "geometry": "The shape of lines and planes in numbers that do not depend on the units of the "
    "loss: means over directions. Compare only rows of the same set.",
    "numbers": "The same numbers are files in the folder of this page: tables (csv with raw "
    "numbers, md, tex), figures (csv, png, pdf), results.csv and results.parquet (one row per "
    "look).",
}


@dataclass(frozen=True)
class LookRow:
    """The numbers of one look, NaN where they were not measured."""

    label: str
    run: StoredRun
    metrics: Mapping[str, float]
    risk: float
    initial_risk: float
    gradient_norm: float
    dead_units: float
    largest: float
    smallest: float
    parameters: float
    checks_failed: str

    @property
    def finding(self) -> str:
        """What was looked at, and what is remarkable."""
        return "; ".join(_clauses(self))


def rows(results: Results) -> list[LookRow]:
    """Returns one row per look, in the order of the config."""
    looks = [row for row in loss_rows(results) if row.counted]
    return [_row(look.name, look.counted[0], results.metrics) for look in looks]


def _row(label: str, run: StoredRun, metrics: Sequence[str]) -> LookRow:
    hessian = curvature_table.run_measures(run)
    parameters = None if run.summary is None else run.summary.parameters
    return LookRow(
        label=label,
        run=run,
        metrics={name: run.last(name) for name in metrics},
        risk=run.last(RISK),
        initial_risk=run.first(RISK) if len(run.trace) > 1 else np.nan,
        gradient_norm=run.last(NORM),
        dead_units=run.last("dead/units"),
        largest=hessian.get("hessian/largest", np.nan),
        smallest=hessian.get("hessian/smallest", np.nan),
        parameters=np.nan if parameters is None else parameters,
        checks_failed=check_results.failed_text([run]),
    )


def _clauses(row: LookRow) -> Iterator[str]:
    """Yields what is worth a sentence of a look."""
    if row.run.summary is not None and row.run.summary.point:
        yield row.run.summary.point
    if row.gradient_norm == 0:
        yield "the gradient is exactly zero"
    if not math.isnan(row.initial_risk):
        yield f"the risk was {words.decimal(row.initial_risk)} before training"
    if not math.isnan(row.largest):
        ends = f"{words.decimal(row.smallest)} to {words.decimal(row.largest)}"
        yield f"eigenvalues of the Hessian from {ends}"
    if row.dead_units >= _FEW:
        yield f"{words.percent(row.dead_units)} % of the units are dead"
    if audit := audits.answer(row.run.audit).line:
        yield audit
    if row.checks_failed:
        yield f"check failed: {row.checks_failed} (see Checks)"


def columns(metrics: Sequence[str]) -> list[TableColumn[LookRow]]:
    """Returns the columns of the table of looks, with their definitions."""
    return [
        value_column("look", "label of the look", lambda row: row.label),
        value_column(
            "risk",
            "mean of the loss over the data, in its own units",
            lambda row: row.risk,
            words.decimal,
        ),
        *(_metric_column(name) for name in metrics),
        value_column(
            "gradient",
            "Euclidean norm of the gradient of the risk in the parameters that move",
            lambda row: row.gradient_norm,
            words.decimal,
            name="gradient_norm",
        ),
        value_column(
            "dead units %",
            "share of the units for which the gradients of all incoming weights are zero",
            lambda row: row.dead_units,
            words.percent,
            name="dead_units",
        ),
        value_column(
            "λ max",
            "largest eigenvalue of the Hessian of the risk",
            lambda row: row.largest,
            words.decimal,
            name="largest",
        ),
        value_column(
            "λ min",
            "smallest eigenvalue of it",
            lambda row: row.smallest,
            words.decimal,
            name="smallest",
        ),
        value_column(
            "parameters",
            "number of parameters that move",
            lambda row: row.parameters,
            words.count,
        ),
        file_column(
            lambda row: {"initial_risk": row.initial_risk, "checks_failed": row.checks_failed}
        ),
        value_column(
            "finding", "what was looked at, and what is remarkable", lambda row: row.finding
        ),
    ]


def _metric_column(name: str) -> TableColumn[LookRow]:
    label = words.metric_label(name)
    return TableColumn(
        label,
        f"the metric {label} on the data",
        lambda row: words.metric_number(name, row.metrics[name]),
        lambda row: {name: row.metrics[name]},
    )


def texts(results: Results) -> pd.DataFrame:
    """Returns the table of looks as texts, for a terminal or a notebook."""
    return table(results).texts


def table(results: Results) -> ReportTable:
    """Returns the table of looks."""
    return report_table("looks", "Looks", "numbers", columns(results.metrics), rows(results))


def table_of_looks(table: ReportTable) -> ReportTable:
    """Returns a table of losses as one of looks: without seeds and columns that no look fills."""
    filled = (table.texts != words.MISSING).any()
    kept = [
        number
        for number, column in enumerate(table.columns)
        if column.heading != "seeds" and filled.iloc[number]
    ]
    columns = [table.columns[number] for number in kept]
    columns = [
        replace(c, heading="look", definition="label of the look") if c.heading == "loss" else c
        for c in columns
    ]
    texts = table.texts.iloc[:, kept].set_axis([c.heading for c in columns], axis=1)
    return replace(table, columns=columns, texts=texts)


def first_table(results: Results, view: View) -> PageTable:
    """Returns the table of looks on the first screen of the page, without the findings."""
    shown = page_table(table_of_looks(table(results)), omitted=("finding",))
    colors = [view.styles[row.label].color for row in rows(results)]
    return shown._replace(total=0, colors=colors)


def conclusions(results: Results) -> list[str]:
    """Returns a sentence per look: what was looked at, and what is remarkable."""
    return [f"{row.label}: {row.finding or 'nothing is remarkable'}." for row in rows(results)]


def notes(results: Results) -> list[str]:
    """Returns the notes of a page of looks as sentences."""
    texts = [
        "Nothing was trained: each look measures around parameters that were passed. Only the "
        "parameters that move are varied; the state of a model, such as batch statistics, stays as "
        "it was passed.",
        _batch_statistics(results),
        _calls(results),
    ]
    if len(results.losses) > 1:
        texts.append(
            "Risks of different losses or data have different units: compare looks by a metric, by "
            "shapes, and by measures without a unit."
        )
    return [text for text in texts if text]


def _batch_statistics(results: Results) -> str:
    kinds = {run.summary.batch_statistics for run in results.runs if run.summary} - {None}
    if kinds == {"recomputed"}:
        return "Batch statistics are recomputed at every point, from each evaluation batch."
    return "Batch statistics are frozen as they were passed." if kinds == {"frozen"} else ""


def _calls(results: Results) -> str:
    calls = {run.loss: run.summary.loss_call for run in results.runs if run.summary is not None}
    texts = [f"{label} as {call}" for label, call in calls.items() if call]
    return f"How losses are called: {'; '.join(texts)}." if texts else ""


def data_sentences(results: Results) -> list[str]:
    """Returns the data of each look; those of looks with the same data once."""
    labels: dict[str, list[str]] = {}
    for run in results.runs:
        if run.summary is not None and run.summary.data is not None:
            labels.setdefault(run.summary.data.description, []).append(run.loss)
    if len(labels) == 1:
        return [f"{description}." for description in labels]
    return [f"{words.listed(names)}: {description}." for description, names in labels.items()]


def facts(results: Results) -> list[str]:
    """Returns the facts below the title: what was looked at, and how many looks there are."""
    return [f"{counted(len(results.runs), 'look')} at parameters that were trained elsewhere"]


def is_setting(key: str) -> bool:
    """Returns whether a setting of the config, by its dotted key, has a meaning for looks."""
    return key.partition(".")[0].partition("[")[0] not in look_settings.OF_TRAINING

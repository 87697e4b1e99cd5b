"""What a report states of looks at parameters that were trained elsewhere: one row per look.

Nothing was trained here, so there are no seeds, no reference and no target: the numbers of a look
stand for themselves, and no test compares them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.config import look_settings
from landscape.errors import counted
from landscape.report import check_results, curvature_table, words
from landscape.report.figures.view import View
from landscape.report.page_tables import PageColumn, PageTable, cells
from landscape.report.results import Results, StoredRun
from landscape.report.tables import ReportTable, TableColumn, value_column

RISK, NORM = "risk/evaluation", "gradient_norm/global"
_FEW = 0.01  # share of dead units that is worth a clause


def are_looks(results: Results) -> bool:
    """Returns whether the folder has looks, not trainings."""
    return any(run.status == "looked" for run in results.runs)


def table(runs: Mapping[str, Sequence[StoredRun]], metrics: Sequence[str]) -> pd.DataFrame:
    """Returns one row per look: risk, metrics, gradient, dead units, curvature, finding."""
    return pd.DataFrame([_row(label, looks[0], metrics) for label, looks in runs.items()])


def _row(label: str, run: StoredRun, metrics: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"look": label, "risk": run.last(RISK)}
    row |= {name: run.last(name) for name in metrics}
    row |= {"gradient_norm": run.last(NORM), "dead_units": run.last("dead/units")}
    hessian = curvature_table.run_measures(run)
    row |= {name: hessian.get(f"hessian/{name}", np.nan) for name in ("largest", "smallest")}
    summary = run.summary
    row["parameters"] = np.nan if summary is None else summary.parameters
    row["initial_risk"] = run.first(RISK) if len(run.trace) > 1 else np.nan
    row |= check_results.columns([run])
    return row | {"finding": "; ".join(_clauses(run, row))}


def _clauses(run: StoredRun, row: Mapping[str, Any]) -> Iterator[str]:
    """Yields what is worth a sentence of a look."""
    if run.summary is not None and run.summary.point:
        yield run.summary.point
    if row["gradient_norm"] == 0:
        yield "the gradient is exactly zero"
    if not math.isnan(row["initial_risk"]):
        yield f"the risk was {words.decimal(row['initial_risk'])} before training"
    if not math.isnan(row["largest"]):
        ends = f"{words.decimal(row['smallest'])} to {words.decimal(row['largest'])}"
        yield f"eigenvalues of the Hessian from {ends}"
    if row["dead_units"] >= _FEW:
        yield f"{words.percent(row['dead_units'])} % of the units are dead"
    if row["checks_failed"]:
        yield f"check failed: {row['checks_failed']} (see Checks)"


def columns(metrics: Sequence[str]) -> list[TableColumn]:
    """Returns the columns of the table of looks, with their definitions."""
    return [
        value_column("look", "label of the look"),
        value_column("risk", "mean of the loss over the data, in its own units", words.decimal),
        *(_metric_column(name) for name in metrics),
        value_column(
            "gradient",
            "Euclidean norm of the gradient of the risk in the parameters that move",
            words.decimal,
            "gradient_norm",
        ),
        value_column(
            "dead units %",
            "share of the units for which the gradients of all incoming weights are zero",
            words.percent,
            "dead_units",
        ),
        value_column(
            "λ max", "largest eigenvalue of the Hessian of the risk", words.decimal, "largest"
        ),
        value_column("λ min", "smallest eigenvalue of it", words.decimal, "smallest"),
        value_column("parameters", "number of parameters that move", words.count),
        value_column("finding", "what was looked at, and what is remarkable"),
    ]


def _metric_column(name: str) -> TableColumn:
    return TableColumn(
        words.metric_label(name),
        lambda row: words.metric_number(name, row[name]),
        f"the metric {words.metric_label(name)} on the data",
    )


def texts(runs: Mapping[str, Sequence[StoredRun]], metrics: Sequence[str]) -> pd.DataFrame:
    """Returns the table of looks as texts, for a terminal or a notebook."""
    rows = table(runs, metrics)
    return ReportTable("looks", "Looks", "numbers", columns(metrics), rows, rows).texts


def page_table(rows: pd.DataFrame, metrics: Sequence[str], view: View) -> PageTable:
    """Returns the table of looks on the first screen of the page, without the findings."""
    shown = [column for column in columns(metrics) if column.heading != "finding"]
    texts = [[column.text(row) for column in shown] for _, row in rows.iterrows()]
    headings = [PageColumn(column.heading, column.definition) for column in shown]
    colors = [view.styles[name].color for name in rows["look"]]
    return PageTable("looks", "Looks", headings, cells(texts), 0, colors)


def conclusions(rows: pd.DataFrame) -> list[str]:
    """Returns a sentence per look: what was looked at, and what is remarkable."""
    return [
        f"{row['look']}: {row['finding'] or 'nothing is remarkable'}." for _, row in rows.iterrows()
    ]


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

"""The table of runs: one tidy row per run, with its settings, its status, and every measure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.errors import last_line
from landscape.report import audits, check_results, curvature_table
from landscape.report.comparison_row import Row
from landscape.report.results import Results, StoredRun
from landscape.report.run_measures import run_measures


def run_table(results: Results, rows: Sequence[Row]) -> pd.DataFrame:
    """Returns one row per run; `rows` of the comparison have the measures and targets of runs."""
    measures = {run.name: run_row for row in rows for run, run_row in _measures(row)}
    audited = any(run.audit is not None for run in results.runs)
    table = pd.DataFrame([_row(results, run, measures, audited) for run in results.runs])
    table["seed"] = table["seed"].astype("Int64")
    return table


def _measures(row: Row) -> list[tuple[StoredRun, Mapping[str, float]]]:
    """Returns the measures of each counted run, and the step at which it reached the target."""
    runs = row.runs
    steps = runs.steps_to_target(row.target.value)
    return [
        (run, {**measures, "steps_to_target": float(step)})
        for run, measures, step in zip(runs.counted, runs.measures, steps, strict=True)
    ]


def _without_target(run: StoredRun, metric: str) -> Mapping[str, float]:
    """Returns the measures of a run that no row compares."""
    return {**run_measures(run, metric), "steps_to_target": np.nan}


def _row(
    results: Results, run: StoredRun, measures: Mapping[str, Mapping[str, float]], audited: bool
) -> dict[str, Any]:
    row: dict[str, Any] = {"run": run.name, "loss": run.loss, "seed": run.seed}
    row |= {key: run.swept.get(key) for key in results.swept} | {"status": run.status}
    if run.counted:
        row |= measures.get(run.name) or _without_target(run, results.metric)
        names = ("risk/batch", "risk/evaluation", *(run.summary.metrics if run.summary else ()))
        row |= {name: run.last(name) for name in names if name in run.trace}
        parameters = run.summary and run.summary.parameters
        row["parameters"] = np.nan if parameters is None else parameters
        row |= curvature_table.run_measures(run)
        row["checks_failed"] = check_results.failed_text([run])
    if audited:
        answer = audits.answer(run.audit)
        row |= {"audit_verdict": answer.verdict, "audit_findings": answer.findings}
    return row | {"error": last_line(run.error) or run.problem}

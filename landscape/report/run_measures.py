"""Numbers of one run: outcome, gradients, dead shares, shape of lines; and the table of runs."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from landscape.errors import last_line
from landscape.numerics.geometry import relative_rise, roughness
from landscape.report import audits, check_results, curvature_table, words
from landscape.report.results import Results, StoredRun
from landscape.report.sets import labels
from landscape.report.statistics import SeedEstimate, mean, seed_estimate

GRADIENT = "gradient_norm/global"


def run_measures(run: StoredRun, metric: str) -> dict[str, float]:
    """Returns the measures of one run that has a trace, by name."""
    steps = max(float(run.column("step")[-1]), 1.0)
    measures = {
        "outcome": run.outcome(metric),
        "start": run.untrained(metric),
        "diverged_step": run.diverged_step,
        "gradient_start": run.first(GRADIENT),
        "gradient_end": run.last(GRADIENT),
        "zero_gradient": _zero_gradient(run, steps),
        "vanishing": _share_of_steps(run, "steps/vanishing", steps),
        "exploding": _share_of_steps(run, "steps/exploding", steps),
    }
    measures |= {f"dead_{name}": run.last(f"dead/{name}") for name in words.DEAD}
    return measures | slice_measures(run)


def outcomes_by_metric(
    runs: Iterable[StoredRun], metrics: Iterable[str]
) -> dict[str, SeedEstimate]:
    """Returns the mean outcome of counted runs by each metric."""
    counted = list(runs)
    return {metric: seed_estimate([run.outcome(metric) for run in counted]) for metric in metrics}


def _zero_gradient(run: StoredRun, steps: float) -> float:
    """Returns the share of steps with a zero gradient, of the recorded steps if not counted."""
    counted = _share_of_steps(run, "steps/dead", steps)
    return float(np.mean(run.column(GRADIENT) == 0)) if np.isnan(counted) else counted


def _share_of_steps(run: StoredRun, name: str, steps: float) -> float:
    return min(run.last(name) / steps, 1.0)


def slice_measures(run: StoredRun) -> dict[str, float]:
    """Returns relative rise and roughness of the first lines at the trained point, as means."""
    label = next(iter(labels(run, "lines", ("trained",))), None)
    lines = run.slices.get(f"trained/lines/{label}/risk")
    if lines is None or lines.ndim != 2 or not lines.size:
        return {"relative_rise": np.nan, "roughness": np.nan}
    center = float(run.slices.get("trained/center/risk", np.nan))
    rise = relative_rise(lines, center, run.first("risk/evaluation"))
    return {"relative_rise": mean(rise), "roughness": mean(roughness(lines))}


def run_table(results: Results, steps_to_target: Mapping[str, float]) -> pd.DataFrame:
    """Returns one tidy row per run: its settings, its status, and every measure.

    `steps_to_target` is by the name of the run; see `comparison.steps_to_target`.
    """
    audited = any(run.audit is not None for run in results.runs)
    rows = [_run_row(results, run, steps_to_target, audited) for run in results.runs]
    table = pd.DataFrame(rows)
    table["seed"] = table["seed"].astype("Int64")
    return table


def _run_row(
    results: Results, run: StoredRun, steps_to_target: Mapping[str, float], audited: bool
) -> dict[str, Any]:
    row: dict[str, Any] = {"run": run.name, "loss": run.loss, "seed": run.seed}
    row |= {key: run.swept.get(key) for key in results.swept} | {"status": run.status}
    if run.counted:
        row |= run_measures(run, results.metric)
        row |= {"steps_to_target": steps_to_target.get(run.name, np.nan)}
        names = ("risk/batch", "risk/evaluation", *(run.summary.metrics if run.summary else ()))
        row |= {name: run.last(name) for name in names if name in run.trace}
        parameters = run.summary and run.summary.parameters
        row |= {"parameters": np.nan if parameters is None else parameters}
        row |= curvature_table.run_measures(run) | {
            "checks_failed": check_results.failed_text([run])
        }
    if audited:
        answer = audits.answer(run.audit)
        row |= {"audit_verdict": answer.verdict, "audit_findings": answer.findings}
    return row | {"error": last_line(run.error) or run.problem}

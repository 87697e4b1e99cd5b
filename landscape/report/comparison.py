"""Compares losses: one row of raw numbers per loss and point of the sweep."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.errors import last_line
from landscape.numerics.geometry import relative_rise, roughness
from landscape.report import audits, check_results, curvature_table, statistics, words
from landscape.report.geometry_table import mean
from landscape.report.results import Results, StoredRun
from landscape.report.sentences import sentence
from landscape.report.sets import labels

GRADIENT = "gradient_norm/global"
# If the config sets no target, it is this share of the best loss's interquartile mean.
TARGET_SHARE = 0.95
# Per-run measures whose median over runs the comparison shows.
MEASURES = [
    "diverged_step",
    "gradient_start",
    "gradient_end",
    "zero_gradient",
    "vanishing",
    "exploding",
    *(f"dead_{name}" for name in words.DEAD),
    "relative_rise",
    "roughness",
]


def compare(results: Results) -> pd.DataFrame:
    """Returns one row per loss and point of the sweep: numbers over seeds and their summary."""
    groups = results.groups
    rows = [_row(results, runs) for runs in groups.values()]
    best = _best(rows, results.higher_is_better)
    target = target_value(results, rows)
    losses = [row["loss"] for row in rows]
    for row, runs in zip(rows, groups.values(), strict=True):
        repeated = losses.count(row["loss"]) > 1
        row["name"] = f"{row['loss']} ({point_text(results, runs[0])})" if repeated else row["loss"]
    for row, runs in zip(rows, groups.values(), strict=True):
        row |= _against_target(results, runs, target)
        row |= _against_best(results, row, runs, rows[best], list(groups.values())[best])
        row["rivals"] = sum(other["seeds"] > 0 for other in rows) - 1
        row["ties"] = sum(other["value"] == row["value"] for other in rows) - 1
        row |= check_results.columns(runs)
        if audited(results):
            row |= audits.columns(audits.of(run.audit for run in runs))
            row["audit_agrees"] = audits.agrees(row["audit_verdict"], row)
        errors = [last_line(run.error) for run in runs if run.error]
        row["finding"] = sentence(row, errors[0] if errors else "")
    table = pd.DataFrame(rows).drop(columns=["rivals", "ties", "unreadable"])
    table.insert(len(table.columns) - 1, "finding", table.pop("finding"))
    return table


def audited(results: Results) -> bool:
    """Returns whether any run has an audit."""
    return any(run.audit is not None for run in results.runs)


def best_points(table: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per loss, best first: its sweep point with the best interquartile mean."""
    return best_first(table).drop_duplicates("loss", ignore_index=True)


def shown_points(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows to show, best first: all of them, or `best_points` if there are too many."""
    if len(table) <= words.MOST_POINTS:
        return best_first(table)
    return best_points(table)


def best_first(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows in the order of their interquartile means."""
    ascending = not bool(table["higher_is_better"].iloc[0])
    return table.sort_values("value", ascending=ascending, kind="stable", ignore_index=True)


def point_text(results: Results, run: StoredRun) -> str:
    """Formats the swept values; keys are shortened to their last word if that is unambiguous."""
    last_words = [key.rsplit(".", 1)[-1] for key in results.swept]
    names = last_words if len(set(last_words)) == len(last_words) else results.swept
    values = map(run.swept.get, results.swept)
    return ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def target_value(results: Results, rows: Sequence[dict[str, Any]]) -> float:
    """Returns the target of the config, else 95 % of the best interquartile mean, else NaN.

    It is NaN if lower is better, or if an untrained model already meets it.
    """
    if results.settings is not None and results.settings.target is not None:
        return results.settings.target
    best = rows[_best(rows, results.higher_is_better)]
    target = TARGET_SHARE * best["value"]
    reachable = results.higher_is_better and target > max(best["start"], 0.0)
    return target if reachable else np.nan


def run_measures(run: StoredRun, metric: str) -> dict[str, float]:
    """Returns the measures of one run: outcome, gradients, dead shares, shape of its lines."""
    steps = max(float(run.column("step")[-1]), 1.0)
    measures = {
        "outcome": run.outcome(metric),
        "start": run.first(metric),
        "diverged_step": run.diverged_step,
        "gradient_start": run.first(GRADIENT),
        "gradient_end": run.last(GRADIENT),
        "zero_gradient": _zero_gradient(run, steps),
        "vanishing": _share_of_steps(run, "steps/vanishing", steps),
        "exploding": _share_of_steps(run, "steps/exploding", steps),
    }
    measures |= {f"dead_{name}": run.last(f"dead/{name}") for name in words.DEAD}
    return measures | slice_measures(run)


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


def _row(results: Results, runs: Sequence[StoredRun]) -> dict[str, Any]:
    counted = [run for run in runs if run.counted]
    per_run = [run_measures(run, results.metric) for run in counted]
    finite = [values for values in per_run if np.isfinite(values["outcome"])]
    value, low, high = statistics.estimate([values["outcome"] for values in finite])
    states = Counter(run.status for run in runs)
    return {
        "loss": runs[0].loss,
        **{key: runs[0].swept.get(key) for key in results.swept},
        "metric": results.metric,
        "higher_is_better": results.higher_is_better,
        "value": value,
        "low": low,
        "high": high,
        "seeds": len(finite),
        "start": statistics.estimate([values["start"] for values in finite]).value,
        "diverged": states["diverged"] / len(counted) if counted else np.nan,
        "failed": states["failed"] + states["unreadable"],
        "unreadable": states["unreadable"],
        "unfinished": states["unfinished"],
        **{name: statistics.median([values[name] for values in per_run]) for name in MEASURES},
        "zero_runs": sum(values["zero_gradient"] == 1 for values in per_run),
    }


def _best(rows: Sequence[dict[str, Any]], higher_is_better: bool) -> int:
    values = np.array([row["value"] for row in rows], dtype=np.float64)
    if np.isnan(values).all():
        return 0
    return int(np.nanargmax(values) if higher_is_better else np.nanargmin(values))


def _against_target(results: Results, runs: Sequence[StoredRun], target: float) -> dict[str, Any]:
    """Returns the columns about the target; a diverged run never counts as having reached it."""
    counted = [run for run in runs if run.counted]
    steps = np.array([run_steps_to_target(results, run, target) for run in counted])
    reached = int(np.isfinite(steps).sum())
    known = bool(counted) and not np.isnan(target)
    return {
        "target": target,
        "reached": reached / len(counted) if known else np.nan,
        "reached_runs": reached,
        "steps_to_target": statistics.median(steps),
    }


def run_steps_to_target(results: Results, run: StoredRun, target: float) -> float:
    """Returns the steps to the target; NaN if the run diverged or never met it."""
    if run.status != "done" or np.isnan(target):
        return np.nan
    return statistics.steps_to_target(
        run.column("step"), run.column(results.metric), target, results.higher_is_better
    )


def _against_best(
    results: Results,
    row: dict[str, Any],
    runs: Sequence[StoredRun],
    best: dict[str, Any],
    best_runs: Sequence[StoredRun],
) -> dict[str, Any]:
    """Returns the gain relative to the best row, and the paired test against it by seed."""
    outcomes, best_outcomes = _outcomes(runs, results.metric), _outcomes(best_runs, results.metric)
    seeds = sorted(outcomes.keys() & best_outcomes.keys())
    differences = [outcomes[seed] - best_outcomes[seed] for seed in seeds]
    best_gain = best["value"] - best["start"]
    is_best = row is best
    return {
        "gain": (row["value"] - row["start"]) / best_gain if best_gain else np.nan,
        "best": "" if np.isnan(best["value"]) else best["name"],
        "pairs": len(differences),
        "difference": np.nan if is_best or not differences else float(np.mean(differences)),
        "p_value": np.nan if is_best else statistics.sign_flip_test(differences),
    }


def _outcomes(runs: Sequence[StoredRun], metric: str) -> dict[int, float]:
    """Returns the finite outcomes by seed."""
    return {
        run.seed: outcome
        for run in runs
        if run.counted and run.seed is not None and np.isfinite(outcome := run.outcome(metric))
    }


def run_table(results: Results, target: float) -> pd.DataFrame:
    """Returns one tidy row per run: its settings, its status, and every measure."""
    rows = []
    for run in results.runs:
        row: dict[str, Any] = {"run": run.name, "loss": run.loss, "seed": run.seed}
        row |= {key: run.swept.get(key) for key in results.swept} | {"status": run.status}
        if run.counted:
            row |= run_measures(run, results.metric)
            row |= {"steps_to_target": run_steps_to_target(results, run, target)}
            names = ("risk/batch", "risk/evaluation", *(run.summary.metrics if run.summary else ()))
            row |= {name: run.last(name) for name in names if name in run.trace}
            parameters = run.summary and run.summary.parameters
            row |= {"parameters": np.nan if parameters is None else parameters}
            row |= curvature_table.run_measures(run) | check_results.columns([run])
        if audited(results):
            row |= audits.columns(run.audit)
        rows.append(row | {"error": last_line(run.error) or run.problem})
    table = pd.DataFrame(rows)
    table["seed"] = table["seed"].astype("Int64")
    return table

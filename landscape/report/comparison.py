"""The comparison of losses: one row of raw numbers a loss and point of the sweep."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.errors import last_line
from landscape.numerics.geometry import relative_rise, roughness
from landscape.report import audits, checks, curvature, statistics
from landscape.report.geometry_table import mean
from landscape.report.results import Results, StoredRun
from landscape.report.sentences import sentence
from landscape.report.sets import labels
from landscape.report.words import DEAD

GRADIENT = "gradient_norm/global"
# Without a target in the config: this share of the best loss's interquartile mean.
TARGET_SHARE = 0.95
# A picture with more lines than this is hard to read.
MOST_POINTS = 8
# Measures of a run of which the comparison shows the median over runs.
MEASURES = [
    "diverged_step",
    "gradient_start",
    "gradient_end",
    "zero_gradient",
    "vanishing",
    "exploding",
    *(f"dead_{name}" for name in DEAD),
    "relative_rise",
    "roughness",
]


def compare(results: Results) -> pd.DataFrame:
    """One row a loss and point of the sweep: numbers over seeds and the sentence found."""
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
        row |= checks.columns(runs)
        if audited(results):
            row |= audits.columns(audits.of(run.audit for run in runs))
            row["audit_agrees"] = audits.agrees(row["audit_verdict"], row)
        errors = [last_line(run.error) for run in runs if run.error]
        row["finding"] = sentence(row, errors[0] if errors else "")
    table = pd.DataFrame(rows).drop(columns=["rivals", "ties"])
    table.insert(len(table.columns) - 1, "finding", table.pop("finding"))
    return table


def audited(results: Results) -> bool:
    """Whether any run holds an audit."""
    return any(run.audit is not None for run in results.runs)


def best_points(table: pd.DataFrame) -> pd.DataFrame:
    """One row a loss, best first: of a swept loss the point with the best interquartile mean."""
    ordered = _best_first(table)
    return ordered.drop_duplicates("loss").reset_index(drop=True)


def shown_points(table: pd.DataFrame) -> pd.DataFrame:
    """Best first: every point of a small sweep, of a larger one the best point of each loss."""
    if len(table) <= MOST_POINTS:
        return _best_first(table).reset_index(drop=True)
    return best_points(table)


def _best_first(table: pd.DataFrame) -> pd.DataFrame:
    ascending = not bool(table["higher_is_better"].iloc[0])
    return table.sort_values("value", ascending=ascending, kind="stable", na_position="last")


def point_text(results: Results, run: StoredRun) -> str:
    """The swept values, keys shortened to their last word where that is unambiguous."""
    words = [key.rsplit(".", 1)[-1] for key in results.swept]
    names = words if len(set(words)) == len(words) else list(results.swept)
    return ", ".join(
        f"{name}={run.swept.get(key)}" for name, key in zip(names, results.swept, strict=True)
    )


def target_value(results: Results, rows: Sequence[dict[str, Any]]) -> float:
    """The config's target, else 95 % of the best interquartile mean; NaN where there is none.

    There is none where less is better, or where the untrained model meets it already.
    """
    given = results.settings.get("target")
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    best = rows[_best(rows, results.higher_is_better)]
    target = TARGET_SHARE * best["value"]
    useful = results.higher_is_better and target > max(best["start"], 0.0)
    return target if useful else np.nan


def run_measures(run: StoredRun, metric: str) -> dict[str, float]:
    """What the comparison takes from one run: its ends, its dead shares, its slices."""
    steps = max(float(run.column("step")[-1]), 1.0)
    measures = {
        "outcome": run.outcome(metric),
        "start": run.first(metric),
        "diverged_step": run.diverged_step,
        "gradient_start": run.first(GRADIENT),
        "gradient_end": run.last(GRADIENT),
        "zero_gradient": _zero_gradient(run, steps),
        "vanishing": _of_steps(run, "steps/vanishing", steps),
        "exploding": _of_steps(run, "steps/exploding", steps),
    }
    measures |= {f"dead_{name}": run.last(f"dead/{name}") for name in DEAD}
    return measures | slice_measures(run)


def _zero_gradient(run: StoredRun, steps: float) -> float:
    """Share of the steps whose gradient is exactly zero; of the recorded ones if not counted."""
    counted = _of_steps(run, "steps/dead", steps)
    return float(np.mean(run.column(GRADIENT) == 0)) if np.isnan(counted) else counted


def _of_steps(run: StoredRun, name: str, steps: float) -> float:
    return min(run.last(name) / steps, 1.0)


def slice_measures(run: StoredRun) -> dict[str, float]:
    """Relative rise and roughness of the trained point's first lines, means over directions."""
    first = next(iter(labels(run, "lines", ("trained",))), None)
    lines = run.slices.get(f"trained/lines/{first}/risk")
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
    states = [run.status for run in runs]
    row: dict[str, Any] = {"loss": runs[0].loss}
    row |= {key: runs[0].swept.get(key) for key in results.swept}
    row |= {"metric": results.metric, "higher_is_better": results.higher_is_better}
    row |= {"value": value, "low": low, "high": high, "seeds": len(finite)}
    row["start"] = statistics.estimate([values["start"] for values in finite]).value
    row["diverged"] = states.count("diverged") / len(counted) if counted else np.nan
    row |= {"failed": states.count("failed") + states.count("unreadable")}
    row |= {"unfinished": states.count("unfinished")}
    row |= {name: statistics.median([run[name] for run in per_run]) for name in MEASURES}
    return row | {"zero_runs": sum(run["zero_gradient"] == 1 for run in per_run)}


def _best(rows: Sequence[dict[str, Any]], higher_is_better: bool) -> int:
    values = np.array([row["value"] for row in rows], dtype=np.float64)
    if np.isnan(values).all():
        return 0
    return int(np.nanargmax(values) if higher_is_better else np.nanargmin(values))


def _against_target(results: Results, runs: Sequence[StoredRun], target: float) -> dict[str, Any]:
    """A diverged run never counts as having reached the target: its model is lost."""
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
    """Steps to the target of a run that did not diverge, NaN for all others."""
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
    """Gain relative to the best row's, and the paired test against it by seed."""
    ours, theirs = _outcomes(runs, results.metric), _outcomes(best_runs, results.metric)
    differences = [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
    best_gain = best["value"] - best["start"]
    itself = row is best
    return {
        "gain": (row["value"] - row["start"]) / best_gain if best_gain else np.nan,
        "best": "" if np.isnan(best["value"]) else best["name"],
        "pairs": len(differences),
        "difference": np.nan if itself or not differences else float(np.mean(differences)),
        "p_value": np.nan if itself else statistics.sign_flip_test(differences),
    }


def _outcomes(runs: Sequence[StoredRun], metric: str) -> dict[int, float]:
    found = {run.seed: run.outcome(metric) for run in runs if run.counted and run.seed is not None}
    return {seed: value for seed, value in found.items() if np.isfinite(value)}


def run_table(results: Results, target: float) -> pd.DataFrame:
    """One tidy row a run: what was asked, how it ended, and every measure of the comparison."""
    rows = []
    for run in results.runs:
        row: dict[str, Any] = {"run": run.name, "loss": run.loss, "seed": run.seed}
        row |= {key: run.swept.get(key) for key in results.swept} | {"status": run.status}
        if run.counted:
            row |= run_measures(run, results.metric)
            row |= {"steps_to_target": run_steps_to_target(results, run, target)}
            row |= {name: run.last(name) for name in _recorded(run)}
            row |= {"parameters": run.summary.get("parameters", np.nan)}
            row |= curvature.run_measures(run) | checks.columns([run])
        if audited(results):
            row |= audits.columns(run.audit)
        rows.append(row | {"error": last_line(run.error) or run.problem})
    table = pd.DataFrame(rows)
    table["seed"] = table["seed"].astype("Int64")
    return table


def _recorded(run: StoredRun) -> list[str]:
    """The run's metrics and risks, as the trace calls them."""
    names = ["risk/batch", "risk/evaluation", *run.summary.get("metrics", [])]
    return [name for name in names if name in run.trace]

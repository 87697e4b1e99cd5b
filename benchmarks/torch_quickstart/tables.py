"""The files of a run, statistics over seeds, and the tables of the report."""

import itertools
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from problem import (
    DEAD_FRACTIONS,
    LINE_COORDINATES,
    LINES,
    PLANE_COORDINATES,
    SLICE_VALUES,
    STEPS,
    Groups,
    Run,
    unpack,
)
from safetensors.torch import save_file
from scipy import stats
from torch.nn import functional

RESAMPLES = 2000
TARGET = 0.95
"""The target is this share of the best loss's accuracy."""
STATES = {True: "passed", False: "failed", None: "undecided"}


def store(run: Run) -> None:
    """Writes trace, slices, parameters and checks."""
    run.folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(run.trace).to_parquet(run.folder / "trace.parquet", index=False)
    arrays = {"lines/coordinates": LINE_COORDINATES, "lines/slope": run.slope[:LINES]}
    arrays |= {"plane/axis": PLANE_COORDINATES, "lines/curvature": run.curvature[:LINES]}
    for name, directions in zip(("lines", "plane"), run.directions.split([LINES, 2]), strict=True):
        units = functional.normalize(directions)
        arrays[f"{name}/cosine"] = (units @ units.T).numpy()
    for name, line, plane in zip(SLICE_VALUES, run.lines, run.plane, strict=True):
        arrays |= {f"lines/{name}": line, f"plane/{name}": plane}
    np.savez(run.folder / "slices.npz", **arrays)
    tensors = {}
    for point, vector in (("initial", run.initial), ("trained", run.trained)):
        # Cloned, since safetensors does not accept views of one vector.
        tensors |= {f"{point}/{name}": part.clone() for name, part in unpack(vector).items()}
    save_file(tensors, run.folder / "params.safetensors")
    (run.folder / "checks.json").write_text(json.dumps(run.checks, indent=2) + "\n")


interquartile_mean = partial(stats.trim_mean, proportiontocut=0.25)


def interval(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the bootstrap interval of the interquartile mean over the first axis."""
    result = stats.bootstrap(
        (samples,), interquartile_mean, n_resamples=RESAMPLES, method="percentile", rng=0
    )
    return result.confidence_interval


def series(runs: Sequence[Run], name: str) -> np.ndarray:
    """Returns a column of the traces of all runs, (runs, rows)."""
    return np.stack([run.trace[name] for run in runs]).astype(np.float64)


def run_table(groups: Groups) -> pd.DataFrame:
    """Returns one row per run: the ends of its trace, and the steps to the target."""
    best = max(interquartile_mean(series(runs, "accuracy")[:, -1]) for runs in groups.values())
    rows = []
    for run in itertools.chain(*groups.values()):
        reached = np.flatnonzero(run.trace["accuracy"] >= TARGET * best)
        row = {
            "loss": run.loss.__name__,
            "seed": run.seed,
            "target": TARGET * best,
            "steps_to_target": run.trace["step"][reached[0]] if len(reached) else np.nan,
            "checks_failed": sum(check["passed"] is False for check in run.checks),
            "start": float(run.trace["accuracy"][0]),
            "gradient_norm/start": float(run.trace["gradient_norm/global"][0]),
        }
        rows.append(row | {name: float(values[-1]) for name, values in run.trace.items()})
    return pd.DataFrame(rows)


def compare(results: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per loss with numbers over seeds, the best loss first."""
    samples = {loss: runs["accuracy"].to_numpy() for loss, runs in results.groupby("loss")}
    best = max(samples.values(), key=interquartile_mean)
    rows = []
    for loss, runs in results.groupby("loss", sort=False):
        medians, differences = runs.median(numeric_only=True), samples[loss] - best
        # Exact: with so few differences all sign flips are enumerated.
        test = stats.permutation_test((differences,), np.mean, permutation_type="samples")
        low, high = interval(samples[loss])
        row = {
            "loss": loss,
            "accuracy": interquartile_mean(samples[loss]),
            "low": low,
            "high": high,
            "start": interquartile_mean(runs["start"]),
            "target": runs["target"].iloc[0],
            "reached": runs["steps_to_target"].count(),
            "seeds": len(runs),
            "steps": medians["steps_to_target"],
            "p": test.pvalue if differences.any() else np.nan,
            "gradient, start": medians["gradient_norm/start"],
            "gradient, end": medians["gradient_norm/global"],
        }
        row |= {name: medians[f"steps/{name}"] / STEPS for name in ("vanishing", "exploding")}
        row |= {f"dead {name}": medians[f"dead/{name}"] for name in DEAD_FRACTIONS}
        rows.append(row | {"checks failed": runs["checks_failed"].sum()})
    return pd.DataFrame(rows).sort_values("accuracy", ascending=False, kind="stable")


def check_table(groups: Groups) -> pd.DataFrame:
    """Returns how often each check of each loss passed, failed, and was undecided."""
    rows = [
        {"loss": run.loss.__name__, **check, "state": STATES[check["passed"]]}
        for run in itertools.chain(*groups.values())
        for check in run.checks
    ]
    counts = pd.DataFrame(rows).value_counts(["loss", "check", "where", "state"], sort=False)
    return counts.unstack(fill_value=0).reset_index()


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the table with floating-point numbers as short texts."""
    return table.map(lambda cell: f"{cell:.3g}" if isinstance(cell, float) else cell)


def write(table: pd.DataFrame, path: Path) -> None:
    """Writes the table as CSV, and rounded as Markdown."""
    table.to_csv(path.with_suffix(".csv"), index=False)
    text = rounded(table)
    rows = [text.columns, ["---"] * len(text.columns), *text.itertuples(index=False)]
    lines = "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)
    path.with_suffix(".md").write_text(lines)

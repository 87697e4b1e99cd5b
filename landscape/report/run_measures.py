"""Numbers of one run: outcome, gradients, dead shares, shape of lines."""

from collections.abc import Iterable

import numpy as np

from landscape.numerics.geometry import relative_rise, roughness
from landscape.report import words
from landscape.report.results import StoredRun
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

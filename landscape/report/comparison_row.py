"""A row of the comparison: what is known of one loss at one point of the sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from landscape.report.audits import AuditAnswer
from landscape.report.best_step import BestStep
from landscape.report.loss_rows import Gain, Gradients, LossRow, RunStates, SliceShape, Target
from landscape.report.pair_tests import JointResult
from landscape.report.results import RateGrid
from landscape.report.statistics import SeedEstimate, Share
from landscape.report.sweep_numbers import TRIALS, SweepNumbers


@dataclass(frozen=True)
class Row:
    """What the report states of one loss at one point of the sweep, and the runs behind it.

    `estimate` is that of the outcomes, `start` the mean metric of the untrained models. `dead` has
    the dead shares by their names in `words.DEAD`, `rates` all learning rates of the loss. `sweep`
    is None if no loss has several points, and `audit` if no run has one. `finding` is a summary.
    """

    runs: LossRow
    estimate: SeedEstimate
    start: float
    states: RunStates
    gradients: Gradients
    dead: Mapping[str, float]
    slice: SliceShape
    gain: Gain
    target: Target
    best_step: BestStep
    joint: JointResult
    margin: float
    rate: float
    rates: RateGrid
    sweep: SweepNumbers | None = None
    checks_failed: str = ""
    other_metrics: Mapping[str, SeedEstimate] = field(default_factory=dict)
    audit: AuditAnswer | None = None
    finding: str = ""

    @property
    def name(self) -> str:
        return self.runs.name

    @property
    def loss(self) -> str:
        return self.runs.loss

    @property
    def swept(self) -> Mapping[str, Any]:
        return self.runs.swept

    @property
    def metric(self) -> str:
        return self.runs.metric

    @property
    def higher_is_better(self) -> bool:
        return self.runs.higher_is_better


def frame(rows: Sequence[Row], swept: Sequence[str]) -> pd.DataFrame:
    """Returns the comparison as a table of raw numbers; docs/definitions.md defines its columns.

    `swept` are the swept keys of the experiment, in the order of their columns.
    """
    table = pd.DataFrame([_cells(row) for row in rows])
    for position, key in enumerate(swept, 1):  # whole numbers stay whole beside missing ones
        column = pd.Series([row.swept.get(key, np.nan) for row in rows], dtype=object)
        table.insert(position, key, column if column.isna().any() else column.infer_objects())
    return table


def _cells(row: Row) -> dict[str, Any]:
    estimate, gradient = row.estimate, row.gradients
    cells: dict[str, Any] = {
        "loss": row.loss,
        "metric": row.metric,
        "higher_is_better": row.higher_is_better,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "lowest": estimate.lowest,
        "highest": estimate.highest,
        "seeds": estimate.seeds,
        "start": row.start,
        "diverged": row.states.diverged,
        "failed": row.states.failed,
        "unfinished": row.states.unfinished,
        "diverged_step": row.states.diverged_step,
        "gradient_start": gradient.start,
        "gradient_end": gradient.end,
        "zero_gradient": gradient.zero,
        "vanishing": gradient.vanishing,
        "exploding": gradient.exploding,
        **{f"dead_{name}": share for name, share in row.dead.items()},
        **row.slice._asdict(),
        "zero_runs": gradient.zero_runs,
        "name": row.name,
    }
    cells |= _cells_against_reference(row)
    if row.sweep is not None:
        cells |= _cells_of_sweep(row.sweep)
    cells["checks_failed"] = row.checks_failed
    for metric, of_metric in row.other_metrics.items():
        cells |= of_metric.cells(f"{metric}_")
    if row.audit is not None:
        cells |= {f"audit_{name}": text for name, text in row.audit._asdict().items()}
    return cells | {"finding": row.finding}


def _cells_against_reference(row: Row) -> dict[str, Any]:
    """Returns what depends on the reference: gain, target, and the joint test."""
    gain, target, pair = row.gain, row.target, row.joint.pair
    return {
        "reference": gain.reference,
        "gain": gain.mean,
        "learns": gain.learns,
        "failures": gain.failures.number,
        **_cells_of_rate("failure", gain.failures),
        **_cells_of_rate("success", gain.success),
        "target": target.value,
        "reached": target.reached.value,
        "reached_runs": target.reached.number,
        "steps_to_target": target.steps,
        "expected_steps": target.expected_steps,
        "best_step": row.best_step.step,
        "lost_after_best": row.best_step.lost.value,
        "lost_low": row.best_step.lost.low,
        "lost_high": row.best_step.lost.high,
        "pairs": 0 if pair is None else pair.seeds,
        "difference": np.nan if pair is None else pair.difference,
        "difference_low": np.nan if pair is None else pair.low,
        "difference_high": np.nan if pair is None else pair.high,
        "p_value": np.nan if pair is None else pair.p,
        "corrected_low": np.nan if pair is None else pair.corrected.low,
        "corrected_high": np.nan if pair is None else pair.corrected.high,
        "verdict": row.joint.verdict,
        "may_be_best": row.joint.may_be_best,
        "margin": row.margin,
        "learning_rate": row.rate,
    }


def _cells_of_rate(name: str, share: Share) -> dict[str, float]:
    ends = share.interval
    return {f"{name}_rate": ends.value, f"{name}_low": ends.low, f"{name}_high": ends.high}


def _cells_of_sweep(sweep: SweepNumbers) -> dict[str, Any]:
    tolerance = sweep.tolerance
    return {
        "trials": sweep.trials,
        **{f"best_of_{k}": best for k, best in zip(TRIALS, sweep.best_of, strict=True)},
        "tolerance": tolerance.decades,
        "tolerance_low": tolerance.interval[0],
        "tolerance_high": tolerance.interval[1],
        "rate_low": tolerance.low_rate,
        "rate_high": tolerance.high_rate,
        "tolerance_cut": " and ".join(tolerance.cut_ends),
    }

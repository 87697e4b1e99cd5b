"""The rows of the comparison: the runs of one loss at one point of the sweep, and their numbers."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.compare.time_to_target import expected_running_time, kaplan_meier
from landscape.compare.tuning import LEARNS, SUCCEEDS, gain
from landscape.report import statistics
from landscape.report.results import Results, StoredRun
from landscape.report.run_measures import run_measures
from landscape.report.statistics import Share, finite_mean
from landscape.report.stored_run import budget

Array = NDArray[np.float64]

# Swept options of these parts are tuned; the other swept keys are conditions of the comparison.
_TUNED = ("optimizer", "losses")
# A run learns only if it also closes this share of the gap between the untrained model and a
# perfect value, since the reference may gain next to nothing.
LEARNS_ROOM = 0.02


class RunStates(NamedTuple):
    """How the runs of a row ended: those that count, the share of them that diverged, the others.

    `diverged_step` is the median step of those that diverged; `failed` includes `unreadable`.
    """

    counted: int
    diverged: float
    diverged_step: float
    failed: int
    unreadable: int
    unfinished: int


class Gradients(NamedTuple):
    """Norms at both ends of training and shares of the steps, as medians over runs.

    In `zero_runs` runs the gradient is zero from the first step on.
    """

    start: float
    end: float
    zero: float
    vanishing: float
    exploding: float
    zero_runs: int


class SliceShape(NamedTuple):
    """The shape of the first lines at the trained point, as medians over runs."""

    relative_rise: float
    roughness: float


class Gain(NamedTuple):
    """The mean gain relative to the row `reference`, and the runs that fail and that succeed.

    There is no run in `success` if the gain is undefined.
    """

    reference: str
    mean: float
    learns: bool
    failures: Share
    success: Share


class Target(NamedTuple):
    """The target, the runs that reached it, their median step, and the steps per run that did.

    There is no run in `reached` without a target.
    """

    value: float
    reached: Share
    steps: float
    expected_steps: float


@dataclass(frozen=True)
class LossRow:
    """The runs of one loss at one point of the sweep.

    `name` is the loss, with the swept values if it has several rows. `condition` identifies the
    swept values that are not tuned: only rows with the same condition are compared. `counted` are
    the runs with a result, and `measures` their numbers (`run_measures`).
    """

    name: str
    loss: str
    swept: Mapping[str, Any]
    condition: str
    metric: str
    higher_is_better: bool
    runs: tuple[StoredRun, ...]
    counted: tuple[StoredRun, ...]
    measures: tuple[Mapping[str, float], ...]
    perfect: float = np.nan

    def measure(self, name: str) -> Array:
        """Returns a measure of each counted run, (runs,); NaN if it is not finite."""
        values = np.array([measures[name] for measures in self.measures], np.float64)
        return np.where(np.isfinite(values), values, np.nan)

    def median(self, name: str) -> float:
        """Returns the median of a measure over the counted runs, infinities included."""
        return statistics.median([measures[name] for measures in self.measures])

    @cached_property
    def outcomes(self) -> Array:
        """The outcome of each counted run, (runs,); NaN if it is not finite."""
        return self.measure("outcome")

    @cached_property
    def starts(self) -> Array:
        """The metric of each run's untrained model, (runs,); NaN if its outcome is not finite."""
        return np.where(np.isfinite(self.outcomes), self.measure("start"), np.nan)

    @cached_property
    def diverged(self) -> NDArray[np.bool_]:
        """Whether each counted run diverged, (runs,)."""
        return np.array([run.status == "diverged" for run in self.counted], bool)

    @property
    def value(self) -> float:
        """The mean outcome."""
        return finite_mean(self.outcomes)

    @property
    def start(self) -> float:
        """The mean metric of the untrained models."""
        return finite_mean(self.starts)

    @property
    def budget(self) -> float:
        """The number of steps of the longest run."""
        return budget(self.counted)

    def oriented(self, values: ArrayLike) -> Array:
        """Returns values of the metric with a sign such that higher is better."""
        array = np.asarray(values, np.float64)
        return array if self.higher_is_better else -array

    def gains(self, reference: "LossRow") -> Array:
        """Returns the gain of each run, (runs,): `(M - M0) / (M_ref - M0)`, 0 if it diverged.

        M_ref and M0 are the mean outcome of the reference and of its untrained models. NaN if the
        reference itself does not close `LEARNS_ROOM` of the gap.
        """
        if not self.closes_gap(reference.value, reference.start):
            return np.full(len(self.counted), np.nan)
        initial, best = (float(v) for v in self.oriented([reference.start, reference.value]))
        return gain(self.oriented(self.outcomes), initial, best, self.diverged)

    def failures(self, reference: "LossRow") -> NDArray[np.bool_]:
        """Returns whether each run failed, (runs,): it diverged, or it did not learn."""
        return self.diverged | ~self._learns(self.outcomes, self.starts, self.gains(reference))

    def learns(self, reference: "LossRow") -> bool:
        """Returns whether the mean over the runs learns."""
        return bool(self._learns(self.value, self.start, finite_mean(self.gains(reference))))

    def _learns(self, end: ArrayLike, start: ArrayLike, gains: ArrayLike) -> NDArray[np.bool_]:
        """Returns whether the gap is closed and the gain is at least 0.1, if it is defined."""
        enough = np.isnan(gains) | (np.asarray(gains) >= LEARNS)
        return np.asarray(enough & self.closes_gap(end, start))

    def closes_gap(self, end: ArrayLike, start: ArrayLike) -> NDArray[np.bool_]:
        """Returns whether `LEARNS_ROOM` of the gap from start to a perfect value is closed."""
        return closes_gap(*map(self.oriented, (end, start, self.perfect)))

    def steps_to_target(self, target: float) -> Array:
        """Returns the step at which each run reached the target, (runs,); NaN if it did not."""
        higher = self.higher_is_better
        return np.array(
            [
                run.steps_to_target(self.metric, target, higher_is_better=higher)
                for run in self.counted
            ]
        )


def closes_gap(end: ArrayLike, start: ArrayLike, perfect: ArrayLike) -> NDArray[np.bool_]:
    """Returns whether `LEARNS_ROOM` of the gap from start to a perfect value is closed.

    Higher values are better. For a metric without a perfect value, any gain suffices.
    """
    end, start, perfect = (np.asarray(value, np.float64) for value in (end, start, perfect))
    room = np.where(np.isfinite(perfect), np.maximum(perfect - start, 0), 0.0)
    return np.asarray((end > start) & (end - start >= LEARNS_ROOM * room))


def loss_rows(results: Results) -> list[LossRow]:
    """Returns one row per loss and point of the sweep, losses in the order of the config."""
    groups = results.groups
    count = Counter(loss for loss, _ in groups)
    rows = []
    for (loss, _), runs in groups.items():
        swept = runs[0].swept
        texts = swept_texts(swept)
        counted = tuple(run for run in runs if run.counted)
        rows.append(
            LossRow(
                name=f"{loss} ({', '.join(texts)})" if count[loss] > 1 and texts else loss,
                loss=loss,
                swept={key: swept[key] for key in results.swept if key in swept},
                condition=_condition(results, runs[0]),
                metric=results.metric,
                higher_is_better=results.higher_is_better,
                perfect=results.perfect,
                runs=tuple(runs),
                counted=counted,
                measures=tuple(run_measures(run, results.metric) for run in counted),
            )
        )
    return rows


def best_row(rows: Sequence[LossRow]) -> LossRow:
    """Returns the row with the best mean, the first of equal ones or if no row has a result."""
    values = np.array([float(row.oriented(row.value)) for row in rows])
    return rows[0 if np.isnan(values).all() else int(np.nanargmax(values))]


def swept_texts(swept: Mapping[str, Any]) -> list[str]:
    """Returns swept values as `key=value`; keys are shortened to their last word if unambiguous."""
    last_words = [key.rsplit(".", 1)[-1] for key in swept]
    names = last_words if len(set(last_words)) == len(last_words) else list(swept)
    return [f"{name}={value}" for name, value in zip(names, swept.values(), strict=True)]


def _condition(results: Results, run: StoredRun) -> str:
    """Returns the swept values that are not tuned, as text; with one loss all values are tuned."""
    if len(results.losses) == 1:
        return ""
    untuned = {key: v for key, v in run.swept.items() if key.partition(".")[0] not in _TUNED}
    return json.dumps(untuned, sort_keys=True, default=str)


def run_states(row: LossRow) -> RunStates:
    """Returns how the runs of a row have ended."""
    states, counted = Counter(run.status for run in row.runs), len(row.counted)
    return RunStates(
        counted=counted,
        diverged=states["diverged"] / counted if counted else np.nan,
        diverged_step=row.median("diverged_step"),
        failed=states["failed"] + states["unreadable"],
        unreadable=states["unreadable"],
        unfinished=states["unfinished"],
    )


def gradients(row: LossRow) -> Gradients:
    """Returns the medians over the runs of a row of what they recorded of their gradients."""
    return Gradients(
        start=row.median("gradient_start"),
        end=row.median("gradient_end"),
        zero=row.median("zero_gradient"),
        vanishing=row.median("vanishing"),
        exploding=row.median("exploding"),
        zero_runs=sum(measures["zero_gradient"] == 1 for measures in row.measures),
    )


def gain_of(row: LossRow, reference: LossRow) -> Gain:
    """Returns what a row gains relative to the reference."""
    gains, failures = row.gains(reference), row.failures(reference)
    known = not np.isnan(gains).all()
    return Gain(
        reference=reference.name,
        mean=finite_mean(gains),
        learns=row.learns(reference),
        failures=Share(int(failures.sum()), len(failures)),
        success=Share(int((gains >= SUCCEEDS).sum()), len(gains) if known else 0),
    )


def derived_target(reference: LossRow) -> float:
    """Returns `M0 + 0.95 (M_ref - M0)` on the evaluation split, the default target.

    NaN if the reference does not learn on that split; the test split has no part in it. M_ref and
    M0 are means over its runs, at the end and at the start; a run that diverged counts in M_ref
    with its start.
    """
    start = finite_mean([run.first(reference.metric) for run in reference.counted])
    end = finite_mean([evaluation_end(run, reference.metric) for run in reference.counted])
    return start + SUCCEEDS * (end - start) if reference.closes_gap(end, start) else np.nan


def evaluation_end(run: StoredRun, metric: str) -> float:
    """Returns the metric on the evaluation split at the end, at the start if the run diverged."""
    values = run.column(metric)
    return float(values[0] if run.status == "diverged" else values[-1])


def target_reached(row: LossRow, target: float) -> Target:
    """Returns when the runs of a row met the target; one that never does is not left out."""
    steps = row.steps_to_target(target)
    known = len(steps) > 0 and not np.isnan(target)
    return Target(
        value=target,
        reached=Share(int(np.isfinite(steps).sum()), len(steps) if known else 0),
        steps=_median_steps(steps, row.budget) if known else np.nan,
        expected_steps=expected_running_time(steps, row.budget) if known else np.nan,
    )


def _median_steps(steps: Array, budget: float) -> float:
    """Returns the first step by which half of the runs have reached the target (Kaplan-Meier)."""
    censored = np.isnan(steps)
    curve = kaplan_meier(np.where(censored, budget, steps), censored)
    half = np.flatnonzero(curve.share >= 0.5 - 1e-9)
    return float(curve.steps[half[0]]) if len(half) else np.nan

"""What a stage needs to know of the runs of earlier stages, read from their folders."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landscape.config import Run
from landscape.storage import array_files, store
from landscape.storage.records import SummaryRecord


class Outcome(NamedTuple):
    """The outcome of a run: its primary metric on the evaluation split, higher is always better.

    It is that of the last step, or of the best one if the config says so (`stop: best`).

    `status` is `done`, `diverged` or `failed`; the numbers of a run that failed are NaN. `initial`
    is the metric of the untrained model; `gradient_norm` that of the batch gradient at the start.
    """

    status: str
    metric: float
    initial: float
    gradient_norm: float


class TaskMetric(NamedTuple):
    """The metric by which losses are compared."""

    name: str
    higher_is_better: bool

    @property
    def sign(self) -> float:
        """1 if larger values are better, else -1."""
        return 1.0 if self.higher_is_better else -1.0


FAILED = Outcome("failed", math.nan, math.nan, math.nan)


def read_outcomes(runs: Iterable[Run], directory: Path) -> dict[str, Outcome]:
    """Returns the outcome of each run that has ended, by id."""
    outcomes = {run.id: _read(run, store.run_folder(directory, run.id)) for run in runs}
    return {name: outcome for name, outcome in outcomes.items() if outcome is not None}


def read_metric(run_ids: Iterable[str], directory: Path) -> TaskMetric:
    """Returns the metric of the first of these runs that has a summary."""
    for name in run_ids:
        path = store.run_folder(directory, name) / "summary.json"
        summary = store.read_valid_record(path, SummaryRecord)
        if summary is not None:
            return _task_metric(summary)
    return TaskMetric("", True)


def _read(run: Run, folder: Path) -> Outcome | None:
    status = store.read_status(folder)
    if status == "failed":
        return FAILED
    if status not in store.FINISHED:
        return None
    summary = store.read_record(folder / "summary.json", SummaryRecord)
    primary = _task_metric(summary)
    columns = array_files.read_trace(folder)
    values = primary.sign * columns[primary.name].to_numpy(np.float64)
    norms = columns["gradient_norm/global"].to_numpy(np.float64)
    metric = values[-1]
    if run.stop == "best":
        metric = primary.sign * summary.best.get(primary.name, math.nan)
    return Outcome(status, float(metric), float(values[0]), float(norms[0]))


def _task_metric(summary: SummaryRecord) -> TaskMetric:
    name = summary.primary_metric
    return TaskMetric(name, summary.higher_is_better.get(name, True))


def median_gradient_norm(outcomes: Mapping[str, Outcome], runs: Iterable[Run]) -> float:
    """Returns the median of the initial gradient norms of runs; NaN if none is finite."""
    norms = [outcomes[run.id].gradient_norm for run in runs]
    finite = [norm for norm in norms if math.isfinite(norm)]
    return float(np.median(finite)) if finite else math.nan

"""One run of an experiment, as read from its folder."""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from landscape.compare.time_to_target import first_reach
from landscape.config import Run
from landscape.storage import store
from landscape.storage.audit_records import AuditRecord
from landscape.storage.curvature_records import CurvatureRecord
from landscape.storage.records import Check, MetaRecord, SummaryRecord

COUNTED = store.FINISHED
STATES = (*COUNTED, "failed", "unfinished", "unreadable")


@dataclass(frozen=True)
class StoredRun:
    """One run as stored in its folder.

    `status` is done, diverged or failed, as the run recorded it; unfinished if it recorded nothing
    yet; unreadable if its files are damaged, with the reason in `error`. A run that counts has a
    config, a trace and a summary. `problem` names its other files that cannot be read.
    """

    name: str
    loss: str
    seed: int | None
    swept: Mapping[str, Any]
    status: str
    config: Run | None = None
    error: str = ""
    trace: pd.DataFrame = field(default_factory=pd.DataFrame)
    slices: Mapping[str, np.ndarray] = field(default_factory=dict)
    summary: SummaryRecord | None = None
    meta: MetaRecord = field(default_factory=MetaRecord)
    audit: AuditRecord | None = None
    curvature: CurvatureRecord | None = None
    problem: str = ""

    @property
    def point(self) -> str:
        """The swept values as one text, equal for all runs at one point of the sweep."""
        return json.dumps(dict(self.swept), sort_keys=True, default=str)

    @property
    def counted(self) -> bool:
        return self.status in COUNTED

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks of the run's own numbers."""
        return () if self.summary is None else self.summary.checks

    @property
    def diverged_step(self) -> float:
        step = None if self.summary is None else self.summary.diverged_step
        if self.status != "diverged":
            return np.nan
        return float(self.trace["step"].iloc[-1] if step is None else step)

    def column(self, name: str) -> np.ndarray:
        """Returns a column of the trace as float64; all NaN if it was not recorded."""
        column = self._columns.get(name)
        return np.full(len(self.trace), np.nan) if column is None else column

    @functools.cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        """The columns as float64; a lookup in a table takes a hundred times as long."""
        columns = {name: self.trace[name].to_numpy(dtype=np.float64) for name in self.trace}
        for column in columns.values():
            column.flags.writeable = False
        return columns

    def first(self, name: str) -> float:
        return float(self.column(name)[0])

    def last(self, name: str) -> float:
        """Returns the last finite value, since a diverged run ends with non-finite values."""
        values = self.column(name)
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else np.nan

    def steps_to_target(self, metric: str, target: float, *, higher_is_better: bool) -> float:
        """Returns the first of two successive records of the trace that meet the target.

        NaN for a run that never meets it, or that diverged.
        """
        if self.status != "done":
            return np.nan
        sign = 1.0 if higher_is_better else -1.0
        return first_reach(self.column("step"), sign * self.column(metric), sign * target)

    @property
    def judged(self) -> bool:
        """Whether the test split was measured."""
        return self.summary is not None and bool(self.summary.test)

    def outcome(self, metric: str) -> float:
        """Returns the metric of the trained model, or of the initial one if the run diverged.

        On the test split if the run is judged, else on the evaluation set; at the last step, or at
        the best one if the config has `stop: best`. A diverged run leaves no usable model. Dropping
        it would flatter its loss, and its last finite value would hide the failure, so it counts as
        if it had learned nothing.
        """
        if self.status == "diverged":
            return self.untrained(metric)
        summary = self.summary or SummaryRecord("", "", {})
        last = float(self.column(metric)[-1])
        if self.config is not None and self.config.stop == "best":
            return summary.test_at_best.get(metric, summary.best.get(metric, last))
        return summary.test.get(metric, last)

    def evaluated(self, metric: str) -> float:
        """Returns what `outcome` does, on the evaluation split also if the run is judged."""
        if self.status == "diverged":
            return self.first(metric)
        last = float(self.column(metric)[-1])
        if self.config is None or self.config.stop == "last" or self.summary is None:
            return last
        return self.summary.best.get(metric, last)

    def untrained(self, metric: str) -> float:
        """Returns the metric of the initial model, on the split of `outcome`."""
        first = self.first(metric)
        return first if self.summary is None else self.summary.test_initial.get(metric, first)


def budget(runs: Iterable[StoredRun]) -> float:
    """Returns the number of steps of the longest of these runs; NaN without runs."""
    return max((float(run.column("step")[-1]) for run in runs), default=np.nan)

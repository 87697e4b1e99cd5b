"""The comparison at tuned points: `compare.json`, and the runs that it names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from landscape.report.loss_rows import closes_gap
from landscape.report.results import RateGrid, Results, StoredRun
from landscape.report.run_reader import read_optional, record_of
from landscape.storage import contents
from landscape.storage.compare_records import ComparedLoss, CompareRecord
from landscape.storage.contents import Contents
from landscape.storage.map_records import MapRecord, MapsRecord

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CompareResults:
    """`compare.json` of an experiment, and all of its runs by name.

    `judged` are the results of the judged runs at the tuned points alone, as if they were all runs
    of an experiment without a sweep: the tables and figures that show runs by loss use them. `maps`
    are the trainability maps by loss.
    """

    record: CompareRecord
    runs: Mapping[str, StoredRun]
    judged: Results
    maps: Mapping[str, MapRecord] = field(default_factory=dict)

    @property
    def sign(self) -> float:
        """1 if larger values of the metric are better, else -1."""
        return 1.0 if self.record.higher_is_better else -1.0

    @property
    def losses(self) -> tuple[str, ...]:
        return tuple(entry.loss for entry in self.record.losses)

    def entry(self, loss: str) -> ComparedLoss:
        """Returns what the record has on a loss."""
        return next(entry for entry in self.record.losses if entry.loss == loss)

    def finished(self, names: Sequence[str]) -> list[StoredRun | None]:
        """Returns the runs of these names; None in place of one without a result."""
        runs = (self.runs.get(name) for name in names)
        return [run if run is not None and run.counted else None for run in runs]

    def outcomes(self, names: Sequence[str]) -> Array:
        """Returns what these runs are judged by, NaN without a result, shape (runs,)."""
        return self._each(names, StoredRun.outcome)

    def evaluations(self, names: Sequence[str]) -> Array:
        """Returns the metric on the evaluation split by which trials are chosen, likewise.

        It is that of the last step, or of the best one if the config has `stop: best`. A diverged
        run has the value of its untrained model.
        """
        return self._each(names, StoredRun.evaluated)

    def starts(self, names: Sequence[str]) -> Array:
        """Returns the metric of the untrained models on the evaluation split, likewise."""
        return self._each(names, StoredRun.first)

    def untrained(self, names: Sequence[str]) -> Array:
        """Returns the metric of the untrained models on the split that judges, likewise."""
        return self._each(names, StoredRun.untrained)

    def _each(self, names: Sequence[str], number: Callable[[StoredRun, str], float]) -> Array:
        metric, runs = self.record.metric, self.finished(names)
        return np.array([np.nan if run is None else number(run, metric) for run in runs])

    def improved(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Returns which of these runs are better than their own untrained model, shape (runs,)."""
        end, start = self.outcomes(names), self.untrained(names)
        return closes_gap(self.sign * end, self.sign * start, self.sign * self.judged.perfect)

    def ended(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Returns which of these runs have a result or failed, shape (runs,)."""
        runs = (self.runs.get(name) for name in names)
        ended = [run is not None and (run.counted or run.status == "failed") for run in runs]
        return np.array(ended, dtype=bool)

    def diverged(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Returns which of these runs diverged, shape (runs,)."""
        runs = self.finished(names)
        return np.array([run is not None and run.status == "diverged" for run in runs], dtype=bool)


def read(results: Results, problems: list[str]) -> CompareResults | None:
    """Returns the comparison of an experiment; None without `compare.json`, or without judged runs.

    A file that is damaged adds a problem; `Results.warnings` name files that were changed.
    """
    listed = contents.read(results.directory)
    if listed.differs("compare.json"):
        return None
    path = results.directory / "compare.json"
    record = read_optional(path, record_of(CompareRecord), problems)
    if record is None:
        return None
    if record.metric != results.metric:
        problems.append(f"compare.json is about `{record.metric}`, the runs `{results.metric}`")
        return None
    compared = join(record, results)
    if not any(run.counted for run in compared.judged.runs):
        return None
    return replace(compared, maps=_read_maps(listed, problems))


def _read_maps(listed: Contents, problems: list[str]) -> Mapping[str, MapRecord]:
    if listed.differs("maps.json"):
        return {}
    record = read_optional(listed.directory / "maps.json", record_of(MapsRecord), problems)
    return {} if record is None else record.maps


def join(record: CompareRecord, results: Results) -> CompareResults:
    """Returns the record with the runs that it names."""
    runs = {run.name: run for run in results.runs}
    return CompareResults(record, runs, _judged(results, record, runs))


def _judged(results: Results, record: CompareRecord, runs: Mapping[str, StoredRun]) -> Results:
    """Returns the results without all runs but those that judge a loss at its tuned point."""
    names = [name for entry in record.losses for name in entry.judged]
    selected = [replace(runs[name], swept={}) for name in names if name in runs]
    losses = tuple(entry.loss for entry in record.losses if entry.judged)
    labeled = tuple(run for run in selected if run.loss in losses)
    return replace(
        results,
        runs=labeled,
        losses=losses,
        swept=(),
        reference=record.reference,
        tuned={entry.loss: RateGrid(entry.grid, entry.learns) for entry in record.losses},
    )

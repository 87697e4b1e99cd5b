"""Reads the run folders of an experiment. Files are data only: nothing is ever unpickled."""

import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from landscape import config
from landscape.config import Experiment, Run
from landscape.errors import UserError, last_line, printable
from landscape.report import audits
from landscape.storage import array_files, experiment_folder, store
from landscape.storage.audit_records import AuditRecord
from landscape.storage.curvature_records import CurvatureRecord
from landscape.storage.records import (
    Check,
    CrossRunRecord,
    MetaRecord,
    OutcomeRecord,
    StatusRecord,
    SummaryRecord,
)

Content = TypeVar("Content")

COUNTED = store.FINISHED
STATES = (*COUNTED, "failed", "unfinished", "unreadable")
_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, UserError, RecursionError)
_UNREADABLE = (*_ERRORS, zipfile.BadZipFile, zlib.error)


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
        if name not in self.trace:
            return np.full(len(self.trace), np.nan)
        return self.trace[name].to_numpy(dtype=np.float64)

    def first(self, name: str) -> float:
        return float(self.column(name)[0])

    def last(self, name: str) -> float:
        """Returns the last finite value, since a diverged run ends with non-finite values."""
        values = self.column(name)
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else np.nan

    def outcome(self, metric: str) -> float:
        """Returns the metric at the end, or at the start if the run diverged.

        A diverged run leaves no usable model. Dropping it would flatter its loss, and its last
        finite value would hide the failure, so it counts as if it had learned nothing.
        """
        return self.first(metric) if self.status == "diverged" else float(self.column(metric)[-1])


@dataclass(frozen=True)
class Results:
    """All runs of an experiment, their common settings, and the measurements across runs.

    `settings` is None if experiment.yaml cannot be read; `problem` says why across.json cannot.
    """

    directory: Path
    title: str
    settings: Experiment | None
    runs: tuple[StoredRun, ...]
    losses: tuple[str, ...]
    swept: tuple[str, ...]
    metric: str
    higher_is_better: bool
    across: CrossRunRecord | None = None
    problem: str = ""

    @property
    def unreadable(self) -> dict[str, str]:
        """The names of the unreadable runs, each with the reason."""
        return {run.name: run.error for run in self.runs if run.status == "unreadable"}

    @property
    def groups(self) -> dict[tuple[str, str], list[StoredRun]]:
        """Runs by loss and point of the sweep, losses in the config's order."""

        def position(run: StoredRun) -> tuple[Any, ...]:
            return self.losses.index(run.loss), *(_order(run.swept.get(key)) for key in self.swept)

        groups: dict[tuple[str, str], list[StoredRun]] = {}
        for run in sorted((run for run in self.runs if run.loss), key=position):
            groups.setdefault((run.loss, run.point), []).append(run)
        return groups


def _order(value: object) -> tuple[bool, float, str]:
    """Returns the sort key of a swept value: numbers first, then texts."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return False, float(value), ""
    return True, 0.0, str(value)


def read(directory: Path) -> Results:
    """Returns the planned runs of an experiment. Raises UserError if none has finished."""
    if not directory.is_dir():
        raise UserError(
            f"`{directory}` is not a folder",
            hint="pass the folder of an experiment: runs/<experiment>",
        )
    folders = [store.run_folder(directory, name) for name in _plan(directory)]
    if not folders:
        raise UserError(
            f"`{directory}` has no runs: `{directory / 'runs'}` is empty",
            hint="train some with `landscape run CONFIG`",
        )
    runs = tuple(_read_run(path) for path in folders)
    summary = next((run.summary for run in runs if run.counted), None)
    if summary is None:
        raise UserError(
            _nothing_finished(directory, runs),
            hint="see error.txt in the run folders, then run the experiment again",
        )
    metric = summary.primary_metric
    problems: list[str] = []
    settings = _read_optional(
        directory / "experiment.yaml", lambda path: config.experiment_from(_text(path)), []
    )
    across = _read_optional(directory / "across.json", _record(CrossRunRecord), problems)
    return Results(
        directory=directory,
        title=(settings and settings.title) or directory.resolve().name,
        settings=settings,
        runs=tuple(sorted(runs, key=lambda run: (run.seed is None, run.seed or 0, run.name))),
        losses=_losses(settings, runs),
        swept=tuple(dict.fromkeys(key for run in runs for key in run.swept)),
        metric=metric,
        higher_is_better=summary.higher_is_better.get(metric, True),
        across=across,
        problem="; ".join(problems),
    )


def _plan(directory: Path) -> list[str]:
    try:
        return list(experiment_folder.read_plan(directory))
    except _UNREADABLE as error:
        raise UserError(
            f"`{directory / 'plan.json'}` cannot be read: {last_line(str(error))}",
            hint="run the experiment again: finished runs are kept",
        ) from error


def _nothing_finished(directory: Path, runs: tuple[StoredRun, ...]) -> str:
    states = sorted(Counter(run.status for run in runs).items())
    counts = ", ".join(f"{number} {state}" for state, number in states)
    reason = next((last_line(run.error) for run in runs if run.error), "")
    first_error = f". The first error: {reason}" if reason else ""
    return f"no run in `{directory}` has finished: {counts}{first_error}"


def _losses(settings: Experiment | None, runs: tuple[StoredRun, ...]) -> tuple[str, ...]:
    """Returns the labels in the config's order, then those that the config does not have."""
    configured = [] if settings is None else [loss.label for loss in settings.losses]
    trained = {run.loss for run in runs if run.loss}
    return tuple(dict.fromkeys([x for x in configured if x in trained] + sorted(trained)))


def _read_run(folder: Path) -> StoredRun:
    if not (folder / "config.yaml").exists() and store.read_status(folder) is None:
        return StoredRun(folder.name, "", None, {}, "unfinished")
    try:
        run = _read(folder / "config.yaml", lambda path: config.run_from(_text(path)))
    except ValueError as error:
        return StoredRun(folder.name, "", None, {}, "unreadable", error=str(error))
    stored = StoredRun(folder.name, run.loss.label, run.seed, run.swept, "unfinished", run)
    try:
        return _read_results(stored, folder)
    except _UNREADABLE as error:
        return replace(stored, status="unreadable", error=_reason("the run's files", error))


def _read_results(run: StoredRun, folder: Path) -> StoredRun:
    if not (folder / "status.json").exists():
        return run
    status = _read(folder / "status.json", _record(StatusRecord)).status
    if status == store.TRAINED:
        return run
    if status not in COUNTED:
        path = folder / "error.txt"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return replace(run, status="failed", error=printable(text) or "failed without a reason")
    if changed := store.changed(folder):
        text = f"damaged: {', '.join(changed)}; `landscape run` recreates it"
        return replace(run, status="unreadable", error=printable(text))
    problems: list[str] = []
    trace = _read(folder / "trace.parquet", _trace)
    summary = _summary(folder / "summary.json", problems)
    if summary.primary_metric not in trace:
        raise ValueError(
            f"the trace has no column `{summary.primary_metric}`, the run's primary metric"
        )
    run = replace(
        run,
        status=status,
        trace=trace,
        summary=summary,
        slices=_read_optional(
            folder / "slices.npz", lambda path: array_files.read_slices(path.parent), problems
        )
        or {},
        audit=_read_optional(
            folder / "audit.json", lambda path: audits.parse(_text(path)), problems
        ),
        curvature=_read_optional(folder / "curvature.json", _record(CurvatureRecord), problems),
        meta=_read_optional(folder / "meta.json", _record(MetaRecord), problems) or MetaRecord(),
    )
    return replace(run, problem="; ".join(problems))


def _summary(path: Path, problems: list[str]) -> SummaryRecord:
    """Returns the summary of a run, without its checks if they are damaged."""
    try:
        return store.read_record(path, SummaryRecord)
    except _UNREADABLE as error:
        outcome = _read(path, _record(OutcomeRecord))
        problems.append(_reason("the checks in summary.json", error))
        return SummaryRecord(**vars(outcome))


def _trace(path: Path) -> pd.DataFrame:
    trace = array_files.read_trace(path.parent)
    if not len(trace) or "step" not in trace:
        raise ValueError("it has no steps")
    return trace


def _record(kind: type[Content]) -> Callable[[Path], Content]:
    return lambda path: store.read_record(path, kind)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _read(path: Path, read: Callable[[Path], Content]) -> Content:
    """Returns the content of a file; raises ValueError with its name if it cannot be read."""
    try:
        return read(path)
    except _UNREADABLE as error:
        raise ValueError(_reason(path.name, error)) from error


def _read_optional(
    path: Path, read: Callable[[Path], Content], problems: list[str]
) -> Content | None:
    """Returns the content of a file; None if it is missing or damaged, which adds a problem."""
    try:
        return read(path) if path.exists() else None
    except _UNREADABLE as error:
        problems.append(_reason(path.name, error))
        return None


def _reason(name: str, error: Exception) -> str:
    if isinstance(error, UserError):
        text = str(error).splitlines()[0]
    else:
        text = last_line(str(error)) or type(error).__name__
    text = printable(text)
    return text if " cannot be read: " in text else f"{name} cannot be read: {text}"

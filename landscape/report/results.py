"""Reads the run folders of an experiment. Files are data only: nothing is ever unpickled."""

import json
import zipfile
import zlib
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

Read = TypeVar("Read")

COUNTED = store.FINISHED
STATES = (*COUNTED, "failed", "unfinished", "unreadable")
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    UserError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class StoredRun:
    """One run as stored in its folder.

    `status` is done, diverged or failed, as the run recorded it; unfinished if it recorded nothing
    yet; unreadable if its files are damaged, with the reason in `error`. A run that counts has a
    config, a trace and a summary. `problem` says which of its other files cannot be read.
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
        """The swept values as one text: equal for runs of the same point of the sweep."""
        return json.dumps(dict(self.swept), sort_keys=True, default=str)

    @property
    def counted(self) -> bool:
        return self.status in COUNTED

    @property
    def checks(self) -> tuple[Check, ...]:
        """The run's comparisons of its own numbers."""
        return () if self.summary is None else self.summary.checks

    @property
    def diverged_step(self) -> float:
        step = None if self.summary is None else self.summary.diverged_step
        if self.status != "diverged":
            return np.nan
        return float(self.trace["step"].iloc[-1] if step is None else step)

    def column(self, name: str) -> np.ndarray:
        """A column of the trace as float64; NaN throughout where it was not recorded."""
        if name not in self.trace:
            return np.full(len(self.trace), np.nan)
        return self.trace[name].to_numpy(dtype=np.float64)

    def first(self, name: str) -> float:
        return float(self.column(name)[0])

    def last(self, name: str) -> float:
        """The last finite value: a diverged run ends with non-finite values."""
        values = self.column(name)
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else np.nan

    def outcome(self, metric: str) -> float:
        """The metric that counts: at the end, or at the start if the run diverged.

        A diverged run leaves no usable model. Dropping it would flatter its loss and its last
        value before the end would hide the failure, so it counts as if it had learned nothing.
        """
        return self.first(metric) if self.status == "diverged" else float(self.column(metric)[-1])


@dataclass(frozen=True)
class Results:
    """All runs of an experiment, what they have in common, and what was measured between them.

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
        """Why each unreadable run is unreadable, by name."""
        return {run.name: run.error for run in self.runs if run.status == "unreadable"}

    @property
    def groups(self) -> dict[tuple[str, str], tuple[StoredRun, ...]]:
        """Runs by loss and point of the sweep, losses in the config's order."""
        runs = [run for run in self.runs if run.loss]
        keys = sorted({(run.loss, run.point) for run in runs}, key=self._position(runs))
        return {key: tuple(run for run in runs if (run.loss, run.point) == key) for key in keys}

    def _position(self, runs: list[StoredRun]) -> Any:
        values = {
            run.point: tuple(_order(run.swept.get(key)) for key in self.swept) for run in runs
        }
        return lambda key: (self.losses.index(key[0]), values[key[1]])


def _order(value: object) -> tuple[int, float, str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (0, float(value), "") if number else (1, 0.0, str(value))  # type: ignore[arg-type]


def read(directory: Path) -> Results:
    """Returns the planned runs of an experiment. Raises UserError if none has finished."""
    if not directory.is_dir():
        raise UserError(
            f"`{directory}` is not a folder",
            hint="give the folder of an experiment: runs/<experiment>",
        )
    folders = [store.run_folder(directory, name) for name in _plan(directory)]
    if not folders:
        raise UserError(
            f"`{directory}` has no runs: `{directory / 'runs'}` is empty",
            hint="make some with `landscape run CONFIG`",
        )
    runs = tuple(_read_run(path) for path in folders)
    summary = next((run.summary for run in runs if run.counted), None)
    if summary is None:
        raise UserError(
            _nothing_finished(directory, runs),
            hint="see error.txt in the run folders, then run the experiment again",
        )
    settings, metric = _settings(directory), summary.primary_metric
    across, problem = _optional(
        directory / "across.json", lambda path: store.read_record(path, CrossRunRecord)
    )
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
        problem=problem,
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
    states = [run.status for run in runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    text = f"no run in `{directory}` has finished: {counts}"
    reason = next((last_line(run.error) for run in runs if run.error), "")
    return f"{text}. The first says: {reason}" if reason else text


def _settings(directory: Path) -> Experiment | None:
    try:
        return config.experiment_from((directory / "experiment.yaml").read_text(encoding="utf-8"))
    except _UNREADABLE:
        return None


def _losses(settings: Experiment | None, runs: tuple[StoredRun, ...]) -> tuple[str, ...]:
    """The labels in the config's order, then those that the config does not name."""
    configured = [] if settings is None else [loss.label for loss in settings.losses]
    trained = {run.loss for run in runs if run.loss}
    return tuple(dict.fromkeys([x for x in configured if x in trained] + sorted(trained)))


def _read_run(folder: Path) -> StoredRun:
    if not (folder / "config.yaml").exists() and store.read_status(folder) is None:
        return StoredRun(folder.name, "", None, {}, "unfinished")
    try:
        run = config.run_from((folder / "config.yaml").read_text(encoding="utf-8"))
    except _UNREADABLE as error:
        reason = _reason("config.yaml", error)
        return StoredRun(folder.name, "", None, {}, "unreadable", error=reason)
    stored = StoredRun(folder.name, run.loss.label, run.seed, run.swept, "unfinished", run)
    try:
        return _read_results(stored, folder)
    except _UNREADABLE as error:
        return replace(stored, status="unreadable", error=_reason("the run's files", error))


def _read_results(run: StoredRun, folder: Path) -> StoredRun:
    if not (folder / "status.json").exists():
        return run
    status = _required(folder / "status.json", StatusRecord).status
    if status == store.TRAINED:
        return run
    if status not in COUNTED:
        path = folder / "error.txt"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return replace(run, status="failed", error=printable(text) or "failed without a reason")
    if changed := store.changed(folder):
        text = f"damaged: {', '.join(changed)}; `landscape run` recreates it"
        return replace(run, status="unreadable", error=printable(text))
    trace, (summary, without_checks) = _trace(folder), _summary(folder / "summary.json")
    metric = summary.primary_metric
    if metric not in trace:
        raise ValueError(f"the trace has no column `{metric}`, the run's primary metric")
    slices, without_slices = _optional(
        folder / "slices.npz", lambda p: array_files.read_slices(p.parent)
    )
    audit, without_audit = _optional(
        folder / "audit.json", lambda path: audits.parse(path.read_text(encoding="utf-8"))
    )
    curvature, without_curvature = _optional(
        folder / "curvature.json", lambda path: store.read_record(path, CurvatureRecord)
    )
    meta, without_meta = _optional(
        folder / "meta.json", lambda path: store.read_record(path, MetaRecord)
    )
    problems = (without_slices, without_audit, without_curvature, without_checks, without_meta)
    return replace(
        run,
        status=status,
        trace=trace,
        summary=summary,
        slices=slices or {},
        audit=audit,
        curvature=curvature,
        meta=meta or MetaRecord(),
        problem="; ".join(filter(None, problems)),
    )


def _summary(path: Path) -> tuple[SummaryRecord, str]:
    """Returns the summary of a run, without its checks if they are damaged, and the damage."""
    try:
        return store.read_record(path, SummaryRecord), ""
    except _UNREADABLE as error:
        outcome = _required(path, OutcomeRecord)
        return SummaryRecord(**vars(outcome)), _reason("the checks in summary.json", error)


def _trace(folder: Path) -> pd.DataFrame:
    try:
        trace = array_files.read_trace(folder)
        if not len(trace) or "step" not in trace:
            raise ValueError("it has no steps")
    except _UNREADABLE as error:
        raise ValueError(_reason("trace.parquet", error)) from error
    return trace


def _optional(path: Path, read: Callable[[Path], Read]) -> tuple[Read | None, str]:
    """Returns the content of a file, None if it is missing or damaged, and its damage in words."""
    try:
        return (read(path) if path.exists() else None), ""
    except (*_UNREADABLE, RecursionError) as error:
        return None, _reason(path.name, error)


def _reason(name: str, error: Exception) -> str:
    if isinstance(error, UserError):
        text = str(error).splitlines()[0]
    else:
        text = last_line(str(error)) or type(error).__name__
    text = printable(text)
    return text if " cannot be read: " in text else f"{name} cannot be read: {text}"


def _required(path: Path, kind: type[Read]) -> Read:
    try:
        return store.read_record(path, kind)
    except _UNREADABLE as error:
        raise ValueError(_reason(path.name, error)) from error

"""Reads the run folders of an experiment. Files are data only: nothing is ever unpickled."""

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from landscape.errors import UserError, last_line, printable
from landscape.report import audits, records
from landscape.report.records import Across, Check, Curvature, mapping
from landscape.storage import disk, store

Read = TypeVar("Read")

COUNTED = store.FINISHED
STATES = (*COUNTED, "failed", "unfinished", "unreadable")
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    YAMLError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class StoredRun:
    """One run as it lies in its folder.

    `status` is done, diverged or failed, as the run said; unfinished where it said nothing yet;
    unreadable where its files cannot be understood, with the reason in `error`.
    """

    name: str
    loss: str
    seed: int | None
    swept: Mapping[str, Any]
    status: str
    config: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    trace: pd.DataFrame = field(default_factory=pd.DataFrame)
    slices: Mapping[str, np.ndarray] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] | None = None
    curvature: Curvature | None = None
    checks: tuple[Check, ...] = ()
    problem: str = ""

    @property
    def point(self) -> str:
        """The swept values as one text: equal for runs of the same point of the sweep."""
        return json.dumps(dict(self.swept), sort_keys=True, default=str)

    @property
    def counted(self) -> bool:
        return self.status in COUNTED

    @property
    def diverged_step(self) -> float:
        step = self.summary.get("diverged_step")
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
        """The last finite value: a diverged run ends with values that are none."""
        values = self.column(name)
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else np.nan

    def outcome(self, metric: str) -> float:
        """The metric that counts: at the end, or at the start where the run diverged.

        A diverged run leaves no usable model. Dropping it would flatter its loss and its last
        value before the end would hide the failure, so it counts as if it had learned nothing.
        """
        return self.first(metric) if self.status == "diverged" else float(self.column(metric)[-1])


@dataclass(frozen=True)
class Results:
    """All runs of an experiment, what they have in common, and what was measured between them.

    `problem` says why across.json could not be read, where it could not.
    """

    directory: Path
    title: str
    settings: Mapping[str, Any]
    runs: tuple[StoredRun, ...]
    losses: tuple[str, ...]
    swept: tuple[str, ...]
    metric: str
    higher_is_better: bool
    across: Across | None = None
    problem: str = ""

    @property
    def unreadable(self) -> dict[str, str]:
        """Why each run that could not be read could not."""
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
    """The runs that the experiment plans; UserError where there is no finished run to report."""
    if not directory.is_dir():
        raise UserError(
            f"`{directory}` is not a folder",
            hint="give the folder of an experiment: runs/<experiment>",
        )
    folders = [store.run_folder(directory, name) for name in _plan(directory)]
    if not folders:
        raise UserError(
            f"`{directory}` has no runs: there is nothing in `{directory / 'runs'}`",
            hint="make some with `landscape run CONFIG`",
        )
    runs = tuple(_read_run(path) for path in folders)
    first = next((run for run in runs if run.counted), None)
    if first is None:
        raise UserError(
            _nothing_finished(directory, runs),
            hint="see error.txt in the run folders, then run the experiment again",
        )
    settings, metric = _settings(directory), str(first.summary["primary_metric"])
    across, problem = _optional(
        directory / "across.json", lambda path: records.parse_across(disk.read_json(path))
    )
    return Results(
        directory=directory,
        title=str(settings.get("title") or directory.resolve().name),
        settings=settings,
        runs=tuple(sorted(runs, key=lambda run: (run.seed is None, run.seed or 0, run.name))),
        losses=_losses(settings, runs),
        swept=tuple(dict.fromkeys(key for run in runs for key in run.swept)),
        metric=metric,
        higher_is_better=bool(first.summary["higher_is_better"].get(metric, True)),
        across=across,
        problem=problem,
    )


def _plan(directory: Path) -> list[str]:
    try:
        return list(store.read_plan(directory))
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


def _settings(directory: Path) -> dict[str, Any]:
    try:
        return mapping(_yaml(directory / "experiment.yaml"))
    except _UNREADABLE:
        return {}


def _losses(settings: Mapping[str, Any], runs: tuple[StoredRun, ...]) -> tuple[str, ...]:
    """The labels in the config's order, then any that the config does not name."""
    listed = settings.get("losses")
    labels = [loss_label(entry) for entry in listed] if isinstance(listed, list) else []
    found = {run.loss for run in runs if run.loss}
    return tuple(dict.fromkeys([label for label in labels if label in found] + sorted(found)))


def loss_label(entry: object) -> str:
    """What a loss is called: its label, else its name."""
    if isinstance(entry, dict):
        return printable(str(entry.get("label") or entry.get("name") or ""))
    return printable(str(entry or ""))


def _read_run(folder: Path) -> StoredRun:
    if not (folder / "config.yaml").exists() and store.read_status(folder) is None:
        return StoredRun(folder.name, "", None, {}, "unfinished")
    try:
        config = mapping(_yaml(folder / "config.yaml"))
        loss, seed = loss_label(config.get("loss")), config.get("seed")
        swept = mapping(config.get("swept") or {})
    except _UNREADABLE as error:
        return StoredRun(
            folder.name, "", None, {}, "unreadable", error=_reason("config.yaml", error)
        )
    run = StoredRun(
        folder.name, loss, int(seed) if isinstance(seed, int) else None, swept, "unfinished", config
    )
    try:
        return _read_results(run, folder)
    except _UNREADABLE as error:
        return _with(run, status="unreadable", error=_reason("the run's files", error))


def _read_results(run: StoredRun, folder: Path) -> StoredRun:
    if not (folder / "status.json").exists():
        return run
    status = str(_json(folder / "status.json")["status"])
    if status == store.TRAINED:
        return run
    if status not in COUNTED:
        path = folder / "error.txt"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return _with(run, status="failed", error=printable(text) or "failed without saying why")
    if changed := store.changed(folder):
        text = f"damaged: {', '.join(changed)}; `landscape run` makes it anew"
        return _with(run, status="unreadable", error=printable(text))
    trace, summary = _trace(folder), _json(folder / "summary.json")
    metric = summary["primary_metric"]
    if metric not in trace or not isinstance(summary["higher_is_better"], dict):
        raise ValueError(f"the trace has no column `{metric}`, the run's primary metric")
    slices, without_slices = _optional(folder / "slices.npz", lambda p: store.read_slices(p.parent))
    audit, without_audit = _optional(
        folder / "audit.json", lambda path: audits.parse(path.read_text(encoding="utf-8"))
    )
    curvature, without_curvature = _optional(
        folder / "curvature.json", lambda path: records.parse_curvature(disk.read_json(path))
    )
    checks, without_checks = _checks(summary)
    meta = _json(folder / "meta.json") if (folder / "meta.json").exists() else {}
    return _with(
        run,
        status=status,
        trace=trace,
        summary=summary,
        slices=slices or {},
        audit=audit,
        curvature=curvature,
        checks=checks,
        meta=meta,
        problem="; ".join(
            filter(None, (without_slices, without_audit, without_curvature, without_checks))
        ),
    )


def _trace(folder: Path) -> pd.DataFrame:
    try:
        trace = store.read_trace(folder)
        if not len(trace) or "step" not in trace:
            raise ValueError("it has no steps")
    except _UNREADABLE as error:
        raise ValueError(_reason("trace.parquet", error)) from error
    return trace


def _optional(path: Path, read: Callable[[Path], Read]) -> tuple[Read | None, str]:
    """What a file holds if it is there, and what is wrong with it if anything is."""
    try:
        return (read(path) if path.exists() else None), ""
    except (*_UNREADABLE, RecursionError) as error:
        return None, _reason(path.name, error)


def _checks(summary: Mapping[str, Any]) -> tuple[tuple[Check, ...], str]:
    """The checks that the run made of itself, and what is wrong with them if anything is."""
    try:
        return records.parse_checks(summary.get("checks", [])), ""
    except _UNREADABLE as error:
        return (), _reason("the checks in summary.json", error)


def _with(run: StoredRun, **changes: Any) -> StoredRun:
    return StoredRun(
        **{**{name: getattr(run, name) for name in run.__dataclass_fields__}, **changes}
    )


def _reason(name: str, error: Exception) -> str:
    text = printable(last_line(str(error))) or type(error).__name__
    return text if " cannot be read: " in text else f"{name} cannot be read: {text}"


def _yaml(path: Path) -> Any:
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        return mapping(disk.read_json(path))
    except _UNREADABLE as error:
        raise ValueError(_reason(path.name, error)) from error

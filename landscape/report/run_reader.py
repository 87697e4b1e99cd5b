"""Reads the folder of one run. Files are data only: nothing is ever unpickled."""

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from landscape import config
from landscape.config import Run
from landscape.errors import UserError, last_line, printable
from landscape.report import audits
from landscape.report.stored_run import COUNTED, StoredRun
from landscape.storage import array_files, array_limits, safe_reading, store
from landscape.storage.contents import Contents
from landscape.storage.curvature_records import CurvatureRecord
from landscape.storage.records import MetaRecord, OutcomeRecord, StatusRecord, SummaryRecord
from landscape.storage.safe_reading import UnreadableFile

Content = TypeVar("Content")

# What reading a file of any content can raise.
_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, UserError, RecursionError)
UNREADABLE = (*_ERRORS, zipfile.BadZipFile, zlib.error, OverflowError, MemoryError)


def read_run(name: str, listed: Contents) -> StoredRun:
    """Returns a run of an experiment; unreadable, with the reason, if its files are damaged."""
    folder = store.run_folder(listed.directory, name)
    content = store.status_content(folder)
    try:
        safe_reading.require_folder(folder)
        if listed.status_differs(name, content):
            return StoredRun(name, "", None, {}, "unreadable", error=_damaged([store.STATUS]))
        if content is None and not safe_reading.exists(folder / "config.yaml"):
            return StoredRun(name, "", None, {}, "unfinished")
        run = _read(folder / "config.yaml", lambda path: config.run_from(_text(path)))
        _check_integers(run.swept)
    except ValueError as error:
        return StoredRun(name, "", None, {}, "unreadable", error=printable(str(error)))
    stored = StoredRun(name, run.loss.label, run.seed, run.swept, "unfinished", run)
    try:
        return _read_results(stored, run, folder)
    except UNREADABLE as error:
        return replace(stored, status="unreadable", error=_reason("its folder", error))


def _check_integers(value: Any) -> None:
    """Raises ValueError for an integer of more than 64 bits, which no table can hold."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("config.yaml cannot be read: `swept` has an integer of more than 64 bits")
    items = value.values() if isinstance(value, Mapping) else value
    for item in items if isinstance(value, Mapping | list | tuple) else ():
        _check_integers(item)


def _damaged(names: Sequence[str]) -> str:
    return printable(f"damaged: {', '.join(names)}; rerun `landscape run` or `landscape compare`")


def _read_results(stored: StoredRun, run: Run, folder: Path) -> StoredRun:
    if not safe_reading.exists(folder / store.STATUS):
        return stored
    record = _read(folder / store.STATUS, record_of(StatusRecord))
    if record.status == store.TRAINED:
        return stored
    if changed := store.changed(folder):
        return replace(stored, status="unreadable", error=_damaged(changed))
    if record.status not in COUNTED:
        path = folder / "error.txt"
        text = _text(path, "replace") if safe_reading.exists(path) else ""
        return replace(stored, status="failed", error=printable(text) or "failed without a reason")
    trace = _read(folder / "trace.parquet", lambda path: _trace(path, run))
    problems: list[str] = []
    summary = _summary(folder / "summary.json", problems)
    if summary.primary_metric not in trace:
        raise ValueError(
            f"the trace has no column `{summary.primary_metric}`, the run's primary metric"
        )

    def optional(name: str, read: Callable[[Path], Content]) -> Content | None:
        if record.files is not None and name not in record.files:
            if safe_reading.exists(folder / name):
                problems.append(f"{name} was added after the run: {store.STATUS} does not list it")
            return None
        if not safe_reading.exists(folder / name):
            if record.files is not None:
                problems.append(f"{name} is missing; rerun `landscape run` or `landscape compare`")
            return None
        try:
            return _read(folder / name, read)
        except UnreadableFile:  # not a file that a run writes
            raise
        except ValueError as error:
            problems.append(str(error))
            return None

    stored = replace(
        stored,
        status=record.status,
        trace=trace,
        summary=summary,
        slices=optional("slices.npz", lambda path: _slices(path, run, trace.shape[1])) or {},
        audit=optional("audit.json", lambda path: audits.parse(_text(path))),
        curvature=optional("curvature.json", record_of(CurvatureRecord)),
        meta=optional("meta.json", record_of(MetaRecord)) or MetaRecord(),
    )
    return replace(stored, problem="; ".join(problems))


def _summary(path: Path, problems: list[str]) -> SummaryRecord:
    """Returns the summary of a run, without its checks if they are damaged."""
    try:
        return store.read_record(path, SummaryRecord)
    except UNREADABLE as error:
        outcome = _read(path, record_of(OutcomeRecord))
        problems.append(_reason("the checks in summary.json", error))
        return SummaryRecord(**vars(outcome))


def _trace(path: Path, run: Run) -> pd.DataFrame:
    trace = array_files.read_trace(path.parent, array_limits.most_rows(run))
    if not len(trace) or "step" not in trace:
        raise ValueError("it has no steps")
    steps = trace["step"].to_numpy()
    if steps.dtype.kind not in "iu" or steps[0] < 0 or (np.diff(steps) <= 0).any():
        raise UnreadableFile("its steps are not rising whole numbers")
    return trace


def _slices(path: Path, run: Run, columns: int) -> dict[str, np.ndarray]:
    arrays = array_files.read_slices(path.parent, array_limits.most_slice_bytes(run, columns))
    array_limits.check_shapes(arrays)
    return arrays


def record_of(kind: type[Content]) -> Callable[[Path], Content]:
    """Returns a function that reads a record of this kind."""
    return lambda path: store.read_record(path, kind)


def _text(path: Path, errors: str = "strict") -> str:
    return safe_reading.read_text(path, errors=errors)


def _read(path: Path, read: Callable[[Path], Content]) -> Content:
    """Returns the content of a file; raises ValueError with its name if it cannot be read."""
    try:
        return read(path)
    except UnreadableFile as error:
        raise UnreadableFile(_reason(path.name, error)) from error
    except UNREADABLE as error:
        raise ValueError(_reason(path.name, error)) from error


def read_optional(
    path: Path, read: Callable[[Path], Content], problems: list[str]
) -> Content | None:
    """Returns the content of a file; None if it is missing or damaged, which adds a problem."""
    try:
        return _read(path, read) if safe_reading.exists(path) else None
    except ValueError as error:
        problems.append(str(error))
        return None


def _reason(name: str, error: Exception) -> str:
    if isinstance(error, UserError):
        text = str(error).splitlines()[0]
    else:
        text = last_line(str(error)) or type(error).__name__
    text = printable(text)
    if " cannot be read: " in text:
        return text
    return f"{name} cannot be read: {text}; delete it and run the experiment again"


def stored_label(folder: Path) -> str | None:
    """Returns the label of the run in a folder; None if its config cannot be read."""
    try:
        return config.run_from(_text(folder / "config.yaml")).loss.label
    except UNREADABLE:
        return None

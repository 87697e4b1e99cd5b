"""What finished runs recorded, as tables: traces, curvature, audits."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from landscape.report import audits
from landscape.report.curvature_table import measures
from landscape.report.stored_run import StoredRun
from landscape.storage.audit_records import Audit, AuditRecord, Finding
from landscape.storage.curvature_records import CurvaturePoint, CurvatureRecord, OperatorRecord

_AUDIT = ("loss", "verdict", "code", "severity", "message", "file", "line", "suggestion")


def trace_table(runs: Iterable[StoredRun], swept: Sequence[str]) -> pd.DataFrame:
    """Returns one row per run and recorded step: `run`, `loss`, `seed`, the swept keys, values."""
    return _joined([(run, run.trace) for run in runs], swept)


def curvature_table(runs: Iterable[StoredRun], swept: Sequence[str]) -> pd.DataFrame:
    """Returns one row per run, point of training and matrix; empty if none was measured."""
    measured = [(run, _curvature(run.curvature)) for run in runs if run.curvature is not None]
    return _joined(measured, swept)


def _joined(tables: Sequence[tuple[StoredRun, pd.DataFrame]], swept: Sequence[str]) -> pd.DataFrame:
    """Returns all rows, after columns that name their run."""
    parts = []
    for run, table in tables:
        values = {key: run.swept.get(key) for key in swept}
        head = pd.DataFrame([{"run": run.name, "loss": run.loss, "seed": run.seed, **values}])
        parts.append(head.merge(table, how="cross"))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def audits_table(runs: Iterable[StoredRun], swept: Sequence[str]) -> pd.DataFrame:
    """Returns one row per loss, point of the sweep and finding, empty if none was audited.

    Runs of one loss share an audit, unless it was audited on the predictions of their models.
    """
    parts = []
    for run in runs:
        if run.audit is not None:
            rows = audit_table(run.audit).assign(loss=run.loss)
            for position, key in enumerate(swept, 1):
                rows.insert(position, key, run.swept.get(key))
            parts.append(rows)
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True)


def audit_table(record: AuditRecord) -> pd.DataFrame:
    """Returns one row per finding, the most severe first; without one, a row without a code."""
    if not isinstance(record, Audit):
        rows = [{"loss": record.loss, "verdict": audits.NOT_AUDITED, "message": record.error}]
        return pd.DataFrame(rows, columns=list(_AUDIT))
    head = {"loss": record.loss, "verdict": record.verdict}
    rows = [head | _finding(finding) for finding in record.findings] or [head]
    return pd.DataFrame(rows, columns=list(_AUDIT))


def _finding(finding: Finding) -> dict[str, Any]:
    where = finding.where
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "file": None if where is None else where.file,
        "line": None if where is None else where.line,
        "suggestion": finding.suggestion,
    }


def _curvature(record: CurvatureRecord) -> pd.DataFrame:
    """Returns one row per point of training and matrix."""
    rows = [
        _point(point) | {"matrix": name} | _matrix(point, matrix)
        for point in record.points
        for name, matrix in point.operators.items()
    ]
    return pd.DataFrame(rows)


def _point(point: CurvaturePoint) -> dict[str, Any]:
    return {name: getattr(point, name) for name in ("place", "step", "parameters", "risk", "drop")}


def _matrix(point: CurvaturePoint, matrix: Any) -> dict[str, Any]:
    if isinstance(matrix, OperatorRecord):
        return {**measures(matrix, point), "omitted": ""}
    return {"omitted": matrix.reason}

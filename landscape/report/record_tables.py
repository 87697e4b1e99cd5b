"""Records of one run as tables: its audit and its curvature."""

from pathlib import Path
from typing import Any

import pandas as pd

from landscape.report import audits
from landscape.report.curvature_table import measures
from landscape.storage import safe_reading, store
from landscape.storage.audit_records import Audit, Finding
from landscape.storage.curvature_records import CurvaturePoint, CurvatureRecord, OperatorRecord

_AUDIT = ("loss", "verdict", "code", "severity", "message", "file", "line", "suggestion")


def audit_table(folder: Path) -> pd.DataFrame:
    """Returns the audit of a run: one row per finding, one row without a code if there is none.

    Raises OSError or ValueError if the run has no audit that can be read.
    """
    record = audits.parse(safe_reading.read_text(folder / "audit.json"))
    if not isinstance(record, Audit):
        rows = [{"loss": record.loss, "verdict": "not audited", "message": record.error}]
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


def curvature_table(folder: Path) -> pd.DataFrame:
    """Returns the curvature of a run: one row per point of training and matrix.

    Raises OSError or ValueError if the run has no curvature that can be read.
    """
    record = store.read_record(folder / "curvature.json", CurvatureRecord)
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

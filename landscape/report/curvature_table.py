"""Curvature of the risk as a table: a row a loss, point and matrix, medians over seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.numerics.geometry import achieved_drop
from landscape.report import check_results, statistics, words
from landscape.report.results import StoredRun
from landscape.report.tables import TableColumn
from landscape.storage.curvature_records import CurvaturePoint, CurvatureRecord, OperatorRecord

MATRICES = {"hessian": "Hessian", "gauss_newton": "Gauss-Newton"}
_AT = ("trained", "initial")
_NOTHING = "not known"
_MEASURES = (
    "largest",
    "smallest",
    "trace",
    "trace_error",
    "frobenius",
    "frobenius_error",
    "mean",
    "largest_over_mean",
    "scale_free_sharpness",
    "negative_over_positive",
    "residual",
)


def measures(matrix: OperatorRecord, point: CurvaturePoint) -> dict[str, float]:
    """The numbers of one matrix at one point of one run."""
    largest, smallest = matrix.largest[0], matrix.smallest[0]
    mean = _ratio(matrix.trace.value, point.parameters)
    values = (
        largest,
        smallest,
        matrix.trace.value,
        matrix.trace.error,
        matrix.frobenius.value,
        matrix.frobenius.error,
        mean,
        _ratio(largest, mean),
        _ratio(largest * point.squared_norm, drop_of(point)),
        _ratio(-smallest, largest),
        _ratio(matrix.residual, max(abs(largest), abs(smallest))),
    )
    return dict(zip(_MEASURES, values, strict=True))


def run_measures(run: StoredRun) -> dict[str, float]:
    """The numbers of the Hessian at the trained point; nothing where it was not measured."""
    point = None if run.curvature is None else run.curvature.at("trained")
    matrix = None if point is None else point.spectra.get("hessian")
    if point is None or matrix is None:
        return {}
    return {f"hessian/{name}": value for name, value in measures(matrix, point).items()}


def drop_of(point: CurvaturePoint) -> float:
    """The drop that training achieved, NaN where that is none or rounding."""
    return achieved_drop(point.risk, point.risk + point.drop) if point.drop > 0 else np.nan


def _ratio(number: float, unit: float) -> float:
    """NaN where the unit is not positive: a share of it would turn around."""
    return float(number / unit) if np.isfinite(unit) and unit > 0 else np.nan


def table(groups: Mapping[str, Sequence[StoredRun]]) -> pd.DataFrame:
    """A row for each loss, point and matrix; ratios are formed in each run, then their median."""
    rows = []
    for loss, runs in groups.items():
        records = [run.curvature for run in runs if run.curvature is not None]
        for at in _AT:
            places = [point for record in records if (point := record.at(at)) is not None]
            for name in MATRICES:
                known = [(p.spectra[name], p) for p in places if name in p.spectra]
                reason = next((p.reasons[name] for p in places if name in p.reasons), "")
                if known or reason:
                    failed = ", ".join(check_results.failed(runs, f"{at}/{name}"))
                    row = _row(loss, at, name, known, reason, records)
                    rows.append(row | {"checks_failed": failed})
    return pd.DataFrame(rows)


def _row(
    loss: str,
    at: str,
    name: str,
    known: Sequence[tuple[OperatorRecord, CurvaturePoint]],
    reason: str,
    records: Sequence[CurvatureRecord],
) -> dict[str, Any]:
    found = [measures(matrix, point) for matrix, point in known]
    numbers = {key: statistics.median([one[key] for one in found]) for key in _MEASURES}
    answers = {record.twice_differentiable for record in records}
    notes = dict.fromkeys(record.note for record in records if record.note)
    return {
        "loss": loss,
        "at": at,
        "matrix": name,
        "runs": len(found),
        **numbers,
        "twice_differentiable": answers.pop() if len(answers) == 1 else None,
        "note": "; ".join([*notes, *([f"{MATRICES[name]}: {reason}"] if reason else [])]),
    }


def columns(table: pd.DataFrame) -> list[TableColumn]:
    """The columns as a reader sees them; the point and the matrix only where they differ."""
    shown = [TableColumn("loss", lambda row: str(row["loss"]), "the candidate, by its label")]
    if table["at"].nunique() > 1:
        shown.append(TableColumn("at", lambda row: str(row["at"]), "the point"))
    if table["matrix"].nunique() > 1:
        shown.append(
            TableColumn(
                "matrix",
                lambda row: MATRICES[row["matrix"]],
                "the Hessian is the curvature that slices show; the Gauss-Newton matrix is the "
                "part of it that comes from the loss's own curvature",
            )
        )
    shown += [
        TableColumn("seeds", lambda row: words.count(row["runs"]), "runs behind the medians"),
        _number("λ max", "largest", "largest eigenvalue, in the loss's own units"),
        _number("λ min", "smallest", "smallest eigenvalue; negative: the risk bends down that way"),
        _estimate("trace", "sum of all eigenvalues, and the standard error of its estimate"),
        _estimate("frobenius", "root of the sum of their squares, and its standard error"),
        _number("trace/N", "mean", "mean eigenvalue: what a random direction sees on average"),
        _number(
            "λ max / (trace/N)",
            "largest_over_mean",
            "how much sharper the sharpest direction is than a random one; without unit, no value "
            "where the trace is not positive",
        ),
        _number(
            "λ max · |θ|² / drop",
            "scale_free_sharpness",
            "scale-free sharpness: largest eigenvalue times the squared norm of the parameters "
            "over the drop that training achieved; without unit, and may be compared between "
            "losses; no value where training achieved no drop",
        ),
        _number(
            f"{words.MINUS}λ min / λ max",
            "negative_over_positive",
            "how concave the point is: 0 or less where it is convex, 1 as much as it is convex",
        ),
        _number(
            "residual",
            "residual",
            "largest |Hv - λv| of the eigenvectors, over the largest |λ|: how exact they are",
        ),
        TableColumn(
            "twice differentiable",
            lambda row: {True: "yes", False: "no"}.get(row["twice_differentiable"], _NOTHING),
            "whether loss and model have second derivatives everywhere; where not, the Hessian "
            "misses what sits in kinks and jumps",
        ),
    ]
    shown += check_results.failed_column(table)
    if table["note"].str.len().any():
        shown.append(
            TableColumn("note", lambda row: row["note"] or words.MISSING, "what limits it")
        )
    return shown


def _number(heading: str, name: str, definition: str) -> TableColumn:
    return TableColumn(heading, lambda row: words.scientific(row[name]), definition)


def _estimate(name: str, definition: str) -> TableColumn:
    def text(row: pd.Series) -> str:
        value, error = words.scientific(row[name]), words.scientific(row[f"{name}_error"])
        return value if error == words.MISSING else f"{value} ± {error}"

    return TableColumn("Frobenius norm" if name == "frobenius" else name, text, definition)

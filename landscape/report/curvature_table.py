"""Table of the curvature of the risk: one row per loss, point and matrix, medians over seeds."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from landscape.numerics.geometry import achieved_drop
from landscape.report import check_results, statistics, words
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES
from landscape.report.tables import TableColumn, value_column, varying_column
from landscape.storage.curvature_records import CurvaturePoint, CurvatureRecord, OperatorRecord

MATRICES = {"hessian": "Hessian", "gauss_newton": "Gauss-Newton"}
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
    "adaptive_sharpness",
    "negative_over_positive",
    "residual",
)


def measures(matrix: OperatorRecord, point: CurvaturePoint) -> dict[str, float]:
    """Returns the numbers of one matrix at one point of one run."""
    largest, smallest, adaptive = matrix.largest[0], matrix.smallest[0], matrix.adaptive_sharpness
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
        _ratio(np.nan if adaptive is None else adaptive, drop_of(point)),
        _ratio(-smallest, largest),
        _ratio(matrix.residual, max(abs(largest), abs(smallest))),
    )
    return dict(zip(_MEASURES, values, strict=True))


def run_measures(run: StoredRun) -> dict[str, float]:
    """Returns the numbers of the Hessian at the trained point; empty if it was not measured."""
    point = None if run.curvature is None else run.curvature.at("trained")
    if point is None or "hessian" not in point.spectra:
        return {}
    numbers = measures(point.spectra["hessian"], point)
    return {f"hessian/{name}": value for name, value in numbers.items()}


def drop_of(point: CurvaturePoint) -> float:
    """Returns the drop that training achieved; NaN if it is not positive or is rounding error."""
    return achieved_drop(point.risk, point.risk + point.drop) if point.drop > 0 else np.nan


def _ratio(number: float, unit: float) -> float:
    """Returns NaN if the unit is not positive, since the ratio would change its sign."""
    return float(number / unit) if np.isfinite(unit) and unit > 0 else np.nan


def table(groups: Mapping[str, Sequence[StoredRun]]) -> pd.DataFrame:
    """Returns one row per loss, point and matrix: medians over runs, also of ratios."""
    rows = []
    for loss, runs in groups.items():
        records = [run.curvature for run in runs if run.curvature is not None]
        for place, matrix in product(PLACES, MATRICES):
            if row := _row(records, place, matrix):
                checks = check_results.columns(runs, f"{place}/{matrix}")
                rows.append({"loss": loss} | row | checks)
    return pd.DataFrame(rows)


def _row(records: Sequence[CurvatureRecord], place: str, matrix: str) -> dict[str, Any]:
    """Returns a row without its label; empty if no run measured or omitted the matrix."""
    points = [point for record in records if (point := record.at(place)) is not None]
    runs = [measures(point.spectra[matrix], point) for point in points if matrix in point.spectra]
    reasons = [point.reasons[matrix] for point in points if matrix in point.reasons]
    if not runs and not reasons:
        return {}
    answers = {record.twice_differentiable for record in records}
    notes = [*dict.fromkeys(record.note for record in records if record.note)]
    notes += [f"{MATRICES[matrix]}: {reason}" for reason in reasons[:1]]
    return {
        "at": place,
        "matrix": matrix,
        "runs": len(runs),
        **{name: statistics.median([numbers[name] for numbers in runs]) for name in _MEASURES},
        "twice_differentiable": answers.pop() if len(answers) == 1 else None,
        "note": "; ".join(notes),
    }


def columns(table: pd.DataFrame) -> list[TableColumn]:
    """Returns the columns to show; the point and the matrix only if they differ between rows."""
    note = value_column("note", "limits of these numbers", words.or_missing)
    return [
        value_column("loss", "label of the loss"),
        *varying_column(table, "at", "the point in parameter space"),
        *varying_column(
            table,
            "matrix",
            "the Hessian is the curvature that slices show; the Gauss-Newton matrix is the part of "
            "it that comes from the curvature of the loss in the predictions",
            MATRICES.__getitem__,
        ),
        value_column("seeds", "number of runs behind the medians", words.count, "runs"),
        _number("λ max", "largest", "largest eigenvalue, in the loss's own units"),
        _number("λ min", "smallest", "smallest eigenvalue; negative along a concave direction"),
        _estimate(
            "trace",
            "trace",
            "sum of all eigenvalues, and the standard error of its estimate unless it is exact",
        ),
        _estimate(
            "Frobenius norm",
            "frobenius",
            "square root of the sum of their squares, and the standard error unless it is exact",
        ),
        _number("trace/N", "mean", "mean eigenvalue: the mean curvature in random directions"),
        _number(
            "λ max / (trace/N)",
            "largest_over_mean",
            "curvature of the sharpest direction relative to that of a random one; has no unit; "
            "undefined if the trace is not positive",
        ),
        _number(
            "λ max · |θ|² / drop",
            "scale_free_sharpness",
            "scale-free sharpness: largest eigenvalue times the squared norm of the parameters, "
            "relative to the drop achieved by training; has no unit, but a rescaling of ReLU "
            "units, which changes no prediction, changes it; undefined if training did not "
            "decrease the risk",
        ),
        *(
            [
                _number(
                    "adaptive sharpness",
                    "adaptive_sharpness",
                    "largest eigenvalue of |θ| H |θ|, |θ| as a diagonal matrix, relative to the "
                    "drop; has no unit, and no rescaling of ReLU units changes it",
                )
            ]
            if table["adaptive_sharpness"].notna().any()
            else []
        ),
        _number(
            f"{words.MINUS}λ min / λ max",
            "negative_over_positive",
            "how concave the point is: at most 0 if it is convex, 1 if as concave as convex",
        ),
        _number(
            "residual",
            "residual",
            "largest |Hv - λv| of the eigenvectors relative to the largest |λ|: their error",
        ),
        value_column(
            "twice differentiable",
            "whether loss and model have second derivatives everywhere; if not, the Hessian "
            "misses the curvature in kinks and jumps",
            lambda answer: {True: "yes", False: "no"}.get(answer, "unknown"),
            "twice_differentiable",
        ),
        *check_results.failed_column(table),
        *([note] if table["note"].any() else []),
    ]


def _number(heading: str, name: str, definition: str) -> TableColumn:
    return value_column(heading, definition, words.scientific, name)


def _estimate(heading: str, name: str, definition: str) -> TableColumn:
    def text(row: pd.Series) -> str:
        value, error = words.scientific(row[name]), words.scientific(row[f"{name}_error"])
        exact = row[f"{name}_error"] == 0 or error == words.MISSING
        return value if exact else f"{value} ± {error}"

    return TableColumn(heading, text, definition)

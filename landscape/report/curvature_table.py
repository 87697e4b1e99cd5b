"""Table of the curvature of the risk: one row per loss, point and matrix, medians over seeds."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from landscape.numerics.geometry import achieved_drop
from landscape.report import check_results, statistics, words
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES
from landscape.report.tables import Shown, TableColumn, file_column, value_column
from landscape.storage.curvature_records import CurvaturePoint, OperatorRecord

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


class CurvatureRow(NamedTuple):
    """The medians of `measures` over the runs of a loss, at a point and of a matrix."""

    loss: str
    at: str
    matrix: str
    runs: int
    medians: Mapping[str, float]
    twice_differentiable: bool | None
    note: str
    checks_failed: str


def rows(groups: Mapping[str, Sequence[StoredRun]]) -> list[CurvatureRow]:
    """Returns one row per loss, point and matrix: medians over runs, also of ratios."""
    every = (
        _row(loss, runs, place, matrix)
        for loss, runs in groups.items()
        for place, matrix in product(PLACES, MATRICES)
    )
    return [row for row in every if row is not None]


def _row(loss: str, runs: Sequence[StoredRun], place: str, matrix: str) -> CurvatureRow | None:
    """Returns a row; None if no run measured or omitted the matrix."""
    records = [run.curvature for run in runs if run.curvature is not None]
    points = [point for record in records if (point := record.at(place)) is not None]
    measured = [measures(p.spectra[matrix], p) for p in points if matrix in p.spectra]
    reasons = [point.reasons[matrix] for point in points if matrix in point.reasons]
    if not measured and not reasons:
        return None
    answers = {record.twice_differentiable for record in records}
    notes = [*dict.fromkeys(record.note for record in records if record.note)]
    notes += [f"{MATRICES[matrix]}: {reason}" for reason in reasons[:1]]
    return CurvatureRow(
        loss,
        place,
        matrix,
        len(measured),
        {name: statistics.median([each[name] for each in measured]) for name in _MEASURES},
        answers.pop() if len(answers) == 1 else None,
        "; ".join(notes),
        check_results.failed_text(runs, f"{place}/{matrix}"),
    )


def columns() -> list[TableColumn[CurvatureRow]]:
    """Returns the columns to show; the point and the matrix only if they differ between rows."""
    return [
        value_column("loss", "label of the loss", lambda row: row.loss),
        value_column("at", "the point in parameter space", lambda row: row.at, shown="varying"),
        value_column(
            "matrix",
            "the Hessian is the curvature that slices show; the Gauss-Newton matrix is the part of "
            "it that comes from the curvature of the loss in the predictions",
            lambda row: row.matrix,
            MATRICES.__getitem__,
            shown="varying",
        ),
        value_column(
            "seeds",
            "number of runs behind the medians",
            lambda row: row.runs,
            words.count,
            name="runs",
        ),
        file_column(lambda row: row.medians),
        *_absolute_columns(),
        *_relative_columns(),
        value_column(
            "twice differentiable",
            "whether loss and model have second derivatives everywhere; if not, the Hessian "
            "misses the curvature in kinks and jumps",
            lambda row: row.twice_differentiable,
            lambda answer: {True: "yes", False: "no"}.get(answer, "unknown"),
            name="twice_differentiable",
        ),
        file_column(lambda row: {"note": row.note}),
        check_results.failed_column(lambda row: row.checks_failed),
        TableColumn(
            "note",
            "limits of these numbers",
            lambda row: words.or_missing(row.note),
            shown="known",
        ),
    ]


def _absolute_columns() -> list[TableColumn[CurvatureRow]]:
    """Returns the columns in the loss's own units."""
    return [
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
    ]


def _relative_columns() -> list[TableColumn[CurvatureRow]]:
    """Returns the columns without a unit."""
    return [
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
        _number(
            "adaptive sharpness",
            "adaptive_sharpness",
            "largest eigenvalue of |θ| H |θ|, |θ| as a diagonal matrix, relative to the "
            "drop; has no unit, and no rescaling of ReLU units changes it",
            "known",
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
    ]


def _number(
    heading: str, name: str, definition: str, shown: Shown = "always"
) -> TableColumn[CurvatureRow]:
    def text(row: CurvatureRow) -> str:
        return words.scientific(row.medians[name])

    return TableColumn(heading, definition, text, shown=shown)


def _estimate(heading: str, name: str, definition: str) -> TableColumn[CurvatureRow]:
    def text(row: CurvatureRow) -> str:
        number = row.medians[f"{name}_error"]
        value, error = words.scientific(row.medians[name]), words.scientific(number)
        return value if number == 0 or error == words.MISSING else f"{value} ± {error}"

    return TableColumn(heading, definition, text)

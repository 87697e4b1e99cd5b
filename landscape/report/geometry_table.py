"""Tables of the geometry of lines and of planes: medians over runs, per loss."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from landscape.numerics.geometry import DEFINITIONS, describe_lines, describe_plane
from landscape.report import check_results, statistics, words
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES, StoredSet
from landscape.report.statistics import mean
from landscape.report.tables import TableColumn, file_column, value_column

_COUNTS = ("local_minima", "kinks", "plane_local_minima")
_SHARES = (
    "basin_bounded",
    "negative_curvature_share",
    "plateau_share",
    "basin_share",
    "nonconvex_share",
)
_ROUNDING = 1e-9
Numbers = Mapping[str, float]


def lines_of(run: StoredRun, line_set: StoredSet, point: str) -> Numbers | None:
    """Returns the geometry of a run's lines, the mean over directions; None without valid lines."""
    risk = run.slices.get(line_set.array(point, "risk"))
    coordinates = run.slices.get(line_set.array(point, "coordinates"))
    if risk is None or coordinates is None or risk.ndim != 2 or not len(risk):
        return None
    if risk.shape[1:] != coordinates.shape or not len(coordinates):
        return None
    dead_weights = run.slices.get(line_set.array(point, "dead/weights"))
    zero_gradient = (
        None if dead_weights is None or dead_weights.shape != risk.shape else dead_weights >= 1
    )
    geometry = describe_lines(risk, coordinates, _center(run, point), _initial(run), zero_gradient)
    return {name: mean(values) for name, values in geometry.items()}


def planes_of(run: StoredRun, plane_set: StoredSet, point: str) -> Numbers | None:
    """Returns the geometry of a run's planes, the mean over draws; None without valid planes."""
    risk = run.slices.get(plane_set.array(point, "risk"))
    if risk is None or risk.ndim != 3 or not risk.size:
        return None
    eigenvalues = [
        run.slices.get(plane_set.array(point, f"eigenvalue/{end}"))
        for end in ("smallest", "largest")
    ]
    measured = all(values is not None and values.shape == risk.shape for values in eigenvalues)
    geometry = [
        describe_plane(
            plane,
            _center(run, point),
            _initial(run),
            *(values[draw] for values in eigenvalues if measured and values is not None),
        )
        for draw, plane in enumerate(risk)
    ]
    return {name: mean(np.array([plane[name] for plane in geometry])) for name in geometry[0]}


def _center(run: StoredRun, point: str) -> float:
    return float(run.slices.get(f"{point}/center/risk", np.nan))


def _initial(run: StoredRun) -> float:
    return run.first("risk/evaluation")


class GeometryRow(NamedTuple):
    """The medians of the geometry over the runs of a loss, of one set at one point."""

    loss: str
    set: str
    at: str
    unit: str
    runs: int
    medians: Numbers
    checks_failed: str


def rows(
    groups: Mapping[str, Sequence[StoredRun]],
    sets: Sequence[StoredSet],
    geometry: Callable[[StoredRun, StoredSet, str], Numbers | None],
) -> list[GeometryRow]:
    """Returns one row per set, point and loss: the median over runs of `geometry`."""
    table: list[GeometryRow] = []
    for stored_set, point in product(sets, PLACES):
        unit = " | ".join(dict.fromkeys(axis.unit(point)[0] for axis in stored_set.axes))
        for loss, runs in groups.items():
            numbers = [each for run in runs if (each := geometry(run, stored_set, point))]
            if numbers:
                names = dict.fromkeys(name for each in numbers for name in each)
                table.append(
                    GeometryRow(
                        loss,
                        stored_set.label,
                        point,
                        unit,
                        len(numbers),
                        {
                            name: statistics.median([each.get(name, np.nan) for each in numbers])
                            for name in names
                        },
                        check_results.failed_text(runs, stored_set.where(point)),
                    )
                )
    return table


def columns(rows: Sequence[GeometryRow]) -> list[TableColumn[GeometryRow]]:
    """Returns the columns; those that are the same or empty in every row are not shown."""
    names = dict.fromkeys(name for row in rows for name in row.medians)
    of_lines = "basin_width" in names
    return [
        value_column("loss", "label of the loss", lambda row: row.loss),
        value_column("set", "label of the set of directions", lambda row: row.set, shown="varying"),
        value_column("at", "the point in parameter space", lambda row: row.at, shown="varying"),
        value_column(
            "unit" if of_lines else "",
            "the distance 1 along the axis",
            lambda row: row.unit,
            name="unit",
        ),
        file_column(lambda row: {"runs": row.runs, **row.medians}),
        *(_geometry_column(name) for name in names if name in DEFINITIONS),
        check_results.failed_column(lambda row: row.checks_failed),
    ]


def _geometry_column(name: str) -> TableColumn[GeometryRow]:
    heading = name.removeprefix("plane_").replace("_", " ")
    to_text = words.percentage if name in _SHARES else _count if name in _COUNTS else _short
    definition = DEFINITIONS[name]
    formula = definition.formula[0].lower() + definition.formula[1:]

    def text(row: GeometryRow) -> str:
        return to_text(row.medians.get(name, np.nan))

    return TableColumn(heading, f"{formula} [{definition.unit}]", text, shown="known")


def _short(value: float) -> str:
    """Formats rounding errors of float64 as 0: these numbers have no unit and are of order 1."""
    return words.short(0.0 if abs(value) < _ROUNDING else value)


def _count(value: float) -> str:
    return words.MISSING if np.isnan(value) else f"{value:.1f}".removesuffix(".0")

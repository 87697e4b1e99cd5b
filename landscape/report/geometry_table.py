"""Tables of the geometry of lines and of planes: medians over runs, per loss."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from landscape.numerics.geometry import DEFINITIONS, describe_lines, describe_plane
from landscape.report import check_results, statistics, words
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES, StoredSet
from landscape.report.statistics import mean
from landscape.report.tables import TableColumn, value_column, varying_column

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


def table(
    groups: Mapping[str, Sequence[StoredRun]],
    sets: Sequence[StoredSet],
    geometry: Callable[[StoredRun, StoredSet, str], Numbers | None],
) -> pd.DataFrame:
    """Returns one row per set, point and loss: the median over runs of `geometry`."""
    rows: list[dict[str, Any]] = []
    for stored_set, point in product(sets, PLACES):
        unit = " | ".join(dict.fromkeys(axis.unit(point)[0] for axis in stored_set.axes))
        labels = {"set": stored_set.label, "at": point, "unit": unit}
        for loss, runs in groups.items():
            numbers = pd.DataFrame(filter(None, (geometry(run, stored_set, point) for run in runs)))
            if len(numbers):
                rows.append(
                    {"loss": loss, **labels, "runs": len(numbers)}
                    | {name: statistics.median(numbers[name]) for name in numbers}
                    | check_results.columns(runs, stored_set.where(point))
                )
    return pd.DataFrame(rows)


def columns(table: pd.DataFrame) -> list[TableColumn]:
    """Returns the columns to show, without those that are the same or empty in every row."""
    shown = [
        value_column("loss", "label of the loss"),
        *varying_column(table, "set", "label of the set of directions"),
        *varying_column(table, "at", "the point in parameter space"),
    ]
    if "basin_width" in table:
        shown.append(value_column("unit", "the distance 1 along the axis"))
    names = [name for name in table.columns if name in DEFINITIONS and table[name].notna().any()]
    return [*shown, *map(_geometry_column, names), *check_results.failed_column(table)]


def _geometry_column(name: str) -> TableColumn:
    heading = name.removeprefix("plane_").replace("_", " ")
    to_text = words.percentage if name in _SHARES else _count if name in _COUNTS else _short
    definition = DEFINITIONS[name]
    formula = definition.formula[0].lower() + definition.formula[1:]
    return value_column(heading, f"{formula} [{definition.unit}]", to_text, name)


def _short(value: float) -> str:
    """Formats rounding errors of float64 as 0: these numbers have no unit and are of order 1."""
    return words.short(0.0 if abs(value) < _ROUNDING else value)


def _count(value: float) -> str:
    return words.MISSING if np.isnan(value) else f"{value:.1f}".removesuffix(".0")

"""Numbers of the lines and planes of each loss: medians over runs, one table each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.numerics.geometry import DEFINITIONS, describe_lines, describe_plane
from landscape.report import checks, statistics, words
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES, Set
from landscape.report.tables import TableColumn

_COUNTS = ("local_minima", "kinks", "plane_local_minima")
_SHARES = (
    "basin_bounded",
    "negative_curvature_share",
    "plateau_share",
    "basin_share",
    "nonconvex_share",
)
_ROUNDING = 1e-9
_ALWAYS = ("loss", "set", "at", "unit", "runs", "checks_failed")
Numbers = Mapping[str, float]


def lines_of(run: StoredRun, chosen: Set, at: str) -> Numbers | None:
    """The numbers of a run's lines, the mean over its directions; None where it has none."""
    risk = run.slices.get(chosen.array(at, "risk"))
    coordinates = run.slices.get(chosen.array(at, "coordinates"))
    if risk is None or coordinates is None or risk.ndim != 2 or not len(risk):
        return None
    if risk.shape[1:] != coordinates.shape or not len(coordinates):
        return None
    dead = run.slices.get(chosen.array(at, "dead/weights"))
    zero = None if dead is None or dead.shape != risk.shape else dead >= 1
    found = describe_lines(risk, coordinates, _center(run, at), _initial(run), zero)
    return {name: mean(values) for name, values in found.items()}


def planes_of(run: StoredRun, chosen: Set, at: str) -> Numbers | None:
    """The numbers of a run's planes, the mean over its draws; None where it has none."""
    risk = run.slices.get(chosen.array(at, "risk"))
    if risk is None or risk.ndim != 3 or not risk.size:
        return None
    ends = [
        run.slices.get(chosen.array(at, f"eigenvalue/{end}")) for end in ("smallest", "largest")
    ]
    known = all(end is not None and end.shape == risk.shape for end in ends)
    found = [
        describe_plane(
            plane,
            _center(run, at),
            _initial(run),
            *(end[draw] for end in ends if known and end is not None),
        )
        for draw, plane in enumerate(risk)
    ]
    return {name: mean(np.array([one[name] for one in found])) for name in found[0]}


def _center(run: StoredRun, at: str) -> float:
    return float(run.slices.get(f"{at}/center/risk", np.nan))


def _initial(run: StoredRun) -> float:
    return run.first("risk/evaluation")


def mean(values: np.ndarray) -> float:
    """Mean over the lines that have a value; NaN where none has."""
    kept = values[~np.isnan(values)]
    with np.errstate(invalid="ignore"):
        return float(kept.mean()) if len(kept) else np.nan


def table(
    groups: Mapping[str, Sequence[StoredRun]],
    sets: Sequence[Set],
    numbers: Callable[[StoredRun, Set, str], Numbers | None],
) -> pd.DataFrame:
    """A row for each set, point and loss: the median over runs of `numbers`."""
    rows: list[dict[str, Any]] = []
    for chosen in sets:
        for at in PLACES:
            unit = " | ".join(dict.fromkeys(way.unit(at)[0] for way in chosen.directions))
            for loss, runs in groups.items():
                found = [one for run in runs if (one := numbers(run, chosen, at)) is not None]
                if not found:
                    continue
                row: dict[str, Any] = {"loss": loss, "set": chosen.label, "at": at, "unit": unit}
                medians = {n: statistics.median([one[n] for one in found]) for n in found[0]}
                failed = ", ".join(checks.failed(runs, chosen.where(at)))
                rows.append(row | {"runs": len(found)} | medians | {"checks_failed": failed})
    return pd.DataFrame(rows)


def columns(table: pd.DataFrame) -> list[TableColumn]:
    """The columns as a reader sees them; without those that tell nothing apart."""
    shown = [TableColumn("loss", lambda row: str(row["loss"]), "the candidate, by its label")]
    if table["set"].nunique() > 1:
        said = "the set of directions, by its label"
        shown.append(TableColumn("set", lambda row: str(row["set"]), said))
    if table["at"].nunique() > 1:
        shown.append(TableColumn("at", lambda row: str(row["at"]), "the point"))
    if "basin_width" in table:
        said = "what a distance of 1 along the axis is"
        shown.append(TableColumn("unit", lambda row: str(row["unit"]), said))
    names = [name for name in table.columns if name not in _ALWAYS]
    shown += [_number(name) for name in names if table[name].notna().any()]
    return shown + checks.failed_column(table)


def _number(name: str) -> TableColumn:
    heading = name.removeprefix("plane_").replace("_", " ")
    form = _share if name in _SHARES else _count if name in _COUNTS else _short
    definition = DEFINITIONS[name].rstrip(".")
    return TableColumn(heading, lambda row: form(row[name]), definition[0].lower() + definition[1:])


def _short(value: float) -> str:
    """What is left of rounding in float64 is zero: no number here has a unit."""
    return words.short(0.0 if abs(value) < _ROUNDING else value)


def _count(value: float) -> str:
    return words.MISSING if np.isnan(value) else f"{value:.1f}".removesuffix(".0")


def _share(value: float) -> str:
    text = words.percent(value)
    return text if text == words.MISSING else f"{text} %"

"""The path of training on a plane, and how much of it the plane shows."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from landscape.report import statistics, words
from landscape.report.figures.view import Array
from landscape.report.results import StoredRun
from landscape.report.sets import Set

_COLOR = "#D55E00"
_START: dict[str, Any] = {
    "marker": "s",
    "markersize": 5,
    "markeredgecolor": "white",
    "markeredgewidth": 0.7,
}
_STEPS: dict[str, Any] = {"marker": "o", "markersize": 2.4, "linewidth": 1.1, "color": _COLOR}


class TrainingPath(NamedTuple):
    """Checkpoints of training on a plane: (C,) each, in the order of the steps.

    `off` is how far off the plane a checkpoint lies, as a share of its distance from the point.
    """

    x: Array
    y: Array
    risk: Array
    projected: Array
    off: Array

    @property
    def median_off(self) -> float:
        """Of the checkpoints that are not at the point itself."""
        return statistics.median(self.off)

    @property
    def misread(self) -> float:
        """Median |risk - risk of the projection| over the range of the risk along the path."""
        risk = self.risk[np.isfinite(self.risk)]
        span = float(np.ptp(risk)) if len(risk) else 0.0
        return statistics.median(np.abs(self.risk - self.projected)) / span if span else np.nan


def path(run: StoredRun, chosen: Set, at: str) -> TrainingPath | None:
    """The path that a run's plane holds, if it holds one."""
    names = ("step", "x", "y", "risk", "projected_risk", "distance")
    found = [run.slices.get(chosen.array(at, f"path/{name}")) for name in names]
    arrays = [np.asarray(array, dtype=np.float64) for array in found if array is not None]
    if len(arrays) < len(names) or len({a.shape for a in arrays}) > 1 or arrays[0].ndim != 1:
        return None
    order = np.argsort(arrays[0], kind="stable")
    _, x, y, risk, projected, away = (array[order] for array in arrays)
    if not len(order):
        return None
    return TrainingPath(x, y, risk, projected, _off(run, chosen, at, x, y, away))


def _off(run: StoredRun, chosen: Set, at: str, x: Array, y: Array, away: Array) -> Array:
    """Distances off the plane over distances from the point; NaN at the point itself."""
    norms = np.asarray(run.slices.get(chosen.array(at, "norm"), np.nan), dtype=np.float64)
    cosines = np.asarray(run.slices.get(chosen.array(at, "cosine"), 0.0), dtype=np.float64)
    if norms.ndim != 2 or norms.shape[1] != 2 or not norms.size or not cosines.size:
        return np.full(len(x), np.nan)
    (along_x, along_y), cosine = norms[0], cosines.ravel()[0]
    u, v = x * along_x, y * along_y
    within = u**2 + v**2 + 2 * cosine * u * v
    whole = np.sqrt(np.maximum(within, 0.0) + away**2)
    return np.where(whole > 0, away / np.where(whole > 0, whole, 1.0), np.nan)


def draw_path(panel: Axes, found: TrainingPath) -> None:
    """A line with a dot a checkpoint, the first one a square, cut by the frame."""
    panel.plot(found.x, found.y, color="white", linewidth=2.6, solid_capstyle="round")
    panel.plot(found.x, found.y, markeredgecolor="white", markeredgewidth=0.4, **_STEPS)
    panel.plot(found.x[:1], found.y[:1], linestyle="none", color=_COLOR, **_START)


def keys() -> list[Line2D]:
    """What the marks of a path mean, for a legend."""
    return [
        Line2D([], [], label="checkpoints of training", **_STEPS),
        Line2D([], [], label="first checkpoint", linestyle="none", color=_COLOR, **_START),
    ]


def caption(paths: Mapping[str, TrainingPath]) -> str:
    """How much of each path lies off the plane, and how wrong its projection reads the risk."""
    parts = []
    for loss, found in paths.items():
        off, misread = words.percent(found.median_off), words.percent(found.misread)
        parts.append(f"{loss}: {off} % off the plane, risk misread by {misread} %")
    return (
        " The line is the path of training, projected onto the plane: its checkpoints lie off the "
        "plane, by the median share of their distance from the point, and their risk differs from "
        "that of the projection, by the median in ranges of the risk along the path "
        f"({'; '.join(parts)})."
        if parts
        else ""
    )

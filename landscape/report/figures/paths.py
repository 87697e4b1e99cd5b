"""Draws the path of training on a plane, and measures how much of it the plane shows."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from landscape.report import statistics, words
from landscape.report.figures.style import legend_line
from landscape.report.figures.view import Array
from landscape.report.results import StoredRun
from landscape.report.sets import StoredSet

_COLOR = "#D55E00"
_START: dict[str, Any] = {
    "color": _COLOR,
    "linestyle": "none",
    "marker": "s",
    "markersize": 5,
    "markeredgecolor": "white",
    "markeredgewidth": 0.7,
}
_CHECKPOINTS: dict[str, Any] = {"marker": "o", "markersize": 2.4, "linewidth": 1.1, "color": _COLOR}


class TrainingPath(NamedTuple):
    """The C checkpoints of training projected onto a plane: arrays of shape (C,), ordered by step.

    `off` is the distance of a checkpoint from the plane, relative to its distance from the point.
    """

    x: Array
    y: Array
    risk: Array
    projected: Array
    off: Array

    @property
    def median_off(self) -> float:
        """Median of `off`, without a checkpoint at the point itself."""
        return statistics.median(self.off)

    @property
    def misread(self) -> float:
        """Median |risk - risk of the projection| over the range of the risk along the path."""
        risk = self.risk[np.isfinite(self.risk)]
        span = float(np.ptp(risk)) if len(risk) else 0.0
        return statistics.median(np.abs(self.risk - self.projected)) / span if span else np.nan


def path(run: StoredRun, plane_set: StoredSet, point: str) -> TrainingPath | None:
    """Returns the path stored with a run's plane, None if it is missing or malformed."""
    names = ("step", "x", "y", "risk", "projected_risk", "distance")
    stored = [run.slices.get(plane_set.array(point, f"path/{name}")) for name in names]
    arrays = [np.asarray(array, dtype=np.float64) for array in stored if array is not None]
    if len(arrays) < len(names) or len({a.shape for a in arrays}) > 1 or arrays[0].ndim != 1:
        return None
    order = np.argsort(arrays[0], kind="stable")
    _, x, y, risk, projected, distance = (array[order] for array in arrays)
    if not len(order):
        return None
    return TrainingPath(x, y, risk, projected, _share_off(run, plane_set, point, x, y, distance))


def _share_off(
    run: StoredRun, plane_set: StoredSet, point: str, x: Array, y: Array, distance: Array
) -> Array:
    """Returns distances from the plane over distances from the point; NaN at the point itself."""
    norms = np.asarray(run.slices.get(plane_set.array(point, "norm"), np.nan), dtype=np.float64)
    cosines = np.asarray(run.slices.get(plane_set.array(point, "cosine"), 0.0), dtype=np.float64)
    if norms.ndim != 2 or norms.shape[1] != 2 or not norms.size or not cosines.size:
        return np.full(len(x), np.nan)
    (along_x, along_y), cosine = norms[0], cosines.ravel()[0]
    u, v = x * along_x, y * along_y
    within = u**2 + v**2 + 2 * cosine * u * v
    whole = np.sqrt(np.maximum(within, 0.0) + distance**2)
    return np.where(whole > 0, distance / np.where(whole > 0, whole, 1.0), np.nan)


def draw_path(panel: Axes, path: TrainingPath) -> None:
    """Draws a line with one dot per checkpoint and a square at the first."""
    panel.plot(path.x, path.y, color="white", linewidth=2.6, solid_capstyle="round")
    panel.plot(path.x, path.y, markeredgecolor="white", markeredgewidth=0.4, **_CHECKPOINTS)
    panel.plot(path.x[:1], path.y[:1], **_START)


def path_legend() -> list[Line2D]:
    """Returns the legend entries of a path."""
    return [
        legend_line("checkpoints of training", **_CHECKPOINTS),
        legend_line("first checkpoint", **_START),
    ]


def caption(paths: Mapping[str, TrainingPath]) -> str:
    """Describes how far each path lies off the plane, and how far off the projected risk is."""
    if not paths:
        return ""
    texts = []
    for loss, path in paths.items():
        off, misread = words.percent(path.median_off), words.percent(path.misread)
        texts.append(f"{loss}: {off} % off the plane, risk off by {misread} %")
    return (
        "The line is the path of training, projected onto the plane. In brackets: the distance of "
        "the checkpoints from the plane, relative to their distance from the point, and the "
        "difference between their risk and that of their projection, relative to the range of the "
        f"risk along the path; medians over checkpoints ({'; '.join(texts)})."
    )

"""Selects the planes to draw for each loss, their scales and their titles."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet, QuadContourSet
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from landscape.report import check_results, words
from landscape.report.figures import panel_layout
from landscape.report.figures.fitted_text import label
from landscape.report.figures.line_panels import LOGARITHMIC_FACTOR
from landscape.report.figures.panel_layout import PanelFigure
from landscape.report.figures.paths import TrainingPath, path
from landscape.report.figures.style import POWER_TICK, TICK, few_ticks
from landscape.report.figures.view import Array, View, representative_runs
from landscape.report.results import StoredRun
from landscape.report.sets import StoredSet

COLORS = colormaps["viridis"]
# Heights above the 95th percentile are cut if they stretch the scale by more than this factor.
_STRETCH_FACTOR = 2.5
_FLAT_TOLERANCE = 1e-6
# A plane whose axes have a larger cosine than this is not drawn at right angles.
MAX_COSINE = 0.1
_EXTREMES = ("eigenvalue/smallest", "eigenvalue/largest")


class Plane(NamedTuple):
    """One plane of one run: x (Px,), y (Py,), values (Py, Px), and where the gradient is zero.

    `draw` is the number of the draw, from 1, and the number of draws; `axes` are the axis labels;
    `extremes` are the smallest and the largest eigenvalue of the Hessian at each cell, empty if not
    measured; `failed` are the failed checks of this set.
    """

    loss: str
    seed: int | None
    draw: tuple[int, int]
    x: Array
    y: Array
    values: Array
    metric: Array | None
    zero_gradient: NDArray[np.bool_]
    axes: tuple[str, str]
    cosine: float
    path: TrainingPath | None
    extremes: tuple[Array, ...]
    failed: tuple[str, ...]


class Heights(NamedTuple):
    """Heights to draw, masked if not finite.

    `values` are the risks, or their decimal logarithms if `logarithmic`; `low` and `high` are the
    ends of the scale; `share` is the share of the finite cells that were cut at `high`.
    """

    values: np.ma.MaskedArray
    low: float
    high: float
    share: float = 0.0
    logarithmic: bool = False

    @property
    def flat(self) -> bool:
        return self.high - self.low <= _FLAT_TOLERANCE * max(abs(self.low), abs(self.high))

    @property
    def ticks(self) -> FuncFormatter:
        """The tick labels of the scale, always in the units of the risk."""
        return POWER_TICK if self.logarithmic else TICK


def heights(values: Array) -> Heights:
    """Returns the heights of a plane on a scale that is logarithmic, cut, or neither.

    Positive risks whose 95th percentile exceeds 20 times their median get a logarithmic scale and
    are not cut. Others are cut at the 95th percentile if the cells above it would stretch the
    scale by a factor of more than 2.5.
    """
    masked = np.ma.masked_invalid(values)
    if not masked.count():
        return Heights(masked, 0.0, 0.0)
    finite = masked.compressed()
    low, highest = float(finite.min()), float(finite.max())
    middle, high = (float(value) for value in np.percentile(finite, [50, 95]))
    if low > 0 and high > LOGARITHMIC_FACTOR * middle:
        return Heights(np.ma.log10(masked), np.log10(low), np.log10(highest), logarithmic=True)
    if high <= low or highest - low <= _STRETCH_FACTOR * (high - low):
        return Heights(masked, low, highest)
    return Heights(np.ma.minimum(masked, high), low, high, float(np.mean(finite > high)))


def planes(view: View, plane_set: StoredSet, point: str) -> list[Plane]:
    """Returns all draws of the planes of a set, for the representative run of each loss."""
    name = plane_set.array(point, "risk")
    candidates = {loss: [r for r in runs if name in r.slices] for loss, runs in view.runs.items()}
    return [
        plane
        for loss, run in representative_runs(view, candidates).items()
        for plane in _draws(view, loss, run, plane_set, point)
    ]


def _draws(view: View, loss: str, run: StoredRun, plane_set: StoredSet, point: str) -> list[Plane]:
    def array(name: str) -> Array | None:
        stored = run.slices.get(plane_set.array(point, name))
        return None if stored is None else np.asarray(stored, dtype=np.float64)

    x, y, risk = array("x"), array("y"), array("risk")
    if x is None or y is None or risk is None or risk.shape[1:] != (len(y), len(x)):
        return []
    if min(len(x), len(y)) < 2:
        return []
    measured = {
        name: values
        for name in (view.metric, "dead/weights", *_EXTREMES)
        if (values := array(name)) is not None and values.shape == risk.shape
    }
    cosines = array("cosine")
    if cosines is None or cosines.shape != risk.shape[:1]:
        cosines = np.full(len(risk), np.nan)
    axes = _axis_labels(plane_set, point, array("explained"))
    failed = tuple(check_results.failed([run], plane_set.where(point)))
    drawn = []
    for number, values in enumerate(risk):
        at_draw = {name: array[number] for name, array in measured.items()}
        drawn.append(
            Plane(
                loss=loss,
                seed=view.seed(run),
                draw=(number + 1, len(risk)),
                x=x,
                y=y,
                values=values,
                metric=at_draw.get(view.metric),
                zero_gradient=at_draw.get("dead/weights", np.zeros_like(values)) >= 1.0,
                axes=axes,
                cosine=float(cosines[number]),
                path=path(run, plane_set, point) if number == 0 else None,
                extremes=tuple(at_draw[name] for name in _EXTREMES if name in at_draw),
                failed=failed,
            )
        )
    return drawn


def _axis_labels(plane_set: StoredSet, point: str, explained: Array | None) -> tuple[str, str]:
    """Returns the axis labels, like `trajectory 1 (83 % of the path)`; equal ones are numbered."""
    names = [axis.label(point) for axis in plane_set.axes]
    if names[0] == names[1]:
        names = [f"{name} {number}" for number, name in enumerate(names, 1)]
    shares = explained if explained is not None and explained.shape == (2,) else [np.nan] * 2
    texts = [
        f"{name} ({words.percent(share)} % of the path)" if np.isfinite(share) else name
        for name, share in zip(names, shares, strict=True)
    ]
    return texts[0], texts[1]


def square_panels(count: int, legend: Sequence[Artist] = ()) -> tuple[PanelFigure, list[Axes]]:
    """Returns at most three square panels per row, with the legend below them."""
    max_width = None if panel_layout.columns_for(count, 3, 1.5) == 3 else 3.0
    return panel_layout.panels(count, 3, None, min_width=1.5, max_width=max_width, legend=legend)


def draw_contours(
    panel: Axes, x: Array, y: Array, height: Heights, level_count: int
) -> QuadContourSet:
    """Fills the levels between the ends of the scale and draws white lines between them."""
    levels = np.linspace(height.low, height.high, level_count)
    filled = panel.contourf(x, y, height.values, levels=levels, cmap=COLORS)
    lines = panel.contour(x, y, height.values, levels=levels[1:-1], colors="white", alpha=0.75)
    lines.set_linewidth(0.35)
    return filled


def height_scale(panel: Axes, filled: ContourSet, height: Heights, **options: Any) -> None:
    """Draws the color scale of contours at the right of their panel."""
    ticks = MaxNLocator(4, integer=height.logarithmic)
    panel_layout.color_scale(panel, filled, ticks=ticks, format=height.ticks, **options)


def dot_region(panel: Axes, x: Array, y: Array, region: NDArray[np.bool_]) -> None:
    """Covers a region with dots."""
    if region.any():
        values = region.astype(np.float64)
        panel.contourf(x, y, values, levels=[0.5, 1.5], colors="none", hatches=["...."])


def finish(panel: Axes, plane: Plane, note: str) -> None:
    """Adds the cross at the point, the limits, the ticks and the title to a drawn panel."""
    panel.plot(0, 0, marker="+", color="white", markersize=11, markeredgewidth=3)
    panel.plot(0, 0, marker="+", color="black", markersize=9, markeredgewidth=1.3)
    frame_plane(panel, plane.x, plane.y)
    set_plane_title(panel, plane, note)


def frame_plane(panel: Axes, x: Array, y: Array) -> None:
    """Ends both axes with the grid of the plane, with few ticks."""
    panel.set_xlim(x[0], x[-1])
    panel.set_ylim(y[0], y[-1])
    few_ticks(panel.xaxis)
    few_ticks(panel.yaxis)


def set_plane_title(panel: Axes, plane: Plane, note: str) -> None:
    """Sets the loss; below it seed, draw, the note and the cosine; below these failed checks."""
    cosine = words.minus(f"cosine {plane.cosine:.2f}") if abs(plane.cosine) > MAX_COSINE else ""
    second = ", ".join(filter(None, (seed_and_draw(plane), note, cosine)))
    panel_layout.set_title(panel, plane.loss, second, check_results.mark(plane.failed))


def label_axes(axes: Sequence[Axes], shown_planes: Sequence[Plane]) -> None:
    """Labels the axes: each panel if the labels differ, else the outer panels only."""
    if len({plane.axes for plane in shown_planes}) == 1:
        panel_layout.outer_labels(axes, *shown_planes[0].axes)
        return
    for panel, plane in zip(axes, shown_planes, strict=True):
        room = panel_layout.room(panel)
        x, y = (label(name.replace(" of the path)", ")"), room) for name in plane.axes)
        panel.set_xlabel(x, labelpad=1)
        panel.set_ylabel(y, labelpad=1)


def failed_sentence(shown_planes: Sequence[Plane]) -> str:
    """Names the failed checks of the planes; empty without any."""
    return check_results.sentence({plane.loss: plane.failed for plane in shown_planes})


def seed_and_draw(plane: Plane) -> str:
    """Returns `seed 1, draw 2 of 3`, omitting the draw if there is only one."""
    number, count = plane.draw
    seed = "" if plane.seed is None else f"seed {plane.seed}"
    return ", ".join(filter(None, (seed, f"draw {number} of {count}" if count > 1 else "")))


def scale_note(height: Heights) -> str:
    """Describes the scale of a plane for its title: logarithmic, or the share that was cut."""
    if height.logarithmic:
        return "logarithmic"
    return f"{words.percent(height.share)} % cut" if height.share else ""

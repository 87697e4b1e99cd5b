"""Draws contours of the risk on a plane through a point."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from landscape.report import check_results, words
from landscape.report.figures import panel_layout, paths, plane_panels, style
from landscape.report.figures.fitted_text import label
from landscape.report.figures.panel_layout import PanelFigure
from landscape.report.figures.plane_panels import Heights, Plane
from landscape.report.figures.view import Picture, View, joined
from landscape.report.sets import PLACES, StoredSet

_LEVELS = 14
_NOT_FINITE: dict[str, Any] = {
    "facecolor": "#d9d9d9",
    "edgecolor": "#8a8a8a",
    "hatch": "////",
    "linewidth": 0,
}


def contours(view: View, plane_set: StoredSet, point: str) -> Picture | None:
    """Draws contours of the plane of each loss, with the point and the path of training."""
    shown_planes = plane_panels.planes(view, plane_set, point)
    if not shown_planes:
        return None
    scales = [plane_panels.heights(plane.values) for plane in shown_planes]
    figure, axes, columns = plane_panels.square_panels(
        len(shown_planes), legend=_legend(shown_planes, scales, PLACES[point])
    )
    for panel, plane, height in zip(axes, shown_planes, scales, strict=True):
        _draw_contour(figure, panel, plane, height)
        plane_panels.finish(panel, columns, plane, plane_panels.scale_note(height))
    label_axes(axes, shown_planes, columns)
    return Picture(
        plane_set.file("contours", point),
        view.title("Risk on a plane", plane_set, point),
        _caption(plane_set, point, shown_planes, scales),
        "Contours of the risk, one panel per loss.",
        figure,
        "planes",
    )


def _labels_differ(shown_planes: list[Plane]) -> bool:
    """Returns whether the axis labels differ between planes."""
    return len({plane.axes for plane in shown_planes}) > 1


def label_axes(axes: Sequence[Axes], shown_planes: list[Plane], columns: int) -> None:
    """Labels the axes: each panel if the labels differ, else the outer panels only."""
    if not _labels_differ(shown_planes):
        panel_layout.outer_labels(axes, columns, *shown_planes[0].axes)
        return
    for panel, plane in zip(axes, shown_planes, strict=True):
        room = panel_layout.panel_width(columns)
        x, y = (label(name.replace(" of the path)", ")"), room) for name in plane.axes)
        panel.set_xlabel(x, labelpad=1)
        panel.set_ylabel(y, labelpad=1)


def units(plane_set: StoredSet, point: str) -> str:
    """Explains the distance 1 along each axis, once if both agree."""
    first, second = (axis.unit(point)[1] for axis in plane_set.axes)
    if first == second:
        return first
    names = [axis.phrase(point) for axis in plane_set.axes]
    return f"Along {names[0]}: {_lower_first(first)} Along {names[1]}: {_lower_first(second)}"


def _lower_first(text: str) -> str:
    return text[0].lower() + text[1:]


def _caption(
    plane_set: StoredSet,
    point: str,
    shown_planes: list[Plane],
    scales: list[Heights],
) -> str:
    first, second = (axis.phrase(point) for axis in plane_set.axes)
    same = first == second
    span = f"two {first.removeprefix('a ')}s" if same else f"{first} and {second}"
    shared = ", and share its directions" if same else ""
    return joined(
        f"The risk on the evaluation set on a plane spanned by {span} through {PLACES[point]} (the "
        "cross).",
        units(plane_set, point),
        "All losses are shown at the same seed, whose runs rank closest to the median"
        f"{shared}. Every panel has its own color scale, in the loss's own units.",
        any(height.share for height in scales)
        and "A few very high cells are cut in the drawing, not in the data; the share cut is "
        "printed above each panel.",
        any(abs(plane.cosine) > plane_panels.MAX_COSINE for plane in shown_planes)
        and "If a cosine is given, the directions are not orthogonal and the plane is drawn "
        "distorted.",
        paths.caption({plane.loss: plane.path for plane in shown_planes if plane.path is not None}),
        any("%" in name for plane in shown_planes for name in plane.axes)
        and "Percentages beside the axes are the shares of the squared distances of the path from "
        "the point that each axis explains.",
        check_results.sentence({plane.loss: plane.failed for plane in shown_planes}),
    )


def _draw_contour(figure: PanelFigure, panel: Axes, plane: Plane, height: Heights) -> None:
    panel.grid(visible=False)
    corner, width = (plane.x[0], plane.y[0]), plane.x[-1] - plane.x[0]
    panel.add_patch(Rectangle(corner, width, plane.y[-1] - plane.y[0], zorder=0, **_NOT_FINITE))
    if height.flat and height.values.count():
        _draw_flat(panel, plane, height)
    elif height.values.count():
        filled = plane_panels.draw_contours(panel, plane.x, plane.y, height, _LEVELS)
        ticks = MaxNLocator(4, integer=height.logarithmic)
        panel_layout.color_scale(figure, panel, filled, ticks=ticks, format=height.ticks)
    plane_panels.dot_region(panel, plane.x, plane.y, plane.zero_gradient)
    if plane.path is not None:
        paths.draw_path(panel, plane.path)


def _draw_flat(panel: Axes, plane: Plane, height: Heights) -> None:
    middle_color = np.ma.masked_array(np.full(plane.values.shape, 0.5), height.values.mask)
    cells = panel.pcolormesh(plane.x, plane.y, middle_color, shading="nearest", rasterized=True)
    cells.set(cmap=plane_panels.COLORS, norm=Normalize(0, 1))
    panel.text(
        0.5,
        0.22,
        f"constant: {words.decimal(height.low)}",
        ha="center",
        va="center",
        transform=panel.transAxes,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.5},
    )


def _legend(shown_planes: list[Plane], scales: list[Heights], center: str) -> list[Artist]:
    cross = style.legend_line(
        center, marker="+", color="black", markersize=9, markeredgewidth=1.3, linestyle="none"
    )
    entries: list[Artist] = [cross]
    if any(np.ma.is_masked(height.values) for height in scales):
        entries.append(Patch(label="risk not finite", **_NOT_FINITE))
    if any(plane.zero_gradient.any() for plane in shown_planes):
        dots = Patch(facecolor="white", edgecolor="black", hatch="....", linewidth=0)
        dots.set_label("gradient exactly zero")
        entries.append(dots)
    if any(plane.path is not None for plane in shown_planes):
        entries += paths.path_legend()
    return entries

"""Draws contours of the risk on a plane through a point."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from landscape.report import words
from landscape.report.figures import paths, plane_panels, style
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
    legend = _legend(shown_planes, scales, PLACES[point])
    figure, axes = plane_panels.square_panels(len(shown_planes), legend)
    for panel, plane, height in zip(axes, shown_planes, scales, strict=True):
        _draw_contour(panel, plane, height)
        plane_panels.finish(panel, plane, plane_panels.scale_note(height))
    plane_panels.label_axes(axes, shown_planes)
    return Picture(
        plane_set.file("contours", point),
        view.title("Risk on a plane", plane_set, point),
        _caption(view, plane_set, point, shown_planes, scales),
        f"Contours of the risk, one panel per {view.row}.",
        figure,
        "planes",
    )


def units(plane_set: StoredSet, point: str) -> str:
    """Explains the distance 1 along each axis, once if both agree."""
    first, second = (axis.unit(point)[1] for axis in plane_set.axes)
    if first == second:
        return first
    along = zip(plane_set.axes, (first, second), strict=True)
    return " ".join(
        f"Along {axis.phrase(point)}: {text[0].lower()}{text[1:]}" for axis, text in along
    )


def _caption(
    view: View,
    plane_set: StoredSet,
    point: str,
    shown_planes: Sequence[Plane],
    scales: Sequence[Heights],
) -> str:
    first, second = (axis.phrase(point) for axis in plane_set.axes)
    same = first == second
    span = f"two {first.removeprefix('a ')}s" if same else f"{first} and {second}"
    return joined(
        f"The risk on the evaluation set on a plane spanned by {span} through {PLACES[point]} (the "
        "cross).",
        units(plane_set, point),
        view.selection(shares_directions=same),
        "Every panel has its own color scale, in the loss's own units.",
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
        plane_panels.failed_sentence(shown_planes),
    )


def _draw_contour(panel: Axes, plane: Plane, height: Heights) -> None:
    panel.grid(visible=False)
    corner, width = (plane.x[0], plane.y[0]), plane.x[-1] - plane.x[0]
    panel.add_patch(Rectangle(corner, width, plane.y[-1] - plane.y[0], zorder=0, **_NOT_FINITE))
    if height.flat and height.values.count():
        _draw_flat(panel, plane, height)
    elif height.values.count():
        filled = plane_panels.draw_contours(panel, plane.x, plane.y, height, _LEVELS)
        plane_panels.height_scale(panel, filled, height)
    plane_panels.dot_region(panel, plane.x, plane.y, plane.zero_gradient)
    if plane.path is not None:
        paths.draw_path(panel, plane.path)


def _draw_flat(panel: Axes, plane: Plane, height: Heights) -> None:
    middle_color = np.ma.masked_array(np.full(plane.values.shape, 0.5), height.values.mask)
    cells = panel.pcolormesh(plane.x, plane.y, middle_color, shading="nearest", rasterized=True)
    style.color_cells(cells, plane_panels.COLORS)
    text, box = f"constant: {words.decimal(height.low)}", {"facecolor": "white", "pad": 2.5}
    props: dict[str, Any] = {"ha": "center", "va": "center", "bbox": box | {"edgecolor": "none"}}
    panel.text(0.5, 0.22, text, transform=panel.transAxes, **props)


def _legend(shown_planes: Sequence[Plane], scales: Sequence[Heights], center: str) -> list[Artist]:
    cross = style.legend_line(
        center, marker="+", color="black", markersize=9, markeredgewidth=1.3, linestyle="none"
    )
    entries: list[Artist] = [cross]
    if any(np.ma.is_masked(height.values) for height in scales):
        entries.append(Patch(label="risk not finite", **_NOT_FINITE))
    if any(plane.zero_gradient.any() for plane in shown_planes):
        dots: dict[str, Any] = {"facecolor": "white", "edgecolor": "black", "hatch": "...."}
        entries.append(Patch(label="gradient exactly zero", linewidth=0, **dots))
    if any(plane.path is not None for plane in shown_planes):
        entries += paths.path_legend()
    return entries

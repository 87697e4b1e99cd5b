"""Draws the risk on a plane through a point as surfaces in three dimensions."""

from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d import Axes3D  # type: ignore[import-untyped]

from landscape.report.figures import panel_layout, plane_panels
from landscape.report.figures.fitted_text import shorten
from landscape.report.figures.plane_panels import Plane
from landscape.report.figures.view import Picture, View, joined
from landscape.report.sets import PLACES, StoredSet

# Inches above a row, for the titles.
_TITLE = 0.36


def surfaces(view: View, plane_set: StoredSet, point: str) -> Picture | None:
    """Draws the planes of the contours as surfaces."""
    shown_planes = plane_panels.planes(view, plane_set, point)
    if not shown_planes:
        return None
    count = len(shown_planes)
    options: dict[str, Any] = {"projection": "3d", "computed_zorder": False}
    figure, axes = panel_layout.panels(count, 3, 1.0, min_width=1.6, **options)
    columns = -(-count // len(figure.rows))
    side = min(panel_layout.width() / columns, 3.2)
    share = columns * side / panel_layout.width()
    # The frame of a surface already contains the labels of its axes.
    figure.set_layout_engine(None)
    title = _TITLE + 0.15 * any(plane.failed for plane in shown_planes)
    height = (side + title) * len(figure.rows)
    figure.set_figheight(height)
    left, right = (1 - share) / 2 + 0.01, (1 + share) / 2 - 0.06
    top, gap = 1 - title / height, title / side
    figure.subplots_adjust(left, 0.02, right, top, wspace=0.12, hspace=gap)
    for panel, plane in zip(axes, shown_planes, strict=True):
        assert isinstance(panel, Axes3D)
        _draw_surface(panel, plane)
    caption = joined(
        "The same planes as surfaces: height and color are the risk, in the loss's own units, the "
        f"floor shows the distances along both directions, the red point is {PLACES[point]}. "
        "Scales and cuts are the same as for the contours.",
        plane_panels.failed_sentence(shown_planes),
    )
    return Picture(
        plane_set.file("surfaces", point),
        view.title("Surface", plane_set, point),
        caption,
        f"Surfaces of the risk, one panel per {view.row}.",
        figure,
        "planes",
    )


def _draw_surface(panel: Axes3D, plane: Plane) -> None:
    height = plane_panels.heights(plane.values)
    x, y = np.meshgrid(plane.x, plane.y)
    low, high = (height.low, height.high) if not height.flat else (height.low - 1, height.high + 1)
    colors = {"cmap": plane_panels.COLORS, "norm": Normalize(low, high), "edgecolor": "#00000030"}
    cells = {"rstride": 1, "cstride": 1, "linewidth": 0.15}
    panel.plot_surface(x, y, height.values.filled(np.nan), **colors, **cells)
    if not height.values.count():
        panel.text2D(0.5, 0.45, "no finite value", ha="center", transform=panel.transAxes)
    middle = height.values[len(plane.y) // 2, len(plane.x) // 2]
    if middle is not np.ma.masked:
        edge = {"markeredgecolor": "white", "markeredgewidth": 0.6}
        props = {"marker": "o", "color": "#D55E00", "markersize": 4, "zorder": 5}
        panel.plot([0], [0], [middle], **props, **edge)
    panel.set_zlim(low, high)
    panel.set_box_aspect((1, 1, 0.72), zoom=1.08)
    panel.view_init(elev=32, azim=-58)
    for axis in (panel.xaxis, panel.yaxis, panel.zaxis):
        integer = height.logarithmic and axis is panel.zaxis
        axis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10], integer=integer))
        axis.set_pane_color((1, 1, 1, 0))
        axis._axinfo["grid"].update(color="#dddddd", linewidth=0.5)
    visible_ticks = [end for end in panel.get_zticks() if low <= end <= high]
    longest = max((len(height.ticks(end)) for end in visible_ticks), default=1)
    panel.tick_params(pad=-3)
    panel.tick_params(axis="z", pad=longest - 4)
    panel.patch.set_visible(False)
    for axis, name in zip((panel.xaxis, panel.yaxis), plane.axes, strict=True):
        axis.set_label_text(_short_label(name))
        axis.labelpad = -7
    panel.zaxis.set_major_formatter(height.ticks)
    plane_panels.set_plane_title(panel, plane, plane_panels.scale_note(height))


def _short_label(name: str) -> str:
    """Returns a short axis label."""
    name = name.split(" (")[0]
    name = "random" if name == "random direction" else name.removeprefix("random ")
    return shorten(name, 16)

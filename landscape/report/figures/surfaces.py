"""The risk on a plane through a point as surfaces in three dimensions."""

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d import Axes3D  # type: ignore[import-untyped]

from landscape.report.figures.lines import PLACES, suffix
from landscape.report.figures.planes import COLORS, Plane, heights, planes, title
from landscape.report.figures.style import (
    Grid,
    columns_for,
    panels,
)
from landscape.report.figures.view import Picture, View


def surfaces(view: View, at: str) -> Picture | None:
    """The same planes as surfaces."""
    found = planes(view, at)
    if not found:
        return None
    columns = columns_for(len(found), 3)
    tall = 2.0 if columns == 3 else 2.9
    grid = Grid(
        columns, tall, left=0.1, right=0.5, top=0.36, bottom=0.28, across=0.3, down=0.5, most=3.2
    )
    figure, axes = panels(len(found), grid, projection="3d", computed_zorder=False)
    for panel, plane in zip(axes, found, strict=True):
        assert isinstance(panel, Axes3D)
        _draw_surface(panel, plane)
    caption = (
        "The same planes as surfaces: height and color are the risk, in the loss's own units, the "
        f"floor the distances along both directions, the red point {PLACES[at]}. Scales and cuts "
        "are those of the contours."
    )
    return Picture(
        f"surfaces{suffix(at)}",
        f"Surfaces around {PLACES[at]}",
        caption,
        "Surfaces of the risk, one panel a loss.",
        figure,
    )


def _draw_surface(panel: Axes3D, plane: Plane) -> None:
    height = heights(plane.values)
    x, y = np.meshgrid(plane.x, plane.y)
    low, high = (height.low, height.high) if not height.flat else (height.low - 1, height.high + 1)
    panel.plot_surface(
        x,
        y,
        height.values.filled(np.nan),
        cmap=COLORS,
        norm=Normalize(low, high),
        rstride=1,
        cstride=1,
        linewidth=0.15,
        edgecolor="#00000030",
    )
    if not height.values.count():
        panel.text2D(0.5, 0.45, "no finite value", ha="center", transform=panel.transAxes)
    middle = height.values[len(plane.y) // 2, len(plane.x) // 2]
    if middle is not np.ma.masked:
        panel.plot(
            [0],
            [0],
            [middle],
            marker="o",
            color="#D55E00",
            markersize=4,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=5,
        )
    panel.set_zlim(low, high)
    panel.set_box_aspect((1, 1, 0.72), zoom=1.08)
    panel.view_init(elev=32, azim=-58)
    for axis in (panel.xaxis, panel.yaxis, panel.zaxis):
        whole = height.logarithmic and axis is panel.zaxis
        axis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10], integer=whole))
        axis.set_pane_color((1, 1, 1, 0))
        axis._axinfo["grid"].update(color="#dddddd", linewidth=0.5)
    inside = [end for end in panel.get_zticks() if low <= end <= high]
    longest = max((len(height.ticks(end)) for end in inside), default=1)
    panel.tick_params(pad=-3)
    panel.tick_params(axis="z", pad=longest - 4)
    panel.patch.set_visible(False)
    panel.set_xlabel("direction 1", labelpad=-7)
    panel.set_ylabel("direction 2", labelpad=-7)
    panel.zaxis.set_major_formatter(height.ticks)
    panel.set_title(title(plane, height), loc="left", y=0.98)

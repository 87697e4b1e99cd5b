"""Draws contours of the risk on a plane through a point."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from landscape.report import check_results, words
from landscape.report.figures import paths
from landscape.report.figures.plane_panels import (
    COLORS,
    Heights,
    Plane,
    finish,
    heights,
    planes,
    scale_note,
    title_height,
)
from landscape.report.figures.style import (
    WIDTH,
    PanelGrid,
    columns_for,
    outer_labels,
    panels,
)
from landscape.report.figures.view import Picture, View
from landscape.report.sets import PLACES, StoredSet

_LEVELS = 14
_OBLIQUE = (
    " If a cosine is given, the directions are not orthogonal and the plane is drawn distorted."
)
_SHARES = (
    " Percentages beside the axes are the shares of the squared distances of the path from the "
    "point "
    "that each axis explains."
)


def contours(view: View, plane_set: StoredSet, point: str) -> Picture | None:
    """Draws contours of the plane of each loss, with the point and the path of training."""
    shown_planes = planes(view, plane_set, point)
    if not shown_planes:
        return None
    columns = columns_for(len(shown_planes), 3)
    figure, axes = panels(len(shown_planes), layout(shown_planes, columns), foot=0.25)
    scales = [heights(plane.values) for plane in shown_planes]
    for panel, plane, height in zip(axes, shown_planes, scales, strict=True):
        _draw_contour(figure, panel, plane, height)
    label_axes(axes, shown_planes, columns)
    keys = _keys(shown_planes, scales, PLACES[point])
    figure.legend(handles=keys, loc="lower center", ncols=5, columnspacing=1.2)
    return Picture(
        plane_set.file("contours", point),
        plane_title(view, "Risk on a plane", plane_set, point),
        _caption(plane_set, point, shown_planes, scales),
        "Contours of the risk, one panel per loss.",
        figure,
        "planes",
    )


def layout(shown_planes: list[Plane], columns: int) -> PanelGrid:
    """Returns a grid of square panels, each with room for a color scale beside it."""
    across = 1.12 if _labels_differ(shown_planes) else 0.9
    side = (WIDTH - 1.34 - across * (columns - 1)) / columns if columns == 3 else 2.15
    top = title_height(shown_planes)
    label_height = 0.14 if _labels_differ(shown_planes) else 0.0
    return PanelGrid(
        columns,
        side,
        top=top,
        down=0.17 + top + label_height,
        across=across,
        left=0.62,
        right=0.72,
        most=side,
    )


def _labels_differ(shown_planes: list[Plane]) -> bool:
    """Returns whether the axis labels differ between planes."""
    return len({plane.axes for plane in shown_planes}) > 1


def label_axes(axes: Sequence[Axes], shown_planes: list[Plane], columns: int) -> None:
    """Labels the axes: each panel if the labels differ, else the outer panels only."""
    if not _labels_differ(shown_planes):
        outer_labels(axes, columns, *shown_planes[0].axes, away=0.4)
        return
    for panel, plane in zip(axes, shown_planes, strict=True):
        panel.set_xlabel(_short_label(plane.axes[0]), labelpad=1)
        panel.set_ylabel(_short_label(plane.axes[1]), labelpad=1)
        panel.yaxis.set_label_coords(-0.4 / (WIDTH * panel.get_position().width), 0.5)


def _short_label(name: str) -> str:
    return name.replace(" of the path)", ")")


def plane_title(view: View, quantity: str, plane_set: StoredSet, point: str) -> str:
    """Returns the title of a figure of planes, with the label of the set if there are several."""
    suffix = f": {plane_set.label}" if len(view.planes) > 1 else ""
    return f"{quantity} through {PLACES[point]}{suffix}"


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
    plane_set: StoredSet, point: str, shown_planes: list[Plane], scales: list[Heights]
) -> str:
    any_cut = any(height.share for height in scales)
    path_of = {plane.loss: plane.path for plane in shown_planes if plane.path is not None}
    first, second = (axis.phrase(point) for axis in plane_set.axes)
    span = f"{first} and {second}"
    if first == second:
        span = f"two {first.removeprefix('a ')}s"
    return (
        f"The risk on the evaluation set on a plane spanned by {span} through "
        f"{PLACES[point]} (the cross). {units(plane_set, point)} All losses are shown at the same "
        "seed, whose "
        "runs rank closest to the median"
        + (", and share its directions" if first == second else "")
        + ". Every panel has its own color scale, in the loss's own units."
        + (
            " A few very high cells are cut in the drawing, not in the data; the share cut is "
            "printed "
            "above each panel."
            if any_cut
            else ""
        )
        + (_OBLIQUE if any(abs(plane.cosine) > 0.1 for plane in shown_planes) else "")
        + paths.caption(path_of)
        + (_SHARES if any("%" in name for plane in shown_planes for name in plane.axes) else "")
        + check_results.sentence({plane.loss: plane.failed for plane in shown_planes})
    )


def _draw_contour(figure: Figure, panel: Axes, plane: Plane, height: Heights) -> None:
    panel.grid(visible=False)
    width, tall = plane.x[-1] - plane.x[0], plane.y[-1] - plane.y[0]
    panel.add_patch(
        Rectangle(
            (plane.x[0], plane.y[0]),
            width,
            tall,
            facecolor="#d9d9d9",
            edgecolor="#8a8a8a",
            hatch="////",
            linewidth=0,
            zorder=0,
        )
    )
    if height.flat and height.values.count():
        _draw_flat(panel, plane, height)
    elif height.values.count():
        levels = np.linspace(height.low, height.high, _LEVELS)
        filled = panel.contourf(plane.x, plane.y, height.values, levels=levels, cmap=COLORS)
        panel.contour(
            plane.x,
            plane.y,
            height.values,
            levels=levels[1:-1],
            colors="white",
            linewidths=0.35,
            alpha=0.75,
        )
        _color_scale(figure, panel, filled, height)
    if plane.zero_gradient is not None and plane.zero_gradient.any():
        panel.contourf(
            plane.x,
            plane.y,
            plane.zero_gradient,
            levels=[0.5, 1.5],
            colors="none",
            hatches=["...."],
        )
    if plane.path is not None:
        paths.draw_path(panel, plane.path)
    finish(panel, plane, scale_note(height))


def _draw_flat(panel: Axes, plane: Plane, height: Heights) -> None:
    middle_color = np.ma.masked_array(np.full(plane.values.shape, 0.5), height.values.mask)
    panel.pcolormesh(
        plane.x,
        plane.y,
        middle_color,
        cmap=COLORS,
        norm=Normalize(0, 1),
        shading="nearest",
        rasterized=True,
    )
    panel.text(
        0.5,
        0.22,
        f"constant: {words.decimal(height.low)}",
        ha="center",
        va="center",
        transform=panel.transAxes,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.5},
    )


def _color_scale(figure: Figure, panel: Axes, filled: ContourSet, height: Heights) -> None:
    position = panel.get_position()
    axes = figure.add_axes((position.x1 + 0.07 / WIDTH, position.y0, 0.09 / WIDTH, position.height))
    axes.grid(visible=False)
    bar = figure.colorbar(filled, cax=axes)
    bar.set_ticks(MaxNLocator(4, integer=height.logarithmic))
    bar.formatter = height.ticks
    bar.update_ticks()
    axes.tick_params(width=0.5, length=2, pad=2)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)


def _keys(shown_planes: list[Plane], scales: list[Heights], center: str) -> list[Line2D | Patch]:
    keys: list[Line2D | Patch] = [
        Line2D(
            [],
            [],
            marker="+",
            color="black",
            markersize=9,
            markeredgewidth=1.3,
            linestyle="none",
            label=center,
        )
    ]
    if any(np.ma.is_masked(height.values) for height in scales):
        keys.append(
            Patch(
                facecolor="#d9d9d9",
                edgecolor="#8a8a8a",
                hatch="////",
                linewidth=0,
                label="risk not finite",
            )
        )
    if any(plane.zero_gradient is not None and plane.zero_gradient.any() for plane in shown_planes):
        keys.append(
            Patch(
                facecolor="white",
                edgecolor="black",
                hatch="....",
                linewidth=0,
                label="gradient exactly zero",
            )
        )
    return keys + (paths.keys() if any(plane.path is not None for plane in shown_planes) else [])

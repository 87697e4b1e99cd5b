"""Contours of the risk on a plane through a point."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from landscape.report import checks, words
from landscape.report.figures import paths
from landscape.report.figures.plane_panels import (
    COLORS,
    Heights,
    Plane,
    above,
    cut,
    finish,
    heights,
    planes,
)
from landscape.report.figures.style import (
    WIDTH,
    PanelGrid,
    columns_for,
    outer_labels,
    panels,
)
from landscape.report.figures.view import Picture, View
from landscape.report.sets import PLACES, Set

_LEVELS = 14
_ASKEW = (
    " Where a cosine is given the directions are not at right angles, and the plane is drawn askew."
)
_SHARES = (
    " Percentages beside the axes are shares of the path's squared distances from the point that "
    "each of them explains."
)


def contours(view: View, chosen: Set, at: str) -> Picture | None:
    """Contours of each loss's plane, the point itself and the path of training marked."""
    found = planes(view, chosen, at)
    if not found:
        return None
    columns = columns_for(len(found), 3)
    figure, axes = panels(len(found), layout(found, columns), foot=0.25)
    scales = [heights(plane.values) for plane in found]
    for panel, plane, height in zip(axes, found, scales, strict=True):
        _draw_contour(figure, panel, plane, height)
    label_axes(axes, found, columns)
    keys = _keys(found, scales, PLACES[at])
    figure.legend(handles=keys, loc="lower center", ncols=5, columnspacing=1.2)
    return Picture(
        chosen.file("contours", at),
        plane_title(view, "Risk on a plane", chosen, at),
        _caption(chosen, at, found, scales),
        "Contours of the risk, one panel a loss.",
        figure,
        "planes",
    )


def layout(found: list[Plane], columns: int) -> PanelGrid:
    """Square panels, each with room for a color scale beside it."""
    across = 1.12 if _own_labels(found) else 0.9
    side = (WIDTH - 1.34 - across * (columns - 1)) / columns if columns == 3 else 2.15
    top = above(found)
    own = 0.14 if _own_labels(found) else 0.0
    return PanelGrid(
        columns,
        side,
        top=top,
        down=0.17 + top + own,
        across=across,
        left=0.62,
        right=0.72,
        most=side,
    )


def _own_labels(found: list[Plane]) -> bool:
    """Whether the names of the axes differ from plane to plane."""
    return len({plane.axes for plane in found}) > 1


def label_axes(axes: Sequence[Axes], found: list[Plane], columns: int) -> None:
    """The names of the directions, on each panel where they differ."""
    if not _own_labels(found):
        outer_labels(axes, columns, *found[0].axes, away=0.4)
        return
    for panel, plane in zip(axes, found, strict=True):
        panel.set_xlabel(_short(plane.axes[0]), labelpad=1)
        panel.set_ylabel(_short(plane.axes[1]), labelpad=1)
        panel.yaxis.set_label_coords(-0.4 / (WIDTH * panel.get_position().width), 0.5)


def _short(name: str) -> str:
    return name.replace(" of the path)", ")")


def plane_title(view: View, what: str, chosen: Set, at: str) -> str:
    """The heading of a figure of planes, with the label where there are several sets."""
    called = f": {chosen.label}" if len(view.planes) > 1 else ""
    return f"{what} through {PLACES[at]}{called}"


def units(chosen: Set, at: str) -> str:
    """What a distance of 1 means along each axis, said once where both agree."""
    first, second = (direction.unit(at)[1] for direction in chosen.directions)
    if first == second:
        return first
    names = [direction.spoken(at) for direction in chosen.directions]
    return f"Along {names[0]}: {_lower(first)} Along {names[1]}: {_lower(second)}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _caption(chosen: Set, at: str, found: list[Plane], scales: list[Heights]) -> str:
    sliced = any(height.share for height in scales)
    trained = {plane.loss: plane.path for plane in found if plane.path is not None}
    first, second = (direction.spoken(at) for direction in chosen.directions)
    spanned = f"{first} and {second}"
    if first == second:
        spanned = f"two {first.removeprefix('a ')}s"
    return (
        f"The risk on the evaluation set on a plane spanned by {spanned} through "
        f"{PLACES[at]} (the cross). {units(chosen, at)} All losses are shown at one seed, whose "
        "runs rank nearest the middle"
        + (", and share its directions" if first == second else "")
        + ". Every panel has its own color scale, in the loss's own units."
        + (
            " A few very high cells are cut when drawing, never in the data: the share cut stands "
            "above each panel."
            if sliced
            else ""
        )
        + (_ASKEW if any(abs(plane.cosine) > 0.1 for plane in found) else "")
        + paths.caption(trained)
        + (_SHARES if any("%" in name for plane in found for name in plane.axes) else "")
        + checks.sentence({plane.loss: plane.failed for plane in found})
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
    finish(panel, plane, cut(height))


def _draw_flat(panel: Axes, plane: Plane, height: Heights) -> None:
    shown = np.ma.masked_array(np.full(plane.values.shape, 0.5), height.values.mask)
    panel.pcolormesh(
        plane.x,
        plane.y,
        shown,
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
    place = panel.get_position()
    axes = figure.add_axes((place.x1 + 0.07 / WIDTH, place.y0, 0.09 / WIDTH, place.height))
    axes.grid(visible=False)
    bar = figure.colorbar(filled, cax=axes)
    bar.set_ticks(MaxNLocator(4, integer=height.logarithmic))
    bar.formatter = height.ticks
    bar.update_ticks()
    axes.tick_params(width=0.5, length=2, pad=2)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)


def _keys(found: list[Plane], scales: list[Heights], center: str) -> list[Line2D | Patch]:
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
    if any(plane.zero_gradient is not None and plane.zero_gradient.any() for plane in found):
        keys.append(
            Patch(
                facecolor="white",
                edgecolor="black",
                hatch="....",
                linewidth=0,
                label="gradient exactly zero",
            )
        )
    return keys + (paths.keys() if any(plane.path is not None for plane in found) else [])

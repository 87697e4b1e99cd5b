"""Contours of the risk on a plane through a point."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from landscape.report import words
from landscape.report.figures.lines import PLACES, distance, suffix
from landscape.report.figures.planes import COLORS, Heights, Plane, heights, planes, title
from landscape.report.figures.style import (
    WIDTH,
    Grid,
    columns_for,
    few_ticks,
    outer_labels,
    panels,
)
from landscape.report.figures.view import Picture, View

_LEVELS = 14


def contours(view: View, at: str) -> Picture | None:
    """Contours of each loss's plane, the point itself marked."""
    found = planes(view, at)
    if not found:
        return None
    columns = columns_for(len(found), 3)
    side = (WIDTH - 1.34 - 0.9 * (columns - 1)) / columns if columns == 3 else 2.15
    grid = Grid(columns, side, top=0.45, down=0.62, across=0.9, left=0.62, right=0.72, most=side)
    figure, axes = panels(len(found), grid, foot=0.25)
    scales = [heights(plane.values) for plane in found]
    for panel, plane, height in zip(axes, found, scales, strict=True):
        _draw_contour(figure, panel, plane, height)
    outer_labels(axes, columns, "direction 1", "direction 2", away=0.4)
    figure.legend(handles=_keys(found, scales, PLACES[at]), loc="lower center", ncols=4)
    return Picture(
        f"contours{suffix(at)}",
        f"Risk on a plane through {PLACES[at]}",
        _contour_caption(view, at, scales),
        "Contours of the risk, one panel a loss.",
        figure,
    )


def _contour_caption(view: View, at: str, scales: list[Heights]) -> str:
    cut = any(height.share for height in scales)
    return (
        f"The risk on the evaluation set on a plane spanned by two random directions through "
        f"{PLACES[at]} (the cross). {distance(view)} All losses are shown at one seed, whose "
        "runs rank nearest the middle, and share its directions. Every panel has its "
        "own color scale, in the loss's own units."
    ) + (
        " A few very high cells are cut when drawing, never in the data: the share cut stands "
        "above each panel."
        if cut
        else ""
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
    panel.plot(0, 0, marker="+", color="white", markersize=11, markeredgewidth=3)
    panel.plot(0, 0, marker="+", color="black", markersize=9, markeredgewidth=1.3)
    panel.set_xlim(plane.x[0], plane.x[-1])
    panel.set_ylim(plane.y[0], plane.y[-1])
    few_ticks(panel.xaxis)
    few_ticks(panel.yaxis)
    panel.set_title(title(plane, height), loc="left")


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
    return keys

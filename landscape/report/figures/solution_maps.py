"""Solutions under each other's losses as a map, and the risk on the ways between solutions."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from landscape.report import words
from landscape.report.across import BARRIER, Matrix, Ways
from landscape.report.figures.style import (
    GREY,
    WIDTH,
    PanelGrid,
    Style,
    columns_for,
    few_ticks,
    outer_labels,
    panels,
    plain,
    shorten,
)
from landscape.report.figures.view import Array, Picture

_EXCESS = colormaps["YlGnBu"]
_HEIGHT = colormaps["YlOrBr"]
_UNKNOWN = "#ececec"
_NAME = 22


def excess(found: Matrix, metric: str) -> Picture:
    """Relative excess of each solution under each loss, and a last column for the task metric."""
    figure, panel = _map(
        found.losses, found.excess, _EXCESS, (-0.2, 1.2), "relative excess", ("min", "max"), 1
    )
    panel.set_ylabel("solution of")
    _metric_column(figure, panel, found, words.metric_label(metric))
    over = f"median over {found.seeds} seeds" if found.seeds > 1 else "one seed"
    caption = (
        "How good the solution of each loss (row) is under every other loss (column): "
        "(risk - risk of that loss's own solution) / (risk of the untrained model - risk of its "
        f"own solution), {over}. 0 is as good as its own solution, 1 as bad as no training, "
        "below 0 better than its own. It has no unit, so all cells are on one scale; colors are "
        f"cut at {words.MINUS}0.2 and 1.2, numbers are not. "
        "The last column is the task metric of each solution."
    )
    return Picture(
        "across",
        "Each solution under every loss",
        caption,
        "A map of the relative excess, a row a solution, a column a loss.",
        figure,
        "across",
    )


def between_losses(losses: Sequence[str], found: Sequence[Ways]) -> Picture:
    """Heights of the barriers between the solutions of two losses, under one of them."""
    values = np.full((len(losses),) * 2, np.nan)
    for way in found:
        (other,) = set(way.losses) - {way.under}
        values[losses.index(other), losses.index(way.under)] = way.height
    figure, panel = _map(losses, values, _HEIGHT, (0, 1), "barrier (drops)", ("neither", "max"))
    panel.set_ylabel("solution of")
    caption = (
        "How high a barrier lies on the straight way between the solutions of two losses that "
        "start alike (row and column), measured under the loss of the column: the highest rise "
        "over the chord between both ends, in drops that training achieved under that loss, "
        f"median over seeds. Below {BARRIER:g} there is none. Colors are cut at 1."
    )
    return Picture(
        "interpolations_losses",
        "Between the solutions of two losses",
        caption,
        "A map of the heights of barriers, a row and a column a loss.",
        figure,
        "across",
    )


def _map(
    losses: Sequence[str],
    values: Array,
    colors: Colormap,
    ends: tuple[float, float],
    label: str,
    extend: tuple[str, str],
    more: int = 0,
) -> tuple[Figure, Axes]:
    """A square map with a number in each cell; `more` columns stay free at its right."""
    count = len(losses)
    names = [plain(shorten(loss, _NAME)) for loss in losses]
    left = 0.55 + 0.075 * max(map(len, names))
    top = 0.32 + 0.048 * max(map(len, names))
    cell = min(0.62, (WIDTH - left - 1.0) / (count + 1.3 * more))
    tall = max(0.34, min(cell, 0.42))
    width, height = cell * count, tall * count
    start = max(left, (WIDTH - width - 1.2 * more * cell - 0.7 + left - 0.9) / 2)
    total = top + height + 0.15
    figure = Figure(figsize=(WIDTH, total))
    panel = figure.add_axes((start / WIDTH, 0.15 / total, width / WIDTH, height / total))
    panel.grid(visible=False)
    panel.set_facecolor(_UNKNOWN)
    norm = Normalize(*ends, clip=True)
    shown = np.ma.masked_invalid(np.clip(values, *ends))
    image = panel.imshow(shown, cmap=colors, norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        dark = np.isfinite(value) and _luminance(colors(norm(value))) < 0.5
        panel.text(
            column,
            row,
            _number(value),
            ha="center",
            va="center",
            color="white" if dark else "black",
            fontsize=8 if cell > 0.4 else 6.5,
        )
    panel.set_yticks(range(count), names)
    panel.set_xticks(range(count), names, rotation=35, ha="left", rotation_mode="anchor")
    panel.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    panel.set_xlabel("under the loss")
    panel.xaxis.set_label_position("top")
    _lines_between(panel, count, count)
    place = panel.get_position()
    right = place.x1 + (1.2 * more * cell + 0.14) / WIDTH
    axes = figure.add_axes((right, place.y0, 0.09 / WIDTH, place.height))
    axes.grid(visible=False)
    bar = figure.colorbar(image, cax=axes, label=label)
    bar.ax.tick_params(width=0.5, length=2, pad=2)
    return figure, panel


def _lines_between(panel: Axes, rows: int, columns: int) -> None:
    for spine in panel.spines.values():
        spine.set_visible(False)
    for row in range(1, rows):
        panel.axhline(row - 0.5, color="white", linewidth=1)
    for column in range(1, columns):
        panel.axvline(column - 0.5, color="white", linewidth=1)


def _metric_column(figure: Figure, panel: Axes, found: Matrix, label: str) -> None:
    place, count = panel.get_position(), len(found.losses)
    cell = place.width / count
    column = figure.add_axes((place.x1 + 0.15 * cell, place.y0, cell, place.height))
    column.grid(visible=False)
    column.set_facecolor("#f6f6f6")
    column.set_xlim(-0.5, 0.5)
    column.set_ylim(count - 0.5, -0.5)
    for row, value in enumerate(found.metric):
        column.text(0, row, words.decimal(value), ha="center", va="center")
    column.set_yticks([])
    column.set_xticks([0], [plain(label)], rotation=35, ha="left", rotation_mode="anchor")
    column.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    _lines_between(column, count, 1)


def _luminance(color: tuple[float, ...]) -> float:
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def _number(value: float) -> str:
    if not np.isfinite(value):
        return words.decimal(value)
    text = f"{value:.2f}" if abs(value) < 10 else words.scientific(value)
    return words.minus("0.00" if text == "-0.00" else text)


def between_seeds(found: Sequence[Ways], styles: Mapping[str, Style]) -> Picture:
    """The risk on the way between two seeds, all pairs thin, their mean thick, a panel a loss."""
    columns = columns_for(len(found), 3)
    grid = PanelGrid(columns, 1.4, top=0.42, down=0.62, across=0.55)
    figure, axes = panels(len(found), grid, foot=0.25)
    for panel, way in zip(axes, found, strict=True):
        style = styles[way.under]
        _draw_ways(panel, way, style.color)
        panel.set_title(f"{style.title}\n{_said(way)}", loc="left")
    outer_labels(axes, columns, "from one seed (0) to another (1)", "rise in drops", away=0.45)
    keys = [
        Line2D([], [], color="black", label="mean"),
        Line2D([], [], color="black", linewidth=0.5, alpha=0.6, label="one pair of seeds"),
    ]
    figure.legend(handles=keys, loc="lower center", ncols=2)
    caption = (
        "The risk on the straight way between the solutions of two seeds: (risk - risk of the "
        "better end) / drop that training achieved (mean of both ends), so 1 is as bad as no "
        "training. A barrier is the highest rise over the chord between both ends, median over "
        f"pairs; below {BARRIER:g} there is none. Solutions of different seeds may lie in one "
        "valley up to the order of their units, which a straight way does not see."
    )
    return Picture(
        "interpolations_seeds",
        "Between the solutions of two seeds",
        caption,
        "Risk on the way between two seeds, one panel a loss.",
        figure,
        "across",
    )


def _said(way: Ways) -> str:
    if np.isnan(way.height):
        return "no height"
    return f"barrier {_number(way.height)}" if way.height >= BARRIER else "no barrier"


def _draw_ways(panel: Axes, way: Ways, color: str) -> None:
    lines = np.where(np.isfinite(way.lines), way.lines, np.nan)
    for line in lines:
        panel.plot(way.coordinates, line, color=color, linewidth=0.5, alpha=0.6)
    known = ~np.isnan(lines).all(axis=0)
    mean = np.full(len(way.coordinates), np.nan)
    mean[known] = np.nanmean(lines[:, known], axis=0)
    panel.plot(way.coordinates, mean, color=color, linewidth=1.8)
    if not known.any():
        panel.text(0.5, 0.5, "no finite value", ha="center", transform=panel.transAxes)
        panel.set_yticks([])
    else:
        panel.axhline(0, color=GREY, linewidth=0.6, zorder=1)
        low, high = panel.get_ylim()
        panel.set_ylim(min(low, -0.02), max(high, 5 * BARRIER))
        few_ticks(panel.yaxis, 4)
    panel.set_xlim(0, 1)
    few_ticks(panel.xaxis, 2)

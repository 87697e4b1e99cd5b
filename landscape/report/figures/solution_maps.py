"""Maps of solutions under each other's losses, and the risk on the segments between them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap

from landscape.report import words
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.cells import draw_cells, name_columns, separate_cells, write_cell
from landscape.report.figures.fitted_text import fit
from landscape.report.figures.panel_layout import PanelFigure
from landscape.report.figures.view import Array, Picture, finite_values
from landscape.report.solutions import BARRIER, ExcessMatrix, Interpolations

_EXCESS_MAP = colormaps["YlGnBu"]
_HEIGHT_MAP = colormaps["YlOrBr"]
_SLANTED = {"rotation": 35, "ha": "left", "rotation_mode": "anchor"}
_NAME_WIDTH = 1.5  # inches
_CELL_HEIGHT, _CELL_WIDTH = 0.36, 0.62


def excess(matrix: ExcessMatrix, metric: str) -> Picture:
    """Draws the relative excess of each solution under each loss, and the task metric beside it."""
    figure, (panel, column) = _grid(len(matrix.losses), extra_columns=1)
    _metric_column(column, matrix, words.metric_label(metric))
    ends, scale = (-0.2, 1.2), "relative excess"
    _draw_map(panel, matrix.losses, matrix.excess, _EXCESS_MAP, ends, scale)
    seeds_text = f"median over {matrix.seeds} seeds" if matrix.seeds > 1 else "one seed"
    caption = (
        "The solution of each loss (row) evaluated under every other loss (column): (risk - risk "
        "of that loss's own solution) / (risk of the untrained model - risk of its own solution), "
        f"{seeds_text}. At 0 the solution is as good as that loss's own, at 1 as bad as no "
        "training, below 0 better than that loss's own. The excess has no unit, so all cells share "
        f"one scale; colors are cut at {words.MINUS}0.2 and 1.2, numbers are not. The last column "
        "is the task metric of each solution."
    )
    return Picture(
        "across",
        "Each solution under every loss",
        caption,
        "A map of the relative excess, one row per solution, one column per loss.",
        figure,
        "across",
    )


def between_losses(losses: Sequence[str], segments: Sequence[Interpolations]) -> Picture:
    """Draws the heights of the barriers between the solutions of two losses, under one of them."""
    values = np.full((len(losses),) * 2, np.nan)
    for segment in segments:
        (other,) = set(segment.losses) - {segment.under}
        values[losses.index(other), losses.index(segment.under)] = segment.height
    figure, (panel,) = _grid(len(losses))
    _draw_map(panel, losses, values, _HEIGHT_MAP, (0, 1), "barrier (drops)")
    caption = (
        "The height of the barrier on the straight segment between the solutions of two losses "
        "with the same initial parameters (row and column), under the loss of the column: the "
        "largest rise above the chord between both ends, relative to the drop of the risk in "
        f"training, median over seeds. Heights below {BARRIER:g} are not called a barrier. Colors "
        "are cut at 1."
    )
    return Picture(
        "interpolations_losses",
        "Between the solutions of two losses",
        caption,
        "A map of the heights of barriers, one row and one column per loss.",
        figure,
        "across",
    )


def _grid(count: int, extra_columns: int = 0) -> tuple[PanelFigure, list[Axes]]:
    """Returns a panel for a square map of `count` losses, and narrow ones at its right."""
    height = _CELL_HEIGHT * count
    figure = panel_layout.figure([height])
    free = panel_layout.width() - _CELL_WIDTH * (count + extra_columns) - _NAME_WIDTH - 1.0
    if free > 0:
        figure.place_between(free / 2)
    ratios = [count, *[1] * extra_columns]
    axes = figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
    figure.rows = [axes[0]]
    return figure, list(axes)


def _draw_map(
    panel: Axes,
    losses: Sequence[str],
    values: Array,
    colors: Colormap,
    ends: tuple[float, float],
    scale: str,
) -> None:
    """Draws a square map with a number in each cell, and its color scale at the right."""
    room = min(_NAME_WIDTH, 0.3 * panel_layout.width())
    names = [figure_text(fit(loss, room)) for loss in losses]
    small = (panel_layout.width() - _NAME_WIDTH - 1.0) / (len(losses) + 1) < 0.4
    texts = [[_number(value) for value in row] for row in values]
    image = draw_cells(panel, values, texts, colors, ends, 6.5 if small else 8.0)
    panel.set_yticks(range(len(losses)), names)
    panel.set_ylabel("solution of")
    panel.set_xlabel("under the loss")
    panel.xaxis.set_label_position("top")
    name_columns(panel, names, **_SLANTED)
    assert panel.figure is not None
    panel_layout.color_scale(panel.figure.axes[:], image).ax.set_ylabel(scale)


def _metric_column(column: Axes, matrix: ExcessMatrix, label: str) -> None:
    separate_cells(column, len(matrix.losses), 1, "#f6f6f6")
    for row, value in enumerate(matrix.metric):
        write_cell(column, row, 0, words.decimal(value))
    column.set_yticks([])
    name_columns(column, [figure_text(fit(label, _NAME_WIDTH))], **_SLANTED)


def _number(value: float) -> str:
    if not np.isfinite(value):
        return words.decimal(value)
    text = f"{value:.2f}" if abs(value) < 10 else words.scientific(value)
    return words.minus("0.00" if text == "-0.00" else text)


def between_seeds(segments: Sequence[Interpolations], styles: Mapping[str, style.Style]) -> Picture:
    """Draws the risk between two seeds: each pair thin, the mean thick, one panel per loss."""
    handles = [
        style.legend_line("mean", color="black"),
        style.legend_line("one pair of seeds", color="black", linewidth=0.5, alpha=0.6),
    ]
    figure, axes = panel_layout.panels(len(segments), 3, 1.4, min_width=1.4, legend=handles)
    for panel, segment in zip(axes, segments, strict=True):
        _draw_segments(panel, segment, styles[segment.under].color)
        panel_layout.set_title(panel, segment.under, _barrier_text(segment))
    panel_layout.outer_labels(axes, "from one seed (0) to another (1)", "rise in drops")
    caption = (
        "The risk on the straight segment between the solutions of two seeds: (risk - risk of the "
        "better end) / drop of the risk in training (mean of both ends), so 1 is as bad as no "
        "training. A barrier is the largest rise above the chord between both ends, median over "
        f"pairs, if it is at least {BARRIER:g}. Solutions of different seeds may lie in the same "
        "valley up to a permutation of their units; a straight segment does not show that."
    )
    return Picture(
        "interpolations_seeds",
        "Between the solutions of two seeds",
        caption,
        "Risk between the solutions of two seeds, one panel per loss.",
        figure,
        "across",
    )


def _barrier_text(segment: Interpolations) -> str:
    if np.isnan(segment.height):
        return "no height"
    return f"barrier {_number(segment.height)}" if segment.height >= BARRIER else "no barrier"


def _draw_segments(panel: Axes, segment: Interpolations, color: str) -> None:
    lines = finite_values(segment.lines)
    for _, line in lines.iterrows():
        panel.plot(segment.coordinates, line, color=color, linewidth=0.5, alpha=0.6)
    panel.plot(segment.coordinates, lines.mean(), color=color, linewidth=1.8)
    if lines.isna().all(axis=None):
        style.replace_panel(panel, "no finite value")
    else:
        panel.axhline(0, **style.ZERO)
        low, high = panel.get_ylim()
        panel.set_ylim(min(low, -0.02), max(high, 5 * BARRIER))
        style.few_ticks(panel.yaxis, 4)
    panel.set_xlim(0, 1)
    style.few_ticks(panel.xaxis, 2)

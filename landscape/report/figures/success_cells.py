"""Draws how many runs succeed under each condition, as cells: losses by values of each axis."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from landscape.report.compare_conditions import Cell
from landscape.report.compare_text import value_text
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.cells import draw_cells, name_columns
from landscape.report.figures.fitted_text import fit, inches
from landscape.report.figures.view import Picture, joined
from landscape.report.tuned_comparison import TunedComparison

_COLORS = colormaps["YlGnBu"]
_RETUNED = "retuned"
_CELL = 0.46  # inches wide
_ROW = 0.27
_GAP = 0.22  # inches between two axes


class AxisCells(NamedTuple):
    """The cells of one axis by loss and value; `retuned` if losses were tuned under its values."""

    axis: str
    values: tuple[str, ...]
    unchanged: tuple[bool, ...]
    retuned: bool
    cells: Mapping[tuple[str, str], Cell]


class _Line(NamedTuple):
    """Axes beside each other, which share the names of the rows."""

    axes: list[AxisCells]
    names: list[str]

    @property
    def height(self) -> float:
        return _ROW * len(self.names) * (0.85 if self.axes[0].retuned else 1.0)


def success_cells(comparison: TunedComparison, styles: Mapping[str, style.Style]) -> Picture | None:
    """Draws a map per axis with the runs that succeed; two rows per loss if it was retuned."""
    axes = _axes(comparison.cells)
    if not axes:
        return None
    known = {name for axis in axes for name, _ in axis.cells}
    losses = [loss.name for loss in comparison.losses if loss.name in known]
    texts = [fit(name, 0.25 * panel_layout.width()) for name in losses]
    left = 0.25 + max(map(inches, [*texts, _RETUNED]))
    names = list(map(figure_text, texts))
    lines = [
        _Line(line, [text for name in names for text in ((name, _RETUNED) if twice else (name,))])
        for twice in (False, True)
        for line in _lines([axis for axis in axes if axis.retuned == twice], left)
    ]
    figure = _draw_lines(lines, losses, left)
    reference = comparison.record.reference
    caption = joined(
        "Runs that succeed out of all judged runs, when one property of the experiment is changed: "
        f"their test {comparison.label} reaches 95 % of the gain of {reference}, the reference, "
        "under the same condition. The darker, the more. A bold value is that of the unchanged "
        "experiment.",
        any(axis.retuned for axis in axes)
        and "Where a loss has two rows, the upper one is at the learning rate that was tuned "
        "without the change, the lower one at a rate that was tuned under it.",
    )
    title, alternative = "Robustness", "Successful runs, one row per loss, a column per condition."
    return Picture("robustness", title, caption, alternative, figure, "compare")


def _draw_lines(
    lines: Sequence[_Line], losses: Sequence[str], left: float
) -> panel_layout.PanelFigure:
    """Draws the lines below each other; all cells are equally wide."""
    heights = [line.height for line in lines]
    figure = panel_layout.figure(heights)
    grid = figure.add_gridspec(len(lines), 1, height_ratios=heights)
    cells = max(sum(len(axis.values) for axis in line.axes) for line in lines)
    free = (
        panel_layout.width() - left - _CELL * cells - _GAP * max(len(line.axes) for line in lines)
    )
    figure.place_between(max(0.0, free / 2))
    for row, line in enumerate(lines):
        counts = [len(axis.values) for axis in line.axes]
        rest = [cells - sum(counts)] if cells > sum(counts) else []
        places = grid[row].subgridspec(1, len(counts + rest), width_ratios=[*counts, *rest])
        panels = [figure.add_subplot(places[i]) for i in range(len(counts))]
        for panel, axis in zip(panels, line.axes, strict=True):
            _draw_axis(panel, axis, losses)
            names = line.names if axis is line.axes[0] else []
            panel.set_yticks(range(len(names)), names)
            for label in panel.get_yticklabels():
                label.set_color(style.GRAY if label.get_text() == _RETUNED else "black")
        figure.rows = [*figure.rows, panels[0]]
    return figure


def _axes(cells: Sequence[Cell]) -> list[AxisCells]:
    axes = []
    for name in dict.fromkeys(cell.axis for cell in cells):
        of_axis = [cell for cell in cells if cell.axis == name]
        values = {value_text(cell.value): cell.unchanged for cell in of_axis}
        by_place = {(cell.loss, value_text(cell.value)): cell for cell in of_axis}
        retuned = any(cell.retuned is not None for cell in of_axis)
        axes.append(AxisCells(name, tuple(values), tuple(values.values()), retuned, by_place))
    return axes


def _lines(axes: Sequence[AxisCells], left: float) -> Iterator[list[AxisCells]]:
    """Yields the axes that fit beside each other, `left` inches from the edge."""
    room = panel_layout.width() - left + _GAP
    line: list[AxisCells] = []
    used = 0.0
    for axis in axes:
        width = _CELL * len(axis.values) + _GAP
        if line and used + width > room:
            yield line
            line, used = [], 0.0
        line.append(axis)
        used += width
    if line:
        yield line


def _draw_axis(panel: Axes, axis: AxisCells, losses: Sequence[str]) -> None:
    per_loss = 2 if axis.retuned else 1
    shape = per_loss * len(losses), len(axis.values)
    shares, texts = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    for (loss, value), cell in axis.cells.items():
        if loss not in losses:
            continue
        first, column = per_loss * losses.index(loss), axis.values.index(value)
        for row, item in enumerate((cell.tuned, cell.retuned)[:per_loss], first):
            if item is not None and item.success.total:
                shares[row, column] = item.success.value
                texts[row, column] = f"{item.success.number}/{item.success.total}"
    draw_cells(panel, shares, texts.tolist(), _COLORS)
    for row in range(per_loss, len(shares), per_loss) if axis.retuned else ():
        panel.axhline(row - 0.5, color="white", linewidth=3)
    name_columns(panel, list(map(figure_text, axis.values)))
    panel.tick_params(pad=2)
    panel.set_title(figure_text(axis.axis.replace("_", " ")), loc="left", pad=16)
    for label, unchanged in zip(panel.get_xticklabels(), axis.unchanged, strict=True):
        label.set_fontweight("bold" if unchanged else "normal")

"""Draws cells: colored squares with a text each, and the names of rows and columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage

from landscape.report.figures import style
from landscape.report.figures.view import Array


def draw_cells(
    panel: Axes,
    values: Array,
    texts: Sequence[Sequence[str]],
    colors: Colormap,
    ends: tuple[float, float] = (0.0, 1.0),
    size: float = 8.0,
) -> AxesImage:
    """Draws values (rows, columns), cut at the ends of the scale and gray if not finite."""
    norm = Normalize(*ends, clip=True)
    cut = np.ma.masked_invalid(np.clip(values, *ends))
    image = panel.imshow(cut, cmap=colors, norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = colors(norm(value))
        dark = np.isfinite(value) and 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        write_cell(panel, row, column, texts[row][column], "white" if dark else "black", size)
    separate_cells(panel, values.shape[0], values.shape[1], style.UNKNOWN_COLOR)
    return image


def write_cell(
    panel: Axes, row: int, column: int, text: str, color: str = "black", size: float = 8.0
) -> None:
    """Writes a text in the center of a cell; nothing if it is empty."""
    if text:
        panel.text(column, row, text, ha="center", va="center", color=color, fontsize=size)


def separate_cells(panel: Axes, rows: int, columns: int, background: str) -> None:
    """Draws white lines between the cells, and removes frame and grid."""
    panel.set_facecolor(background)
    panel.spines[:].set_visible(False)
    panel.grid(visible=False)
    panel.set_xlim(-0.5, columns - 0.5)
    panel.set_ylim(rows - 0.5, -0.5)
    for row in range(1, rows):
        panel.axhline(row - 0.5, color="white", linewidth=1)
    for column in range(1, columns):
        panel.axvline(column - 0.5, color="white", linewidth=1)


def name_columns(panel: Axes, names: Sequence[str], **text: Any) -> None:
    """Writes the names above the columns, and removes all tick marks."""
    panel.set_xticks(range(len(names)), names, **text)
    panel.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)

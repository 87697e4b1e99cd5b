"""Lays out panels by matplotlib's constrained layout: panels of a fixed height, or square ones."""

import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from landscape.report.figures import rendering
from landscape.report.figures.fitted_text import inches, label

# Inches of a row or column of panels that titles, labels and gaps take: of a row at most, since
# its panels get their height after the layout.
_ROW_DECORATIONS, _DECORATIONS = 1.0, 0.62
# Inches of a legend entry without its text, and of a line of the legend.
_HANDLE, _LEGEND_LINE = 0.62, 0.18


class PanelFigure(Figure):
    """A figure of the width of the style whose rows of panels have given heights in inches.

    `rows` holds a panel per row; without `heights` each is as high as it is wide. `titles` are kept
    within the figure.
    """

    rows: Sequence[Axes] = ()
    heights: Sequence[float] = ()
    titles: Sequence[Text] = ()

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Returns what a notebook shows, and its width on the screen."""
        return rendering.png_bytes(self), {"width": round(96 * self.get_figwidth())}

    def place_between(self, margin: float) -> None:
        """Leaves this many inches free at the left and at the right."""
        engine = self.get_layout_engine()
        assert isinstance(engine, ConstrainedLayoutEngine)
        share = margin / self.get_figwidth()
        engine.set(rect=(share, 0, 1 - 2 * share, 1))

    def settle(self) -> None:
        """Computes the layout, once: all formats and processes draw the same positions."""
        engine = self.get_layout_engine()
        if not isinstance(engine, ConstrainedLayoutEngine):
            return
        if not self.axes:
            self.set_layout_engine(None)
            return
        for line in (line for panel in self.axes for line in panel.lines):
            # matplotlib places what has no finite point at the corner of the figure
            line.set_in_layout(bool(np.isfinite(line.get_xydata()).all(axis=1).any()))
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "constrained_layout not applied")
            try:
                engine.execute(self)
            except UserWarning:
                inches = f"{self.get_figwidth():g} inches"
                raise ValueError(f"its labels leave no room for its panels in {inches}") from None
        self.set_layout_engine(None)
        if self.rows:
            self._stretch()
        for title in self.titles:
            box, panel = title.get_window_extent(), title.axes
            if panel is not None and (beyond := box.x1 - self.bbox.x1) > 0:
                title.set_x(title.get_position()[0] - beyond / panel.bbox.width)

    def _stretch(self) -> None:
        """Gives each row of panels its height; what lies between rows keeps its own."""
        width, height = self.get_size_inches()
        boxes = [panel.get_position(original=True) for panel in self.rows]
        wanted = self.heights or [box.width * width for box in boxes]
        before, after = [0.0], [0.0]
        for box, row in reversed(list(zip(boxes, wanted, strict=True))):
            bottom = after[-1] + box.y0 * height - before[-1]
            before += [box.y0 * height, box.y1 * height]
            after += [bottom, bottom + row]
        before.append(height)
        after.append(after[-1] + height - before[-2])
        for panel in self.axes:
            box = panel.get_position(original=True)
            low, high = np.interp([box.y0 * height, box.y1 * height], before, after) / after[-1]
            panel.set_position((box.x0, low, box.width, high - low))
        self.set_figheight(after[-1])


def width() -> float:
    """Returns the width of figures in inches, a setting of the style."""
    return float(mpl.rcParams["figure.figsize"][0])


def figure(heights: Sequence[float]) -> PanelFigure:
    """Returns an empty figure for rows of panels of these heights in inches."""
    total = sum(heights) + _ROW_DECORATIONS * (len(heights) + 1)
    empty = PanelFigure(figsize=(width(), total), layout="constrained")
    empty.heights = heights
    return empty


def panels(
    count: int,
    most: int,
    height: float | None,
    *,
    min_width: float = 1.25,
    max_width: float | None = None,
    legend: Sequence[Artist] = (),
    **axes: Any,
) -> tuple[PanelFigure, list[Axes]]:
    """Returns a figure with `count` panels, at most `most` per row, and the legend below them.

    Panels are `height` inches high, or square if it is None; they are at least `min_width` and at
    most `max_width` inches wide.
    """
    columns = columns_for(count, most, min_width)
    rows = -(-count // columns)
    free = 0.0 if max_width is None else max(0.0, width() - columns * max_width)
    side = (width() - free) / columns - _DECORATIONS
    drawn = figure([side if height is None else height] * rows)
    if height is None:
        drawn.heights = ()
    if free:
        drawn.place_between(free / 2)
    grid = drawn.subplots(rows, columns, squeeze=False, subplot_kw=axes)
    drawn.rows = list(grid[:, 0])
    axes_list = list(grid.flat)
    for unused in axes_list[count:]:
        unused.remove()
    add_legend(drawn, legend)
    return drawn, axes_list[:count]


def single_panel(
    legend: Sequence[Artist] = (), max_width: float | None = None
) -> tuple[PanelFigure, Axes]:
    """Returns a figure with one panel over its width, and the legend below it."""
    drawn, (panel,) = panels(1, 1, single_height(), legend=legend, max_width=max_width)
    return drawn, panel


def single_height() -> float:
    """Returns the height in inches of a panel that is as wide as the figure."""
    return min(2.8, 0.55 * width())


def name_width() -> float:
    """Returns the width in inches of the names of losses beside rows."""
    return max(0.21 * width(), 1.0)


def add_legend(drawn: Figure, entries: Sequence[Artist]) -> None:
    """Adds the legend below all panels, in as many columns as fit."""
    if not entries:
        return
    most = max((n for n in range(1, len(entries) + 1) if _fits(entries, n)), default=1)
    columns = columns_for(len(entries), most, 0.0)
    rows = -(-len(entries) // columns)
    most_lines = max(len(_lines(entry)) for entry in entries)
    drawn.set_figheight(drawn.get_figheight() + _LEGEND_LINE * rows * most_lines)
    drawn.legend(handles=list(entries), loc="outside lower center", ncols=columns)


def _fits(entries: Sequence[Artist], columns: int) -> bool:
    """Returns whether a legend of this many columns is at most as wide as the figure."""
    rows = -(-len(entries) // columns)
    widths = [_HANDLE + max(map(inches, _lines(entry))) for entry in entries]
    widest = (max(widths[start : start + rows]) for start in range(0, len(widths), rows))
    return sum(widest) <= width() - 0.1


def _lines(entry: Artist) -> list[str]:
    return str(entry.get_label()).split("\n")


def columns_for(count: int, most: int, min_width: float = 1.25) -> int:
    """Returns the number of columns, at most `most`, that fills the rows evenly.

    Each is at least `min_width` inches wide, with labels and gaps.
    """
    if min_width:
        most = min(most, max(1, int(width() / min_width)))
    rows = -(-count // most)
    return -(-count // rows)


def panel_width(columns: int) -> float:
    """Returns about the width in inches of a panel of this many columns, for texts."""
    return width() / columns - 0.45


def _columns(panel: Axes) -> int:
    place = panel.get_subplotspec()
    return 1 if place is None else int(place.get_gridspec().ncols)


def room(panel: Axes) -> float:
    """Returns about the width in inches of a panel of a grid, for texts."""
    return panel_width(_columns(panel))


def outer_labels(axes: Sequence[Axes], x: str, y: str) -> None:
    """Puts the x label below each column, wrapped, and the y label left of each row."""
    columns = _columns(axes[0])
    for i, panel in enumerate(axes):
        if i + columns >= len(axes):
            panel.set_xlabel(label(x, room(panel), 3))
        if i % columns == 0:
            panel.set_ylabel(label(y, 2.0))


def set_title(panel: Axes, title: str, *lines: str) -> None:
    """Sets a title of at most two lines with further lines below it; empty ones are omitted."""
    size = mpl.rcParams["axes.titlesize"]
    texts = [label(text, room(panel) + 0.1, size=size) for text in (title, *lines)]
    text = panel.set_title("\n".join(filter(None, texts)), loc="left")
    if isinstance(panel.figure, PanelFigure):
        panel.figure.titles = [*panel.figure.titles, text]


def color_scale(axes: Axes | Sequence[Axes], mappable: Any, **options: Any) -> Colorbar:
    """Draws the color scale of a map or of filled contours at the right of one or more panels."""
    place: dict[str, Any] = {"aspect": 18, "pad": 0.02, "fraction": 0.1}
    drawn: Any = axes.figure if isinstance(axes, Axes) else axes[0].figure
    if not isinstance(axes, Axes):  # as high as one row of panels
        place |= {"shrink": 1 / len(drawn.rows), "anchor": (0, 1), "format": "%g"}
    bar: Colorbar = drawn.colorbar(mappable, ax=axes, **(place | options))
    bar.ax.grid(visible=False)
    bar.ax.tick_params(width=0.5, length=2, pad=2)
    bar.outline.set_linewidth(0.5)
    return bar

"""Colors, line styles and panel layout; figures are 7 inches wide with text of at least 8 pt."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from landscape.report.escapes import figure_text
from landscape.report.words import scientific, tick

WIDTH = 7.0
# Okabe and Ito (2008), safe for color-blind readers; their yellow is too faint on white.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#808080")
_DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (1.2, 1.2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
_MARKERS = "os^DvPX<>*hd"
GRAY = "#6b6b6b"
SETTINGS: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.5,
    "pdf.fonttype": 42,
    "hatch.linewidth": 0.5,
    "axes.titlepad": 4,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "legend.frameon": False,
    "text.usetex": False,
}


# Labels of ticks are functions of this module, so that a figure can be sent to another process.
def _tick_label(value: float, _: int | None) -> str:
    return tick(value)


def _power_label(value: float, _: int | None) -> str:
    return scientific(10.0**value)


def _decade_label(floor: float | None, value: float, _: int | None) -> str:
    return "0" if value == floor else f"$10^{{{value:.0f}}}$"


TICK = FuncFormatter(_tick_label)
# On an axis of decimal logarithms: the number itself.
POWER_TICK = FuncFormatter(_power_label)


def decade_tick(floor: float | None) -> FuncFormatter:
    """Returns labels of decimal logarithms as powers of ten, with 0 at `floor`."""
    return FuncFormatter(partial(_decade_label, floor))


class Style(NamedTuple):
    """The color, dashes and marker of one loss, the same in every figure."""

    name: str
    color: str
    dashes: Any
    marker: str

    @property
    def label(self) -> str:
        """The text for the loss in a legend."""
        return figure_text(shorten(self.name, 30))

    @property
    def title(self) -> str:
        """The text for the loss above its own panel."""
        return figure_text(shorten(self.name, 24))

    def line(self, **extra: Any) -> dict[str, Any]:
        """Returns the keywords of a line; `extra` are added."""
        return {"color": self.color, "linestyle": self.dashes} | extra

    def marked(self, **extra: Any) -> dict[str, Any]:
        """Returns the keywords of a line with markers; `extra` are added."""
        edge = {"markeredgewidth": 0.4, "markeredgecolor": "white"}
        return self.line(marker=self.marker, markersize=4, **edge) | extra

    def marked_sparsely(self, index: int, points: int) -> dict[str, Any]:
        """Returns the keywords of a line with a few markers, shifted from loss to loss."""
        gap = max(points // 5, 1)
        return self.marked(markevery=(index % gap, gap))


def styles(losses: Sequence[str]) -> dict[str, Style]:
    """Returns a style per loss; up to 12 losses all differ."""
    count = len(_COLORS)
    return {
        loss: Style(
            loss,
            _COLORS[i % count],
            _DASHES[(i + i // count) % len(_DASHES)],
            _MARKERS[i % len(_MARKERS)],
        )
        for i, loss in enumerate(losses)
    }


def shorten(text: str, width: int) -> str:
    """Shortens to `width` characters with an ellipsis; the point of a sweep in brackets is kept."""
    if len(text) <= width:
        return text
    loss, opening, point = text.rpartition(" (")
    room = width - len(opening + point)
    if opening and room >= 6:
        return loss[: room - 1] + "…" + opening + point
    return text[: width - 1] + "…"


class PanelGrid(NamedTuple):
    """The layout of a grid of panels: margins, gaps and panel sizes in inches.

    `gap_x` and `gap_y` lie between panels, which are at most `max_width` wide.
    """

    columns: int
    height: float
    left: float = 0.7
    right: float = 0.12
    top: float = 0.3
    bottom: float = 0.45
    gap_x: float = 0.5
    gap_y: float = 0.62
    max_width: float = 7.0


def panels(
    count: int, grid: PanelGrid, *, legend: Sequence[Line2D] = (), foot: float = 0.0, **axes: Any
) -> tuple[Figure, list[Axes]]:
    """Returns a figure with `count` panels, row by row, and the legend below all of them.

    Without a legend, `foot` inches stay free at the bottom.
    """
    if legend:
        labels = [str(entry.get_label()) for entry in legend]
        legend_columns = columns_for(
            len(labels), max(1, int((WIDTH - 0.3) / (0.6 + 0.068 * max(map(len, labels)))))
        )
        foot = 0.08 + 0.17 * -(-len(labels) // legend_columns)
    columns, rows = min(grid.columns, count), -(-count // grid.columns)
    free = WIDTH - grid.left - grid.right - (columns - 1) * grid.gap_x
    width = min(free / columns, grid.max_width)
    start = grid.left + (free - columns * width) / 2
    total = grid.top + rows * grid.height + (rows - 1) * grid.gap_y + grid.bottom + foot
    figure = Figure(figsize=(WIDTH, total))
    axes_list = []
    for i in range(count):
        row, column = divmod(i, columns)
        x = start + column * (width + grid.gap_x)
        y = total - grid.top - (row + 1) * grid.height - row * grid.gap_y
        rectangle = (x / WIDTH, y / total, width / WIDTH, grid.height / total)
        axes_list.append(figure.add_axes(rectangle, **axes))
    if legend:
        figure.legend(
            handles=legend,
            loc="lower center",
            ncols=legend_columns,
            bbox_to_anchor=(0.5, 0.0),
            handlelength=2.8,
            columnspacing=1.4,
            labelspacing=0.35,
            borderaxespad=0.2,
        )
    return figure, axes_list


def columns_for(count: int, max_columns: int) -> int:
    """Returns the number of columns, at most `max_columns`, that fills the rows evenly."""
    rows = -(-count // max_columns)
    return -(-count // rows)


def legend_line(label: str, **line: Any) -> Line2D:
    """Returns a legend entry of a line with these keywords."""
    return Line2D([], [], label=label, **line)


def loss_legend(losses: Iterable[Style]) -> list[Line2D]:
    """Returns one legend entry per loss."""
    return [legend_line(style.label, **style.marked()) for style in losses]


def outer_labels(
    axes: Sequence[Axes], columns: int, x: str, y: str, away: float = 0.53, *, whole: bool = False
) -> None:
    """Puts the x label below each column and the y label `away` inches left of each row.

    With `whole`, an x label that is wider than a panel is put once, centered below all panels.
    """
    x, y = figure_text(x), figure_text(y)
    centered = whole and len(x) > 15 * WIDTH * axes[0].get_position().width
    if centered:
        figure, lowest = axes[0].figure, min(panel.get_position().y0 for panel in axes)
        assert isinstance(figure, Figure)
        figure.text(0.5, lowest - 0.3 / figure.get_figheight(), x, ha="center", va="top")
    for i, panel in enumerate(axes):
        if i + columns >= len(axes) and not centered:
            panel.set_xlabel(x)
        if i % columns == 0:
            panel.set_ylabel(y)
            panel.yaxis.set_label_coords(-away / (WIDTH * panel.get_position().width), 0.5)


def set_title_lines(panel: Axes, title: str, *extra_lines: str) -> None:
    """Sets a title with further lines below it, shortened to a panel; empty ones are omitted."""
    lines = [figure_text(shorten(line, 32)) for line in extra_lines if line]
    panel.set_title("\n".join([title, *lines]), loc="left")


def few_ticks(axis: Axis, max_intervals: int = 3) -> None:
    """Sets at most `max_intervals` + 1 ticks at round numbers, in short form."""
    axis.set_major_locator(MaxNLocator(max_intervals, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(TICK)


def logarithmic(panel: Axes, low: float, high: float) -> None:
    """Sets a logarithmic y axis with ticks at powers of ten, or at 1, 2, 5 over few decades."""
    panel.set_yscale("log")
    few = high < 100 * low
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=6))
    panel.yaxis.set_minor_locator(NullLocator())
    if few:
        panel.yaxis.set_major_formatter(TICK)


def replace_panel(panel: Axes, text: str) -> None:
    """Writes a text in the center of a panel without values, and removes the y ticks."""
    panel.text(0.5, 0.5, text, ha="center", transform=panel.transAxes)
    panel.set_yticks([])


def color_scale(axes: Axes, mappable: Any, **options: Any) -> Colorbar:
    """Draws the color scale of a map or of filled contours into narrow axes beside it."""
    axes.grid(visible=False)
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    bar = figure.colorbar(mappable, cax=axes, **options)
    axes.tick_params(width=0.5, length=2, pad=2)
    bar.outline.set_linewidth(0.5)
    return bar

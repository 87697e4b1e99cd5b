"""Colors, line styles and panel layout; figures are 7 inches wide with text of at least 8 pt."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from landscape.report.words import tick

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
TICK = FuncFormatter(lambda value, _: tick(value))
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


class Style(NamedTuple):
    """The color, dashes and marker of one loss, the same in every figure."""

    name: str
    color: str
    dashes: Any
    marker: str

    @property
    def label(self) -> str:
        """The text for the loss in a legend."""
        return plain(shorten(self.name, 30))

    @property
    def title(self) -> str:
        """The text for the loss above its own panel."""
        return plain(shorten(self.name, 24))

    def line(self, **extra: Any) -> dict[str, Any]:
        """Returns the keywords of a line; `extra` are added."""
        return {"color": self.color, "linestyle": self.dashes} | extra

    def marked(self, index: int, points: int) -> dict[str, Any]:
        """Returns the keywords of a line with a few markers, shifted from loss to loss."""
        gap = max(points // 5, 1)
        return self.line(
            marker=self.marker,
            markersize=4,
            markevery=(index % gap, gap),
            markeredgewidth=0.4,
            markeredgecolor="white",
        )


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


def plain(text: str) -> str:
    """Escapes dollar signs, so that matplotlib does not read mathematics."""
    return text.replace("$", r"\$")


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

    `across` and `down` are the gaps between panels, `most` is the largest width of a panel.
    """

    columns: int
    height: float
    left: float = 0.7
    right: float = 0.12
    top: float = 0.3
    bottom: float = 0.45
    across: float = 0.5
    down: float = 0.62
    most: float = 7.0


def panels(
    count: int, grid: PanelGrid, *, foot: float = 0.0, **axes: Any
) -> tuple[Figure, list[Axes]]:
    """Returns a figure with `count` panels, row by row; `foot` inches stay free at the bottom."""
    columns, rows = min(grid.columns, count), -(-count // grid.columns)
    free = WIDTH - grid.left - grid.right - (columns - 1) * grid.across
    width = min(free / columns, grid.most)
    start = grid.left + (free - columns * width) / 2
    total = grid.top + rows * grid.height + (rows - 1) * grid.down + grid.bottom + foot
    figure = Figure(figsize=(WIDTH, total))
    axes_list = []
    for i in range(count):
        row, column = divmod(i, columns)
        x = start + column * (width + grid.across)
        y = total - grid.top - (row + 1) * grid.height - row * grid.down
        rectangle = (x / WIDTH, y / total, width / WIDTH, grid.height / total)
        axes_list.append(figure.add_axes(rectangle, **axes))
    return figure, axes_list


def columns_for(count: int, most: int) -> int:
    """Returns the number of columns, at most `most`, that fills the rows evenly."""
    rows = -(-count // most)
    return -(-count // rows)


def _legend_columns(labels: Sequence[str]) -> int:
    """Returns the number of columns that fits the width and fills the rows evenly."""
    widest = max(map(len, labels))
    return columns_for(len(labels), max(1, int((WIDTH - 0.3) / (0.6 + 0.068 * widest))))


def foot(shown: Sequence[Style], extra: Sequence[Line2D] = ()) -> float:
    """Returns the height in inches of the legend below the panels."""
    labels = [style.label for style in shown] + [str(key.get_label()) for key in extra]
    return 0.08 + 0.17 * -(-len(labels) // _legend_columns(labels))


def legend(figure: Figure, shown: Sequence[Style], extra: Sequence[Line2D] = ()) -> None:
    """Adds one legend below all panels; `extra` are the keys of further marks."""
    handles = [
        Line2D(
            [],
            [],
            label=style.label,
            marker=style.marker,
            markersize=4,
            markeredgecolor="white",
            markeredgewidth=0.4,
            **style.line(),
        )
        for style in shown
    ]
    handles += extra
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=_legend_columns([str(handle.get_label()) for handle in handles]),
        bbox_to_anchor=(0.5, 0.0),
        handlelength=2.8,
        columnspacing=1.4,
        labelspacing=0.35,
        borderaxespad=0.2,
    )


def outer_labels(
    axes: Sequence[Axes], columns: int, x: str, y: str, away: float = 0.53, *, whole: bool = False
) -> None:
    """Puts the x label below each column and the y label `away` inches left of each row.

    With `whole`, an x label that is wider than a panel is put once, centered below all panels.
    """
    centered = whole and len(plain(x)) > 15 * WIDTH * axes[0].get_position().width
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


def titled(panel: Axes, title: str, extra_lines: Sequence[str] = ()) -> None:
    """Sets a title with further lines below it, each shortened to the width of a panel."""
    panel.set_title(
        "\n".join([title, *(plain(shorten(line, 32)) for line in extra_lines)]), loc="left"
    )


def few_ticks(axis: Axis, most: int = 3) -> None:
    """Sets at most `most` + 1 ticks at round numbers, in short form."""
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(TICK)


def logarithmic(panel: Axes, low: float, high: float) -> None:
    """Sets a logarithmic y axis with ticks at powers of ten, or at 1, 2, 5 over few decades."""
    panel.set_yscale("log")
    few = high < 100 * low
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=6))
    panel.yaxis.set_minor_locator(NullLocator())
    if few:
        panel.yaxis.set_major_formatter(TICK)


def letter(panel: Axes, index: int, title: str) -> None:
    """Sets a title that starts with the letter of the panel."""
    panel.set_title(f"({chr(97 + index)}) {title}", loc="left")

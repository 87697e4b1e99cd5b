"""Colors, line styles, ticks and matplotlib's settings; text has at least 8 pt."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from landscape.report.figures.fitted_text import label
from landscape.report.words import scientific, tick

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
UNKNOWN_COLOR = "#ececec"
# Keywords of thin lines at zero, and at a value to compare with.
ZERO: dict[str, Any] = {"color": GRAY, "linewidth": 0.6, "zorder": 1}
CENTER: dict[str, Any] = ZERO | {"linestyle": (0, (2, 2))}
REFERENCE: dict[str, Any] = CENTER | {"linewidth": 0.9}
SETTINGS: Any = {
    "figure.figsize": (7.0, 4.0),
    "figure.constrained_layout.w_pad": 0.05,
    "figure.constrained_layout.h_pad": 0.05,
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
    "legend.handlelength": 2.6,
    "legend.columnspacing": 1.4,
    "legend.labelspacing": 0.35,
    "legend.borderaxespad": 0.2,
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
        """The text for the loss in a legend, of one or two lines."""
        return label(self.name, 2.2)

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


def legend_line(label: str, **line: Any) -> Line2D:
    """Returns a legend entry of a line with these keywords."""
    return Line2D([], [], label=label, **line)


def loss_legend(losses: Iterable[Style]) -> list[Line2D]:
    """Returns one legend entry per loss."""
    return [legend_line(style.label, **style.marked()) for style in losses]


def few_ticks(axis: Axis, max_intervals: int = 3) -> None:
    """Sets at most `max_intervals` + 1 ticks at round numbers, in short form."""
    axis.set_major_locator(MaxNLocator(max_intervals, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(TICK)


def scale_y(panel: Axes, values: NDArray[np.float64], log_range: float = 30.0) -> None:
    """Sets few ticks, or a logarithmic axis if positive values span more than a factor."""
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > log_range * values.min():
        logarithmic(panel, float(values.min()), float(values.max()))
    else:
        few_ticks(panel.yaxis, 4)


def logarithmic(panel: Axes, low: float, high: float) -> None:
    """Sets a logarithmic y axis with ticks at powers of ten, or at 1, 2, 5 over few decades."""
    panel.set_yscale("log")
    few = high < 100 * low
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=6))
    panel.yaxis.set_minor_locator(NullLocator())
    if few:
        panel.yaxis.set_major_formatter(TICK)


def frame_y(panel: Axes, values: NDArray[np.float64]) -> None:
    """Shows finite values with few ticks and a small margin."""
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * ((high - low) or max(abs(high), 1.0) * 0.05)
    panel.set_ylim(low - margin, high + margin)
    few_ticks(panel.yaxis, 4)


def named_ticks(axis: Axis, places: Iterable[float], texts: Iterable[str] | None = None) -> None:
    """Sets ticks at these places alone, with texts if there are any."""
    locations = list(places)
    axis.set_major_locator(FixedLocator(locations))
    axis.set_minor_locator(NullLocator())
    if texts is not None:
        axis.set_ticks(locations, list(texts))


def rows(panel: Axes, names: Sequence[str]) -> None:
    """Turns the y axis into one row per name, the first at the top."""
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.45, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")
    panel.spines["left"].set_visible(False)


def replace_panel(panel: Axes, text: str) -> None:
    """Writes a text in the center of a panel without values, and removes the y ticks."""
    panel.text(0.5, 0.5, text, ha="center", transform=panel.transAxes)
    panel.set_yticks([])


def color_cells(cells: Any, colors: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """Sets the colors of drawn cells and the ends of their scale, and returns the cells."""
    cells.set(cmap=colors, norm=Normalize(low, high))
    return cells

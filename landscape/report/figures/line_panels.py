"""One-dimensional slices: the risk and the task metric along directions through a point."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from landscape.report import checks, words
from landscape.report.figures.bundles import Bundle, along, bundles, distance, over, summary
from landscape.report.figures.style import (
    GREY,
    PanelGrid,
    Style,
    columns_for,
    few_ticks,
    foot,
    legend,
    logarithmic,
    outer_labels,
    panels,
    titled,
)
from landscape.report.figures.view import Array, Picture, View
from landscape.report.sets import PLACES, Set

# Lines further out than this many ranges of the band are cut by the frame.
_BEYOND = 3.0
# More bands than this on one panel hide each other.
_BANDS = 6
# Positive risks whose highest values exceed their median by this factor need a logarithmic scale.
HEAVY = 20.0


def risk_along_lines(view: View, lines: Set, at: str) -> Picture | None:
    """The risk along the lines of a set, a panel a loss, each in its own units."""
    axis = distance(view, lines, at)
    found = bundles(view, lines, at, "risk", axis.relative)
    if not found:
        return None
    columns = columns_for(len(found), 4)
    marks = {loss: checks.failed(view.runs[loss], lines.where(at)) for loss in found}
    below = {loss: _below(axis.relative, found[loss], marks[loss]) for loss in found}
    more = 0.15 * max(map(len, below.values()))
    grid = PanelGrid(
        columns,
        1.35 if len(found) > 1 else 2.6,
        top=0.3 + more,
        down=0.42 + more,
        across=0.5,
    )
    figure, axes = panels(len(found), grid, foot=0.25)
    cut = False
    for panel, (loss, bundle) in zip(axes, found.items(), strict=True):
        cut = _draw_lines(panel, bundle, view.styles[loss]) or cut
        titled(panel, view.styles[loss].title, below[loss])
    outer_labels(axes, columns, axis.label, "risk (own units)", whole=True)
    figure.legend(handles=_keys(found), loc="lower center", ncols=4)
    return Picture(
        lines.file("slices_risk", at),
        _title(view, "Risk", lines, at),
        _caption(lines, at, found, axis.sentence)
        + (" Where extremes lie far beyond the band, the frame cuts them." if cut else "")
        + checks.sentence(marks),
        "Risk against distance, one panel a loss.",
        figure,
        "lines",
    )


def _below(relative: bool, bundle: Bundle, names: list[str]) -> list[str]:
    """What stands under the loss in a panel's title."""
    radius = [f"radius {words.scientific(bundle.radius)}"] if relative else []
    return [*radius, *filter(None, [checks.mark(names)])]


def _title(view: View, what: str, lines: Set, at: str) -> str:
    called = f": {lines.label}" if len(view.lines) > 1 else ""
    return f"{what} along lines through {PLACES[at]}{called}"


def _caption(lines: Set, at: str, found: dict[str, Bundle], unit: str) -> str:
    spread = over(found)
    shape = (
        f": mean {spread}, the band from the 10th to the 90th percentile, thin lines the extremes"
        if spread
        else ""
    )
    unfound = sum(bundle.unfound for bundle in found.values())
    total = sum(bundle.runs for bundle in found.values())
    return (
        f"The risk on the evaluation set along {along(lines, at, found)} through {PLACES[at]} "
        f"(distance 0){shape}. {unit} Each panel has its own scale, in the loss's own units; "
        "compare shapes, and heights by the relative rise in the table."
        + (" A convex look along random lines is no proof of convexity." if lines.drawn else "")
        + (
            f" In {unfound} of {total} runs the risk never rose as far as was asked; these were "
            "followed to distance 1."
            if unfound
            else ""
        )
    )


def _draw_lines(panel: Axes, lines: Bundle, style: Style) -> bool:
    """Mean, band and extremes; whether the frame cuts the extremes off."""
    mean, low, high, least, most = summary(lines.values)
    panel.fill_between(lines.coordinates, low, high, color=style.color, alpha=0.2, linewidth=0)
    for extreme in (least, most):
        panel.plot(lines.coordinates, extreme, color=style.color, linewidth=0.5)
    panel.plot(lines.coordinates, mean, color=style.color)
    middle(panel)
    cut = _frame(panel, np.concatenate([mean, low, high]), np.concatenate([least, most]))
    _unknown(panel, lines)
    few_ticks(panel.xaxis)
    return cut


def middle(panel: Axes) -> None:
    """A faint line at distance 0."""
    panel.axvline(0, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)


def _frame(panel: Axes, band: Array, extremes: Array) -> bool:
    band, extremes = band[np.isfinite(band)], extremes[np.isfinite(extremes)]
    if not len(band):
        panel.text(0.5, 0.5, "no finite value", ha="center", transform=panel.transAxes)
        panel.set_yticks([])
        return False
    low, high = float(band.min()), float(band.max())
    if low > 0 and high > HEAVY * np.median(band):
        logarithmic(panel, low, high)
        return False
    few_ticks(panel.yaxis, 4)
    room = (high - low) or max(abs(high), 1.0) * 0.05
    cut = extremes.min() < low - _BEYOND * room or extremes.max() > high + _BEYOND * room
    if not cut:
        low, high = min(low, float(extremes.min())), max(high, float(extremes.max()))
        room = (high - low) or room
    panel.set_ylim(low - 0.06 * room, high + 0.06 * room)
    return bool(cut)


def _unknown(panel: Axes, lines: Bundle) -> None:
    """A tick at the top wherever some line has no finite value."""
    places = lines.coordinates[~np.isfinite(lines.values).all(axis=0)]
    panel.plot(
        places,
        np.ones_like(places),
        transform=panel.get_xaxis_transform(),
        color="black",
        marker="|",
        markersize=6,
        linestyle="none",
        clip_on=False,
    )


def _keys(found: dict[str, Bundle]) -> list[Line2D | Patch]:
    keys: list[Line2D | Patch] = [Line2D([], [], color="black", label="risk")]
    if over(found):
        keys = [
            Line2D([], [], color="black", label="mean"),
            Patch(color="black", alpha=0.2, linewidth=0, label="10th to 90th percentile"),
            Line2D([], [], color="black", linewidth=0.5, label="extremes"),
        ]
    if not all(np.isfinite(lines.values).all() for lines in found.values()):
        keys.append(
            Line2D(
                [],
                [],
                color="black",
                marker="|",
                markersize=6,
                linestyle="none",
                label="some not finite",
            )
        )
    return keys


def metric_along_lines(view: View, lines: Set, at: str) -> Picture | None:
    """The task metric along the same lines, all losses on one scale."""
    axis = distance(view, lines, at)
    found = bundles(view, lines, at, view.metric, axis.relative)
    if not found:
        return None
    figure, (panel,) = panels(1, PanelGrid(1, 2.8, top=0.12), foot=foot(view.shown))
    draw_metric_along_lines(panel, view, lines, at)
    panel.set_xlabel(axis.label)
    legend(figure, view.shown)
    marks = {loss: checks.failed(view.runs[loss], lines.where(at)) for loss in found}
    spread = over(found)
    caption = (
        f"The task metric along {along(lines, at, found)} through {PLACES[at]}, all losses on one "
        "scale"
        + (f": mean {spread}{band(view)}. " if spread else ". ")
        + f"{axis.sentence} A wide plateau means that what was learned survives a change of the "
        f"parameters.{checks.sentence(marks)}"
    )
    return Picture(
        lines.file("slices_metric", at),
        _title(view, view.label[0].upper() + view.label[1:], lines, at),
        caption,
        f"{view.label} against distance, one line a loss.",
        figure,
        "lines",
    )


def band(view: View) -> str:
    """The words for the band of `draw_metric_along_lines`, nothing where there is none."""
    if len(view.runs) > _BANDS:
        return ""
    return ", the band from the 10th to the 90th percentile"


def draw_metric_along_lines(panel: Axes, view: View, lines: Set, at: str) -> None:
    """One mean and band a loss."""
    relative = distance(view, lines, at).relative
    found = bundles(view, lines, at, view.metric, relative)
    for index, (loss, bundle) in enumerate(found.items()):
        mean, low, high, *_ = summary(bundle.values)
        style = view.styles[loss]
        if len(found) <= _BANDS:
            panel.fill_between(
                bundle.coordinates, low, high, color=style.color, alpha=0.09, linewidth=0
            )
        panel.plot(bundle.coordinates, mean, **style.marked(index, len(mean)))
    if words.metric_kind(view.metric) in words.SHARES:
        panel.set_ylim(-0.02, 1.02)
    middle(panel)
    panel.set_ylabel(view.label)
    panel.margins(x=0.01)

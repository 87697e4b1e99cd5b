"""Draws one-dimensional slices: the risk and the task metric along lines through a point."""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from landscape.report import check_results, words
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.bundles import Bundle, LinesByLoss, lines_by_loss, summary
from landscape.report.figures.fitted_text import label
from landscape.report.figures.view import Array, Picture, View, joined
from landscape.report.sets import PLACES, StoredSet

# The frame cuts extremes that lie further out than this many ranges of the band.
_CUT = 3.0
# Bands are not drawn for more losses than this: they would hide each other.
_MAX_BANDS = 6
# Positive risks whose highest values exceed their median by this factor need a logarithmic scale.
LOGARITHMIC_FACTOR = 20.0
_NOT_FINITE: dict[str, Any] = {
    "color": "black",
    "marker": "|",
    "markersize": 6,
    "linestyle": "none",
}


def risk_along_lines(view: View, line_set: StoredSet, point: str) -> Picture | None:
    """Draws the risk along the lines of a set, one panel per loss in the units of the loss."""
    lines = lines_by_loss(view, line_set, point, "risk")
    if lines is None:
        return None
    count = len(lines.bundles)
    height = 1.35 if count > 1 else panel_layout.single_height()
    figure, axes = panel_layout.panels(count, 4, height, legend=_legend(lines))
    any_cut = False
    for panel, (loss, bundle) in zip(axes, lines.bundles.items(), strict=True):
        any_cut |= _draw_lines(panel, bundle, view.styles[loss])
        radius = words.scientific(bundle.radius)
        note = f"radius {radius}" if lines.distance.relative else ""
        panel_layout.set_title(panel, loss, note, check_results.mark(lines.failed[loss]))
    panel_layout.outer_labels(axes, lines.distance.label, "risk (own units)")
    return Picture(
        line_set.file("slices_risk", point),
        view.title("Risk along lines", line_set, point),
        joined(
            _caption(view, line_set, point, lines),
            any_cut and "The frame cuts extremes that lie far beyond the band.",
            check_results.sentence(lines.failed),
        ),
        f"Risk against distance, one panel per {view.row}.",
        figure,
        "lines",
    )


def _caption(view: View, line_set: StoredSet, point: str, lines: LinesByLoss) -> str:
    statistics = ""
    if lines.average:
        statistics = (
            f": mean {lines.average}, a band from the 10th to the 90th percentile, and thin lines "
            "for the extremes"
        )
    heights, noun = ", and compare heights by the relative rise in the table", "runs"
    if view.row == "look":
        heights, noun = "", "looks"
    unfound = sum(bundle.unfound for bundle in lines.bundles.values())
    total = sum(bundle.runs for bundle in lines.bundles.values())
    return joined(
        f"The risk on the evaluation set along {lines.direction} through {PLACES[point]} "
        f"(distance 0){statistics}.",
        lines.distance.sentence,
        f"Each panel has its own scale, in the loss's own units; compare shapes{heights}.",
        line_set.random and "Lines that look convex in random directions do not prove convexity.",
        unfound > 0
        and f"In {unfound} of {total} {noun} the risk never rose to the requested level; their "
        "lines end at distance 1.",
    )


def _draw_lines(panel: Axes, bundle: Bundle, loss_style: style.Style) -> bool:
    """Draws mean, band and extremes; returns whether the frame cuts the extremes."""
    mean, low, high, lowest, highest = summary(bundle.values)
    panel.fill_between(
        bundle.coordinates, low, high, color=loss_style.color, alpha=0.2, linewidth=0
    )
    for extreme in (lowest, highest):
        panel.plot(bundle.coordinates, extreme, color=loss_style.color, linewidth=0.5)
    panel.plot(bundle.coordinates, mean, color=loss_style.color)
    panel.axvline(0, **style.CENTER)
    cut = _frame(panel, np.concatenate([mean, low, high]), np.concatenate([lowest, highest]))
    _mark_not_finite(panel, bundle)
    style.few_ticks(panel.xaxis)
    return cut


def _frame(panel: Axes, band: Array, extremes: Array) -> bool:
    band, extremes = band[np.isfinite(band)], extremes[np.isfinite(extremes)]
    if not len(band):
        style.replace_panel(panel, "no finite value")
        return False
    low, high = float(band.min()), float(band.max())
    if low > 0 and high > LOGARITHMIC_FACTOR * np.median(band):
        style.logarithmic(panel, low, high)
        return False
    room = (high - low) or max(abs(high), 1.0) * 0.05
    cut = extremes.min() < low - _CUT * room or extremes.max() > high + _CUT * room
    style.frame_y(panel, band if cut else np.append(band, extremes))
    return bool(cut)


def _mark_not_finite(panel: Axes, bundle: Bundle) -> None:
    """Draws a tick at the top at each distance with a non-finite value."""
    distances = bundle.coordinates[~np.isfinite(bundle.values).all(axis=0)]
    top = panel.get_xaxis_transform()
    panel.plot(distances, np.ones_like(distances), transform=top, clip_on=False, **_NOT_FINITE)


def _legend(lines: LinesByLoss) -> list[Artist]:
    entries: list[Artist] = [style.legend_line("risk", color="black")]
    if lines.average:
        entries = [
            style.legend_line("mean", color="black"),
            Patch(color="black", alpha=0.2, linewidth=0, label="10th to 90th percentile"),
            style.legend_line("extremes", color="black", linewidth=0.5),
        ]
    if not all(np.isfinite(bundle.values).all() for bundle in lines.bundles.values()):
        entries.append(style.legend_line("some not finite", **_NOT_FINITE))
    return entries


def metric_along_lines(view: View, line_set: StoredSet, point: str) -> Picture | None:
    """Draws the task metric along the same lines, all losses on one scale."""
    lines = lines_by_loss(view, line_set, point, view.metric)
    if lines is None:
        return None
    figure, panel = panel_layout.single_panel(style.loss_legend(view.drawn_styles))
    draw_metric_along_lines(panel, view, lines)
    mean = f": mean {lines.average}{band(view)}" if lines.average else ""
    caption = joined(
        f"The task metric along {lines.direction} through {PLACES[point]}, all {view.rows} on "
        f"one scale{mean}.",
        lines.distance.sentence,
        "A wide plateau means that the task metric is robust to changes of the parameters.",
        check_results.sentence(lines.failed),
    )
    return Picture(
        line_set.file("slices_metric", point),
        view.title(f"{view.label[0].upper()}{view.label[1:]} along lines", line_set, point),
        caption,
        f"{view.label} against distance, one line per {view.row}.",
        figure,
        "lines",
    )


def band(view: View) -> str:
    """Describes the band of `draw_metric_along_lines`; empty if it is not drawn."""
    if len(view.runs) > _MAX_BANDS:
        return ""
    return ", with a band from the 10th to the 90th percentile"


def draw_metric_along_lines(panel: Axes, view: View, lines: LinesByLoss) -> None:
    """Draws one mean and band per loss."""
    for index, (loss, bundle) in enumerate(lines.bundles.items()):
        x, loss_style = bundle.coordinates, view.styles[loss]
        mean, low, high, *_ = summary(bundle.values)
        if len(lines.bundles) <= _MAX_BANDS:
            panel.fill_between(x, low, high, color=loss_style.color, alpha=0.09, linewidth=0)
        panel.plot(x, mean, **loss_style.marked_sparsely(index, len(mean)))
    if words.is_share(view.metric):
        panel.set_ylim(-0.02, 1.02)
    panel.axvline(0, **style.CENTER)
    panel.set_xlabel(label(lines.distance.label, panel_layout.room(panel)))
    panel.set_ylabel(figure_text(view.label))
    panel.margins(x=0.01)

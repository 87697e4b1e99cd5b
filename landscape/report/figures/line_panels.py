"""Draws one-dimensional slices: the risk and the task metric along lines through a point."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from landscape.report import check_results, words
from landscape.report.figures.bundles import Bundle, along, bundles, distance, over, summary
from landscape.report.figures.style import (
    GRAY,
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
from landscape.report.sets import PLACES, StoredSet

# The frame cuts extremes that lie further out than this many ranges of the band.
_BEYOND = 3.0
# Bands are not drawn for more losses than this: they would hide each other.
_BANDS = 6
# Positive risks whose highest values exceed their median by this factor need a logarithmic scale.
HEAVY = 20.0


def risk_along_lines(view: View, line_set: StoredSet, point: str) -> Picture | None:
    """Draws the risk along the lines of a set, one panel per loss in the units of the loss."""
    axis = distance(view, line_set, point)
    bundle_of = bundles(view, line_set, point, "risk", axis.relative)
    if not bundle_of:
        return None
    columns = columns_for(len(bundle_of), 4)
    marks = {
        loss: check_results.failed(view.runs[loss], line_set.where(point)) for loss in bundle_of
    }
    extra_lines = {
        loss: _extra_lines(axis.relative, bundle_of[loss], marks[loss]) for loss in bundle_of
    }
    extra_height = 0.15 * max(map(len, extra_lines.values()))
    grid = PanelGrid(
        columns,
        1.35 if len(bundle_of) > 1 else 2.6,
        top=0.3 + extra_height,
        down=0.42 + extra_height,
        across=0.5,
    )
    figure, axes = panels(len(bundle_of), grid, foot=0.25)
    cut = False
    for panel, (loss, bundle) in zip(axes, bundle_of.items(), strict=True):
        cut = _draw_lines(panel, bundle, view.styles[loss]) or cut
        titled(panel, view.styles[loss].title, extra_lines[loss])
    outer_labels(axes, columns, axis.label, "risk (own units)", whole=True)
    figure.legend(handles=_keys(bundle_of), loc="lower center", ncols=4)
    return Picture(
        line_set.file("slices_risk", point),
        _title(view, "Risk", line_set, point),
        _caption(line_set, point, bundle_of, axis.sentence)
        + (" The frame cuts extremes that lie far beyond the band." if cut else "")
        + check_results.sentence(marks),
        "Risk against distance, one panel per loss.",
        figure,
        "lines",
    )


def _extra_lines(relative: bool, bundle: Bundle, names: list[str]) -> list[str]:
    """Returns the lines below the loss in the title of a panel."""
    radius = [f"radius {words.scientific(bundle.radius)}"] if relative else []
    return [*radius, *filter(None, [check_results.mark(names)])]


def _title(view: View, quantity: str, line_set: StoredSet, point: str) -> str:
    suffix = f": {line_set.label}" if len(view.lines) > 1 else ""
    return f"{quantity} along lines through {PLACES[point]}{suffix}"


def _caption(line_set: StoredSet, point: str, bundle_of: dict[str, Bundle], unit: str) -> str:
    spread = over(bundle_of)
    spread_text = (
        f": mean {spread}, a band from the 10th to the 90th percentile, and thin lines for the "
        "extremes"
        if spread
        else ""
    )
    unfound = sum(bundle.unfound for bundle in bundle_of.values())
    total = sum(bundle.runs for bundle in bundle_of.values())
    return (
        f"The risk on the evaluation set along {along(line_set, point, bundle_of)} through "
        f"{PLACES[point]} "
        f"(distance 0){spread_text}. {unit} Each panel has its own scale, in the loss's own units; "
        "compare shapes, and compare heights by the relative rise in the table."
        + (
            " Lines that look convex in random directions do not prove convexity."
            if line_set.random
            else ""
        )
        + (
            f" In {unfound} of {total} runs the risk never rose to the requested level; their "
            "lines end "
            "at distance 1."
            if unfound
            else ""
        )
    )


def _draw_lines(panel: Axes, bundle: Bundle, style: Style) -> bool:
    """Draws mean, band and extremes; returns whether the frame cuts the extremes."""
    mean, low, high, lowest, highest = summary(bundle.values)
    panel.fill_between(bundle.coordinates, low, high, color=style.color, alpha=0.2, linewidth=0)
    for extreme in (lowest, highest):
        panel.plot(bundle.coordinates, extreme, color=style.color, linewidth=0.5)
    panel.plot(bundle.coordinates, mean, color=style.color)
    draw_center_line(panel)
    cut = _frame(panel, np.concatenate([mean, low, high]), np.concatenate([lowest, highest]))
    _mark_not_finite(panel, bundle)
    few_ticks(panel.xaxis)
    return cut


def draw_center_line(panel: Axes) -> None:
    """Draws a faint line at distance 0."""
    panel.axvline(0, color=GRAY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)


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


def _mark_not_finite(panel: Axes, bundle: Bundle) -> None:
    """Draws a tick at the top at each distance with a non-finite value."""
    distances = bundle.coordinates[~np.isfinite(bundle.values).all(axis=0)]
    panel.plot(
        distances,
        np.ones_like(distances),
        transform=panel.get_xaxis_transform(),
        color="black",
        marker="|",
        markersize=6,
        linestyle="none",
        clip_on=False,
    )


def _keys(bundle_of: dict[str, Bundle]) -> list[Line2D | Patch]:
    keys: list[Line2D | Patch] = [Line2D([], [], color="black", label="risk")]
    if over(bundle_of):
        keys = [
            Line2D([], [], color="black", label="mean"),
            Patch(color="black", alpha=0.2, linewidth=0, label="10th to 90th percentile"),
            Line2D([], [], color="black", linewidth=0.5, label="extremes"),
        ]
    if not all(np.isfinite(bundle.values).all() for bundle in bundle_of.values()):
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


def metric_along_lines(view: View, line_set: StoredSet, point: str) -> Picture | None:
    """Draws the task metric along the same lines, all losses on one scale."""
    axis = distance(view, line_set, point)
    bundle_of = bundles(view, line_set, point, view.metric, axis.relative)
    if not bundle_of:
        return None
    figure, (panel,) = panels(1, PanelGrid(1, 2.8, top=0.12), foot=foot(view.shown))
    draw_metric_along_lines(panel, view, line_set, point)
    panel.set_xlabel(axis.label)
    legend(figure, view.shown)
    marks = {
        loss: check_results.failed(view.runs[loss], line_set.where(point)) for loss in bundle_of
    }
    spread = over(bundle_of)
    caption = (
        f"The task metric along {along(line_set, point, bundle_of)} through {PLACES[point]}, all "
        "losses on one "
        "scale"
        + (f": mean {spread}{band(view)}. " if spread else ". ")
        + f"{axis.sentence} A wide plateau means that the task metric is robust to changes of the "
        f"parameters.{check_results.sentence(marks)}"
    )
    return Picture(
        line_set.file("slices_metric", point),
        _title(view, view.label[0].upper() + view.label[1:], line_set, point),
        caption,
        f"{view.label} against distance, one line per loss.",
        figure,
        "lines",
    )


def band(view: View) -> str:
    """Describes the band of `draw_metric_along_lines`; empty if it is not drawn."""
    if len(view.runs) > _BANDS:
        return ""
    return ", with a band from the 10th to the 90th percentile"


def draw_metric_along_lines(panel: Axes, view: View, line_set: StoredSet, point: str) -> None:
    """Draws one mean and band per loss."""
    relative = distance(view, line_set, point).relative
    bundle_of = bundles(view, line_set, point, view.metric, relative)
    for index, (loss, bundle) in enumerate(bundle_of.items()):
        mean, low, high, *_ = summary(bundle.values)
        style = view.styles[loss]
        if len(bundle_of) <= _BANDS:
            panel.fill_between(
                bundle.coordinates, low, high, color=style.color, alpha=0.09, linewidth=0
            )
        panel.plot(bundle.coordinates, mean, **style.marked(index, len(mean)))
    if words.metric_kind(view.metric) in words.SHARES:
        panel.set_ylim(-0.02, 1.02)
    draw_center_line(panel)
    panel.set_ylabel(view.label)
    panel.margins(x=0.01)

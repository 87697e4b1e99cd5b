"""One-dimensional slices: the risk and the task metric along directions through a point."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from landscape.report import words
from landscape.report.figures.style import (
    GREY,
    Grid,
    Style,
    columns_for,
    few_ticks,
    foot,
    legend,
    logarithmic,
    outer_labels,
    panels,
)
from landscape.report.figures.view import Array, Picture, View
from landscape.report.results import Run

# Lines further out than this many ranges of the band are cut by the frame.
_BEYOND = 3.0
# More bands than this on one panel hide each other.
_BANDS = 6
# Positive risks whose highest values exceed their median by this factor need a logarithmic scale.
HEAVY = 20.0
_TIMES = "\N{MULTIPLICATION SIGN}"
# How a normalization is written beside an axis, and what a distance of 1 means.
_UNITS = {
    "filter": (f"{_TIMES} filter norms", "At distance 1 every filter has moved by its own norm."),
    "layer": (f"{_TIMES} layer norms", "At distance 1 every layer has moved by its own norm."),
    "vector": (
        f"{_TIMES} parameter norm",
        "At distance 1 all have moved by their norm.",
    ),
    "none": ("parameter units", "Distances are in the parameters' own units."),
}
PLACES = {"trained": "the trained point", "initial": "the initial point"}


class Bundle(NamedTuple):
    """All lines of a loss: coordinates (points,) and values (directions x seeds, points)."""

    coordinates: Array
    values: Array


def bundle(runs: tuple[Run, ...], at: str, name: str) -> Bundle | None:
    """The lines of all runs that share the first run's grid, or None where there are none."""
    first: Array | None = None
    rows = []
    for run in runs:
        coordinates = run.slices.get(f"{at}/lines/coordinates")
        values = run.slices.get(f"{at}/lines/{name}")
        if coordinates is None or values is None or values.shape[-1] != len(coordinates):
            continue
        first = coordinates.astype(np.float64) if first is None else first
        if np.array_equal(first, coordinates):
            rows.append(values.astype(np.float64))
    return None if first is None or not rows else Bundle(first, np.concatenate(rows))


def unit(view: View) -> str:
    """The unit of a distance, for an axis."""
    name = _normalization(view)
    return _UNITS[name][0] if name in _UNITS else f"normalized by {name}"


def distance(view: View) -> str:
    """A sentence that says what a distance of 1 means."""
    name = _normalization(view)
    return _UNITS[name][1] if name in _UNITS else f"Directions are normalized by {name}."


def _normalization(view: View) -> str:
    run = next(iter(view.runs.values()))[0]
    slices = run.config.get("slices")
    direction = slices.get("direction") if isinstance(slices, dict) else None
    options = direction.get("options", direction) if isinstance(direction, dict) else {}
    return str(options.get("normalization", "filter")) if isinstance(options, dict) else "filter"


def along_risk(view: View, at: str) -> Picture | None:
    """The risk along the lines, a panel a loss, each in its own units."""
    bundles = _bundles(view, at, "risk")
    if not bundles:
        return None
    columns = columns_for(len(bundles), 4)
    grid = Grid(columns, 1.35 if len(bundles) > 1 else 2.6, down=0.42, across=0.5)
    figure, axes = panels(len(bundles), grid, foot=0.25)
    cut = False
    for panel, (loss, lines) in zip(axes, bundles.items(), strict=True):
        cut = _draw_lines(panel, lines, view.styles[loss]) or cut
    outer_labels(axes, columns, f"distance ({unit(view)})", "risk (own units)")
    figure.legend(handles=_keys(bundles), loc="lower center", ncols=4)
    caption = (
        f"The risk on the evaluation set along random lines through {PLACES[at]} (distance 0): "
        "mean over directions and seeds, the band from the 10th to the 90th percentile, thin "
        f"lines the extremes. {distance(view)} Each panel has its own scale, in the "
        "loss's own units; compare "
        "shapes, and heights by the relative rise in the table. A convex look along random "
        "lines is no proof of convexity."
        + (" Where extremes lie far beyond the band, the frame cuts them." if cut else "")
    )
    return Picture(
        f"slices_risk{suffix(at)}",
        f"Risk along lines through {PLACES[at]}",
        caption,
        "Risk against distance, one panel a loss.",
        figure,
    )


def _draw_lines(panel: Axes, lines: Bundle, style: Style) -> bool:
    """Mean, band and extremes; whether the frame cuts the extremes off."""
    mean, low, high, least, most = _statistics(lines.values)
    panel.fill_between(lines.coordinates, low, high, color=style.color, alpha=0.2, linewidth=0)
    for extreme in (least, most):
        panel.plot(lines.coordinates, extreme, color=style.color, linewidth=0.5)
    panel.plot(lines.coordinates, mean, color=style.color)
    panel.axvline(0, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
    cut = _frame(panel, np.concatenate([mean, low, high]), np.concatenate([least, most]))
    _unknown(panel, lines)
    few_ticks(panel.xaxis)
    panel.set_title(style.title, loc="left")
    return cut


def _statistics(values: Array) -> Array:
    """Mean, 10th and 90th percentile, minimum and maximum of the finite values at each point."""
    finite = np.where(np.isfinite(values), values, np.nan)
    known = ~np.isnan(finite).all(axis=0)
    result = np.full((5, values.shape[1]), np.nan)
    if known.any():
        some = finite[:, known]
        low, high = np.nanpercentile(some, [10, 90], axis=0)
        result[:, known] = (np.nanmean(some, 0), low, high, np.nanmin(some, 0), np.nanmax(some, 0))
    return result


def _frame(panel: Axes, band: Array, extremes: Array) -> bool:
    band, extremes = band[np.isfinite(band)], extremes[np.isfinite(extremes)]
    if not len(band):
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


def _keys(bundles: dict[str, Bundle]) -> list[Line2D | Patch]:
    keys: list[Line2D | Patch] = [
        Line2D([], [], color="black", label="mean"),
        Patch(color="black", alpha=0.2, linewidth=0, label="10th to 90th percentile"),
        Line2D([], [], color="black", linewidth=0.5, label="extremes"),
    ]
    if not all(np.isfinite(lines.values).all() for lines in bundles.values()):
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


def along_metric(view: View, at: str) -> Picture | None:
    """The task metric along the same lines, all losses on one scale."""
    if not _bundles(view, at, view.metric):
        return None
    figure, (panel,) = panels(1, Grid(1, 2.8, top=0.12), foot=foot(view.shown))
    draw_along_metric(panel, view, at)
    panel.set_xlabel(f"distance along the direction ({unit(view)})")
    legend(figure, view.shown)
    caption = (
        f"The task metric along the same lines through {PLACES[at]}, all losses on one scale: "
        f"mean over directions and seeds{band(view)}. A wide "
        "plateau means that what was learned survives a change of the parameters."
    )
    return Picture(
        f"slices_metric{suffix(at)}",
        f"{view.label[0].upper()}{view.label[1:]} along lines through {PLACES[at]}",
        caption,
        f"{view.label} against distance, one line a loss.",
        figure,
    )


def band(view: View) -> str:
    """The words for the band of `draw_along_metric`, nothing where there is none."""
    if len(view.runs) > _BANDS:
        return ""
    return ", the band from the 10th to the 90th percentile"


def draw_along_metric(panel: Axes, view: View, at: str) -> bool:
    """One mean and band a loss; False where there is nothing to draw."""
    bundles = _bundles(view, at, view.metric)
    for index, (loss, lines) in enumerate(bundles.items()):
        mean, low, high, *_ = _statistics(lines.values)
        style = view.styles[loss]
        if len(bundles) <= _BANDS:
            panel.fill_between(
                lines.coordinates, low, high, color=style.color, alpha=0.09, linewidth=0
            )
        panel.plot(lines.coordinates, mean, **style.marked(index, len(mean)))
    if words.metric_kind(view.metric) in words.SHARES:
        panel.set_ylim(-0.02, 1.02)
    panel.axvline(0, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
    panel.set_ylabel(view.label)
    panel.margins(x=0.01)
    return bool(bundles)


def _bundles(view: View, at: str, name: str) -> dict[str, Bundle]:
    found = {loss: bundle(runs, at, name) for loss, runs in view.runs.items()}
    return {loss: lines for loss, lines in found.items() if lines is not None}


def suffix(at: str) -> str:
    """The end of a picture's name: nothing at the trained point."""
    return "" if at == "trained" else f"_{at}"

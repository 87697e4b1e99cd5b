"""Training curves: metric, risk, gradient norm and dead fractions over updates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from landscape.compare.intervals import FEWEST
from landscape.report import statistics, words
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.view import (
    Array,
    Picture,
    View,
    joined,
    last_finite,
    median_and_range,
    series,
)
from landscape.report.results import StoredRun
from landscape.report.run_measures import GRADIENT

UPDATES = "updates"
CROSS: dict[str, Any] = {
    "marker": "x",
    "color": "black",
    "linestyle": "none",
    "markersize": 5,
    "markeredgewidth": 1.2,
    "clip_on": False,
    "zorder": 5,
}


def learning_curves(view: View) -> Picture:
    """Draws the task metric: mean over seeds, with its interval or the seeds themselves."""
    handles = style.loss_legend(view.drawn_styles) + target_legend(view)
    figure, panel = panel_layout.single_panel(handles)
    draw_learning_curves(panel, view)
    line = "one seed"
    if view.seeds > 1:
        line = f"the mean over {view.seeds} seeds, {seeds_text(view)}"
    caption = joined(
        f"The task metric on the evaluation set: the line is {line}.",
        _diverged(view)
        and "A diverged run counts with the value of its untrained model from that step on.",
        "This is the only curve by which different losses can be compared directly.",
    )
    title, alternative = f"Learning curves: {view.label}", "over updates, one line per loss."
    return Picture("learning_curves", title, caption, f"{view.label} {alternative}", figure)


def seeds_text(view: View) -> str:
    """Returns what a figure shows beside the means over seeds."""
    few = view.seeds < FEWEST
    return "thin lines its seeds" if few else "the band its 95 % interval"


def draw_learning_curves(panel: Axes, view: View) -> None:
    """Draws one line per loss, its band or seeds, and the target."""
    lowest = []
    for index, (loss, runs) in enumerate(view.runs.items()):
        loss_style = view.styles[loss]
        steps, values = series(runs, view.metric, metric=True)
        center, low, high = statistics.mean_curve(values)
        if 1 < len(values) < FEWEST:
            panel.plot(steps, values.T, color=loss_style.color, linewidth=0.5, alpha=0.5)
        panel.fill_between(steps, low, high, color=loss_style.color, alpha=0.16, linewidth=0)
        panel.plot(steps, center, **loss_style.marked_sparsely(index, len(steps)))
        lowest.append(center[np.isfinite(center)])
    if np.isfinite(view.target):
        panel.axhline(view.target, **style.REFERENCE)
    frame_metric(panel, view.metric, np.concatenate(lowest))
    panel.set_xlabel(UPDATES)
    panel.set_ylabel(figure_text(view.label))
    panel.margins(x=0.01)


def target_legend(view: View) -> list[Line2D]:
    """Returns the legend entry of the target line, if there is a target."""
    if not np.isfinite(view.target):
        return []
    return [style.legend_line(f"target {words.decimal(view.target)}", **style.REFERENCE)]


def frame_metric(panel: Axes, metric: str, values: Array) -> None:
    """Shows shares from 0 to 1, and R² (unbounded below) at most 2 below its best value."""
    kind = words.metric_kind(metric)
    if kind in words.SHARES:
        panel.set_ylim(-0.02, 1.02)
    elif kind == "r2" and len(values):
        low, high = float(values.min()), float(values.max())
        panel.set_ylim(max(low, high - 2) - 0.05, high + 0.05)


def risks(view: View) -> Picture:
    """Draws the risk in the units of each loss, one panel per loss."""
    height = 1.35 if len(view.runs) > 1 else panel_layout.single_height()
    handles = [
        style.legend_line("evaluation set, median", color="black"),
        style.legend_line("one seed", color="black", linewidth=0.5, alpha=0.5),
        style.legend_line("training batch, median", color=style.GRAY, linestyle=":"),
        *diverged_legend(view),
    ]
    figure, axes = panel_layout.panels(len(view.runs), 4, height, legend=handles)
    for panel, (loss, runs) in zip(axes, view.runs.items(), strict=True):
        _draw_risk(panel, runs, view.styles[loss])
        panel_layout.set_title(panel, loss)
    panel_layout.outer_labels(axes, UPDATES, "risk (own units)")
    caption = (
        "The risk (mean loss) that each run minimizes, in the loss's own units. Every panel has "
        "its own scale: compare shapes between panels, not heights."
    )
    return Picture("risk", "Risk", caption, "Risk over updates, one panel per loss.", figure)


def _draw_risk(panel: Axes, runs: tuple[StoredRun, ...], loss_style: style.Style) -> None:
    steps, values = series(runs, "risk/evaluation")
    batch = median_and_range(series(runs, "risk/batch")[1])[0]
    for row in values:
        panel.plot(steps, row, color=loss_style.color, linewidth=0.5, alpha=0.5)
    panel.plot(steps, batch, color=style.GRAY, linestyle=":", linewidth=1.1)
    panel.plot(steps, median_and_range(values)[0], color=loss_style.color)
    for step, value in last_finite(runs, "risk/evaluation"):
        panel.plot(step, value, **CROSS)
    style.scale_y(panel, np.append(values, batch))
    style.few_ticks(panel.xaxis)


_BATCH_NORM = (
    "Euclidean norm of the batch gradient of the risk over all parameters, in the loss's own "
    "units, on a logarithmic scale: the line is the median over seeds, the band spans the "
    "smallest to the largest seed."
)


def gradients(view: View, norm: str = _BATCH_NORM, each: str = "loss") -> Picture:
    """Draws the norm of the gradient on a logarithmic scale, zeros on a separate line.

    `norm` describes it, and `each` what has a line.
    """
    handles = style.loss_legend(view.drawn_styles) + diverged_legend(view)
    figure, panel = panel_layout.single_panel(handles)
    draw_gradients(panel, view)
    caption = (
        f"{norm} Gradients that are exactly zero are drawn on the line marked 0 below the scale."
    )
    alternative = f"Gradient norm over updates, one line per {each}, logarithmic."
    return Picture("gradient_norm", "Gradient norm", caption, alternative, figure)


def draw_gradients(panel: Axes, view: View) -> None:
    """Draws median and extremes of each loss; zeros are drawn at `floor`, below the scale."""
    data = {loss: series(runs, GRADIENT) for loss, runs in view.runs.items()}
    all_values = np.concatenate([values.ravel() for _, values in data.values()])
    positive = all_values[np.isfinite(all_values) & (all_values > 0)]
    low = np.floor(np.log10(positive.min())) if len(positive) else -1.0
    high = np.ceil(np.log10(positive.max())) if len(positive) else 0.0
    high = max(high, low + 1)
    zeros = bool((all_values == 0).any())
    floor = low - max(0.08 * (high - low), 0.2)
    for index, (loss, (steps, values)) in enumerate(data.items()):
        loss_style = view.styles[loss]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(values == 0, floor, np.log10(values))
        center, bottom, top = median_and_range(logs)
        panel.fill_between(steps, bottom, top, color=loss_style.color, alpha=0.14, linewidth=0)
        panel.plot(steps, center, **loss_style.marked_sparsely(index, len(steps)))
        for step, value in last_finite(view.runs[loss], GRADIENT):
            panel.plot(step, np.log10(value) if value > 0 else floor, **CROSS)
    _decades(panel, low, high, floor if zeros else None)
    panel.set_xlabel(UPDATES)
    panel.set_ylabel("gradient norm (own units)")
    panel.margins(x=0.01)


def _decades(panel: Axes, low: float, high: float, floor: float | None) -> None:
    """Sets ticks at powers of ten and, below the scale, at the line for zero."""
    stride = max(1, int(np.ceil((high - low) / 6)))
    ticks = list(np.arange(low, high + 1, stride))
    if floor is not None:
        panel.axhspan(2 * floor - low, (floor + low) / 2, color="#f1f1f1", zorder=0, linewidth=0)
        ticks = [floor, *ticks]
    panel.yaxis.set_major_locator(FixedLocator(ticks))
    panel.yaxis.set_major_formatter(style.decade_tick(floor))
    panel.set_ylim(low - 0.05 if floor is None else 2 * floor - low, high + 0.05)


def dead_fractions(view: View) -> Picture:
    """Draws the four dead fractions, one panel per definition with all losses."""
    meaning = "exactly zero (or within the tolerance of the experiment), by four definitions"
    lines = (
        " Lines are medians over seeds. Each line is thinner than the one below it, so that equal "
        "lines remain visible."
    )
    return dead_panels(view, words.DEAD, meaning, lines, "Four dead fractions")


def dead_panels(
    view: View, definitions: Mapping[str, str], meaning: str, lines: str, alternative: str
) -> Picture:
    """Draws dead fractions by name, with parts of the caption and the alternative text."""
    handles = style.loss_legend(view.drawn_styles)
    height = max(0.25 * panel_layout.width(), 1.6)
    figure, axes = panel_layout.panels(len(definitions), 2, height, legend=handles)
    for panel, name in zip(axes, definitions, strict=True):
        draw_dead_fraction(panel, view, name)
        panel.set_title(f"dead {name}", loc="left")
        place = panel.get_subplotspec()
        if place is not None and not place.is_first_col():
            panel.tick_params(labelleft=False)
    panel_layout.outer_labels(axes, UPDATES, "share with zero gradient")
    meanings = "; ".join(f"{name}: {text}" for name, text in definitions.items())
    caption = (
        f"The share of the gradient that is {meaning}. {meanings[0].upper()}{meanings[1:]}.{lines}"
    )
    alternative = f"{alternative} over updates, one panel per definition."
    return Picture("dead_fractions", "Dead gradients", caption, alternative, figure)


def draw_dead_fraction(panel: Axes, view: View, name: str) -> None:
    """Draws medians over seeds; earlier lines are wider, so that covered lines remain visible."""
    count = len(view.runs)
    extra_width = min(0.9, 6 / count)
    for index, (loss, runs) in enumerate(view.runs.items()):
        steps, values = series(runs, f"dead/{name}")
        loss_style = view.styles[loss].marked_sparsely(index, len(steps)) | {"linestyle": "-"}
        width = 1.4 + extra_width * (count - 1 - index)
        median = median_and_range(values)[0]
        panel.plot(steps, median, linewidth=width, solid_capstyle="butt", **loss_style)
    panel.margins(x=0.01)
    style.few_ticks(panel.xaxis, 4)
    panel.set_ylim(-0.06, 1.06)
    panel.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))


def _diverged(view: View) -> bool:
    return any(run.status == "diverged" for runs in view.runs.values() for run in runs)


def diverged_legend(view: View) -> list[Line2D]:
    """Returns the legend entry of the mark for diverged runs, if there are any."""
    return [style.legend_line("diverged", **CROSS)] if _diverged(view) else []

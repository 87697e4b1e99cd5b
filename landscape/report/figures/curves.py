"""What happened along training: metric, risk, gradient norm, dead fractions over updates."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from landscape.report import statistics, words
from landscape.report.comparison import GRADIENT
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
)
from landscape.report.figures.view import Array, Picture, View, ends, series, spread
from landscape.report.results import StoredRun

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
# Risks over more than this factor are drawn on a logarithmic scale, where all are positive.
_LOGARITHMIC = 30
_TARGET: dict[str, Any] = {
    "color": GREY,
    "linewidth": 0.9,
    "linestyle": (0, (2, 2)),
    "zorder": 1,
}


def learning(view: View) -> Picture:
    """The task metric: interquartile mean over seeds and its bootstrap interval."""
    keys = target_key(view)
    figure, (panel,) = panels(1, PanelGrid(1, 3.0, top=0.12), foot=foot(view.shown, keys))
    draw_learning(panel, view)
    panel.set_xlabel(UPDATES)
    legend(figure, view.shown, keys)
    over = f"the interquartile mean over {view.seeds} seeds" if view.seeds > 1 else "one seed"
    band = ", the band its 95 % bootstrap interval" if view.seeds > 1 else ""
    caption = (
        f"The task metric on the evaluation set: the line is {over}{band}. "
        + (
            "A run that diverged counts from then on with the value of its untrained model. "
            if _diverged(view)
            else ""
        )
        + "This is the only curve on which different losses can be compared directly."
    )
    return Picture(
        "learning_curves",
        f"Learning curves: {view.label}",
        caption,
        f"{view.label} over updates, one line a loss.",
        figure,
    )


def draw_learning(panel: Axes, view: View) -> None:
    """One line and band a loss, and the target."""
    lowest = []
    for index, (loss, runs) in enumerate(view.runs.items()):
        style = view.styles[loss]
        steps, values = series(runs, view.metric, metric=True)
        known = np.isfinite(values).all(axis=0)
        center = np.full(len(steps), np.nan)
        center[known] = statistics.interquartile_mean(values[:, known])
        low, high = (np.full(len(steps), np.nan) for _ in range(2))
        if known.any():
            low[known], high[known] = statistics.interval(values[:, known])
        panel.fill_between(steps, low, high, color=style.color, alpha=0.16, linewidth=0)
        panel.plot(steps, center, **style.marked(index, len(steps)))
        lowest.append(center[known])
    _target(panel, view)
    _frame_metric(panel, view.metric, np.concatenate(lowest))
    panel.set_ylabel(view.label)
    panel.margins(x=0.01)


def _target(panel: Axes, view: View) -> None:
    if np.isfinite(view.target):
        panel.axhline(view.target, **_TARGET)


def target_key(view: View) -> list[Line2D]:
    """What the line of the target means, for a legend."""
    if not np.isfinite(view.target):
        return []
    return [Line2D([], [], label=f"target {words.decimal(view.target)}", **_TARGET)]


def _frame_metric(panel: Axes, metric: str, values: Array) -> None:
    """Shares from 0 to 1; R², which has no lower end, at most 2 below the best value."""
    kind = words.metric_kind(metric)
    if kind in words.SHARES:
        panel.set_ylim(-0.02, 1.02)
    elif kind == "r2" and len(values):
        low, high = float(values.min()), float(values.max())
        panel.set_ylim(max(low, high - 2) - 0.05, high + 0.05)


def risks(view: View) -> Picture:
    """Each loss's risk in its own units, a panel a loss."""
    columns = columns_for(len(view.runs), 4)
    grid = PanelGrid(columns, 1.35 if len(view.runs) > 1 else 2.6, down=0.42, across=0.5)
    figure, axes = panels(len(view.runs), grid, foot=0.25)
    for panel, (loss, runs) in zip(axes, view.runs.items(), strict=True):
        _draw_risk(panel, runs, view.styles[loss])
    outer_labels(axes, columns, UPDATES, "risk (own units)")
    keys = [
        Line2D([], [], color="black", label="evaluation set, median"),
        Line2D([], [], color="black", linewidth=0.5, alpha=0.5, label="one seed"),
        Line2D([], [], color=GREY, linestyle=":", label="training batch, median"),
    ]
    figure.legend(handles=[*keys, *diverged_key(view)], loc="lower center", ncols=4)
    caption = (
        "The risk (mean loss) that each run minimizes, in the loss's own units: every panel has "
        "its own scale, so heights must not be compared between panels, only shapes."
    )
    return Picture("risk", "Risk", caption, "Risk over updates, one panel a loss.", figure)


def _draw_risk(panel: Axes, runs: tuple[StoredRun, ...], style: Style) -> None:
    steps, values = series(runs, "risk/evaluation")
    _, batch = series(runs, "risk/batch")
    for row in values:
        panel.plot(steps, row, color=style.color, linewidth=0.5, alpha=0.5)
    panel.plot(steps, spread(batch)[0], color=GREY, linestyle=":", linewidth=1.1)
    panel.plot(steps, spread(values)[0], color=style.color)
    for step, value in ends(runs, "risk/evaluation"):
        panel.plot(step, value, **CROSS)
    positive = np.concatenate([values.ravel(), spread(batch)[0]])
    positive = positive[np.isfinite(positive)]
    if len(positive) and positive.min() > 0 and positive.max() > _LOGARITHMIC * positive.min():
        logarithmic(panel, float(positive.min()), float(positive.max()))
    else:
        few_ticks(panel.yaxis, 4)
    few_ticks(panel.xaxis)
    panel.set_title(style.title, loc="left")


def gradients(view: View) -> Picture:
    """The norm of the batch gradient on a logarithmic scale, zeros on a line of their own."""
    keys = diverged_key(view)
    figure, (panel,) = panels(1, PanelGrid(1, 3.0, top=0.12), foot=foot(view.shown, keys))
    draw_gradients(panel, view)
    panel.set_xlabel(UPDATES)
    legend(figure, view.shown, keys)
    caption = (
        "Euclidean norm of the batch gradient of the risk over all parameters, in the loss's own "
        "units, on a logarithmic scale: the line is the median over seeds, the band reaches from "
        "the smallest to the largest. A logarithm has no zero, so gradients that are exactly zero "
        "lie on the line marked 0 below the scale."
    )
    return Picture(
        "gradient_norm",
        "Gradient norm",
        caption,
        "Gradient norm over updates, one line a loss, logarithmic.",
        figure,
    )


def draw_gradients(panel: Axes, view: View) -> None:
    """Median and extremes of each loss; the lowest decade of the axis stands for zero."""
    data = {loss: series(runs, GRADIENT) for loss, runs in view.runs.items()}
    everything = np.concatenate([values.ravel() for _, values in data.values()])
    positive = everything[np.isfinite(everything) & (everything > 0)]
    low = np.floor(np.log10(positive.min())) if len(positive) else -1.0
    high = np.ceil(np.log10(positive.max())) if len(positive) else 0.0
    high = max(high, low + 1)
    zeros = bool((everything == 0).any())
    floor = low - max(0.08 * (high - low), 0.2)
    for index, (loss, (steps, values)) in enumerate(data.items()):
        style = view.styles[loss]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(values == 0, floor, np.log10(values))
        center, bottom, top = spread(logs)
        panel.fill_between(steps, bottom, top, color=style.color, alpha=0.14, linewidth=0)
        panel.plot(steps, center, **style.marked(index, len(steps)))
        for step, value in ends(view.runs[loss], GRADIENT):
            panel.plot(step, np.log10(value) if value > 0 else floor, **CROSS)
    _decades(panel, low, high, floor if zeros else None)
    panel.set_ylabel("gradient norm (own units)")
    panel.margins(x=0.01)


def _decades(panel: Axes, low: float, high: float, floor: float | None) -> None:
    """Ticks at powers of ten; below them the line for zero, set apart from the scale."""
    every = max(1, int(np.ceil((high - low) / 6)))
    ticks = list(np.arange(low, high + 1, every))
    if floor is not None:
        panel.axhspan(2 * floor - low, (floor + low) / 2, color="#f1f1f1", zorder=0, linewidth=0)
        ticks = [floor, *ticks]
    label = FuncFormatter(lambda x, _: "0" if x == floor else f"$10^{{{x:.0f}}}$")
    panel.yaxis.set_major_locator(FixedLocator(ticks))
    panel.yaxis.set_major_formatter(label)
    panel.set_ylim(low - 0.05 if floor is None else 2 * floor - low, high + 0.05)


def dead(view: View) -> Picture:
    """The four dead fractions, a panel a definition, all losses in each."""
    figure, axes = panels(4, PanelGrid(2, 1.75, down=0.45, across=0.35), foot=foot(view.shown))
    for index, (panel, name) in enumerate(zip(axes, words.DEAD, strict=True)):
        draw_dead(panel, view, name)
        panel.set_title(f"dead {name}", loc="left")
        if index % 2:
            panel.set_yticklabels([])
    outer_labels(axes, 2, UPDATES, "share with zero gradient")
    legend(figure, view.shown)
    meanings = "; ".join(f"{name}: {text}" for name, text in words.DEAD.items())
    caption = (
        "What share of the gradient is exactly zero (or within the experiment's tolerance), by "
        f"four definitions. {meanings[0].upper()}{meanings[1:]}. Lines are medians over seeds. "
        "Lines are drawn ever thinner, so that equal ones show as rims around the last."
    )
    return Picture(
        "dead_fractions",
        "Dead gradients",
        caption,
        "Four dead fractions over updates, one panel a definition.",
        figure,
    )


def draw_dead(panel: Axes, view: View, name: str) -> None:
    """Medians over seeds; earlier losses are wider, so that a line shows under one on top of it."""
    count = len(view.runs)
    wider = min(0.9, 6 / count)
    for index, (loss, runs) in enumerate(view.runs.items()):
        steps, values = series(runs, f"dead/{name}")
        style = view.styles[loss].marked(index, len(steps)) | {"linestyle": "-"}
        width = 1.4 + wider * (count - 1 - index)
        panel.plot(steps, spread(values)[0], linewidth=width, solid_capstyle="butt", **style)
    panel.margins(x=0.01)
    panel.set_ylim(-0.06, 1.06)
    panel.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))


def _diverged(view: View) -> bool:
    return any(run.status == "diverged" for runs in view.runs.values() for run in runs)


def diverged_key(view: View) -> list[Line2D]:
    return [Line2D([], [], **{**CROSS, "label": "diverged"})] if _diverged(view) else []

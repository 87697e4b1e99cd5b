"""Draws the metric against the learning rate, and the tolerance of each loss to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from landscape.report import words
from landscape.report.compare_measures import LossMeasures
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.curves import CROSS, frame_metric
from landscape.report.figures.fitted_text import label
from landscape.report.figures.view import Picture, joined
from landscape.report.number_texts import tolerance_text
from landscape.report.tuned_comparison import TunedComparison

_ROW = 0.27  # inches per loss
_SEED: dict[str, Any] = {
    "linestyle": "none",
    "marker": ".",
    "markersize": 4,
    "markeredgewidth": 0,
    "alpha": 0.5,
    "zorder": 2,
}


def rate_curves(comparison: TunedComparison, styles: Mapping[str, style.Style]) -> Picture | None:
    """Draws a line per loss with its seeds, and below it the range of rates that it tolerates."""
    curves = ((loss, loss.curve) for loss in comparison.losses)
    losses = [
        loss for loss, each in curves if len(each.rates) > 1 and np.isfinite(each.values).any()
    ]
    if not losses:
        return None
    heights = 0.8 * panel_layout.single_height(), _ROW * len(losses) + 0.08
    figure = panel_layout.figure(heights)
    curve, bars = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    figure.rows = [curve, bars]
    for row, loss in enumerate(losses):
        _draw_curve(curve, loss, styles[loss.name])
        _draw_tolerance(bars, row, loss, styles[loss.name])
    _scale_rates(curve, bars, losses)
    _label(curve, bars, losses, comparison)
    metric, split = comparison.label, comparison.split
    tolerances = [loss.curve.tolerance for loss in losses]
    leaves = any(tolerance.leaves_low or tolerance.leaves_high for tolerance in tolerances)
    diverged = any(loss.curve.diverged.any() for loss in losses)
    caption = joined(
        f"The {metric} on the {split} split at the end of training, against the learning rate: the "
        "line is the mean over the tuning seeds, each dot one seed.",
        diverged and "A cross is a run that diverged, at the value of its untrained model.",
        "The bar of each loss is its tolerance: the learning rates around the tuned one (the "
        "marker) with a mean gain of at least 95 % of its own best. Its width is given in decades, "
        "with a 95 % bootstrap interval over the seeds.",
        leaves and "An arrow marks a bar that leaves the grid: its width is a lower bound.",
        bool(curve.get_ylim()[0] > min(np.nanmin(loss.curve.values) for loss in losses))
        and f"Values of the {metric} below the axis are not shown.",
        "The thin line is the grid of the loss, the dashed one the learning rate of the config.",
    )
    title = "Tolerance to the learning rate"
    alternative = f"{metric} against the learning rate, one line per loss, and tolerated rates."
    return Picture("tuning_rates", title, caption, alternative, figure, "compare")


def _draw_curve(panel: Axes, loss: LossMeasures, loss_style: style.Style) -> None:
    curve = loss.curve
    rates = np.broadcast_to(curve.rates[:, None], curve.values.shape)
    panel.plot(curve.rates, curve.means, **loss_style.marked(markersize=4.5, zorder=3))
    color: dict[str, Any] = {"color": loss_style.color}
    ended = ~curve.diverged
    panel.plot(rates[ended], curve.values[ended], **_SEED, **color)
    crosses = CROSS | color | {"markersize": 4, "markeredgewidth": 0.9}
    panel.plot(rates[curve.diverged], curve.values[curve.diverged], **crosses)


def _draw_tolerance(panel: Axes, row: int, loss: LossMeasures, loss_style: style.Style) -> None:
    curve, tolerance = loss.curve, loss.curve.tolerance
    panel.plot(curve.rates[[0, -1]], [row, row], color="#b9b9b9", linewidth=0.8, zorder=1)
    text = tolerance_text(tolerance)
    if not loss.entry.learns or not np.isfinite(tolerance.decades):
        text = "does not learn" if not loss.entry.learns else words.MISSING
    panel.text(1.02, row, text, va="center", transform=panel.get_yaxis_transform())
    if not loss.entry.learns or not np.isfinite(tolerance.decades):
        return
    ends, color = [tolerance.low_rate, tolerance.high_rate], loss_style.color
    bar: dict[str, Any] = {"linewidth": 4.5, "solid_capstyle": "butt", "alpha": 0.55, "zorder": 2}
    panel.plot(ends, [row, row], color=color, **bar)
    if tolerance.leaves_low:
        panel.plot(ends[0], row, color=color, marker="<", markersize=7, clip_on=False)
    if tolerance.leaves_high:
        panel.plot(ends[1], row, color=color, marker=">", markersize=7, clip_on=False)
    dot = loss_style.marked(linestyle="none", markersize=5.5, zorder=4)
    panel.plot(loss.entry.tuned_rate, row, **dot)


def _scale_rates(curve: Axes, bars: Axes, losses: Sequence[LossMeasures]) -> None:
    """Sets a logarithmic axis over all grids, and marks the learning rate of the config."""
    rates = np.concatenate([loss.curve.rates for loss in losses])
    own_rates = sorted({loss.entry.own_rate for loss in losses if loss.entry.own_rate > 0})
    low, high = np.log10(min([*rates, *own_rates])), np.log10(max([*rates, *own_rates]))
    bars.set_xscale("log")
    bars.set_xlim(10 ** (low - 0.03 * (high - low)), 10 ** (high + 0.03 * (high - low)))
    powers = range(int(np.ceil(low - 0.01)), int(np.floor(high + 0.01)) + 1)
    style.named_ticks(bars.xaxis, [10.0**power for power in powers])
    for rate in own_rates:
        curve.axvline(rate, **style.REFERENCE)
        bars.axvline(rate, **style.REFERENCE)
        transform = curve.get_xaxis_transform()
        curve.text(rate, 1.01, "config", transform=transform, ha="center", color=style.GRAY)


def _label(
    curve: Axes, bars: Axes, losses: Sequence[LossMeasures], comparison: TunedComparison
) -> None:
    names = [label(loss.name, panel_layout.name_width()) for loss in losses]
    style.rows(bars, names)
    bars.set_xlabel("learning rate")
    transform = bars.get_yaxis_transform()
    bars.text(1.02, -0.95, "tolerated decades", transform=transform, color=style.GRAY)
    curve.tick_params(axis="x", labelbottom=False)
    curve.set_ylabel(figure_text(comparison.label))
    frame_metric(curve, comparison.metric, np.concatenate([loss.curve.means for loss in losses]))

"""Draws the share of judged runs at the target against the steps of training."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from landscape.compare.time_to_target import kaplan_meier
from landscape.report import words
from landscape.report.compare_measures import LossMeasures
from landscape.report.figures import panel_layout, style
from landscape.report.figures.curves import UPDATES
from landscape.report.figures.view import Picture
from landscape.report.tuned_comparison import TunedComparison


def target_curves(comparison: TunedComparison, styles: Mapping[str, style.Style]) -> Picture | None:
    """Draws a rising step curve per loss; runs that never reach the target keep it below 1."""
    losses = comparison.judged
    if not losses or not np.isfinite(comparison.target):
        return None
    handles = style.loss_legend(styles[loss.name] for loss in losses)
    figure, (panel,) = panel_layout.panels(1, 1, panel_layout.single_height(), legend=handles)
    for index, loss in enumerate(losses):
        _draw_curve(panel, loss, styles[loss.name], comparison.steps, index / len(losses))
    _label_ends(panel, losses, comparison.steps)
    panel.set_xlim(0, comparison.steps)
    panel.set_ylim(-0.03, 1.05)
    panel.set_xlabel(UPDATES)
    panel.set_ylabel("share of runs at the target")
    target = words.metric_value(comparison.metric, comparison.target)
    caption = (
        f"The share of judged runs that have reached the target ({target} on the "
        f"{comparison.split} split, at two successive records), by Kaplan and Meier (1958): a run "
        "that does not reach it, or diverges, counts until the end and keeps the curve below 1. "
        "At the right, the runs that reached the target out of all."
    )
    alternative = "Share of runs at the target over updates, one curve per loss."
    return Picture("at_target", "Runs at the target", caption, alternative, figure, "compare")


def _draw_curve(
    panel: Axes, loss: LossMeasures, loss_style: style.Style, steps: float, phase: float
) -> None:
    late = np.isnan(loss.times)
    curve = kaplan_meier(np.where(late, steps, loss.times), late)
    x = np.append(curve.steps, steps)
    y = np.append(curve.share, curve.share[-1])
    panel.step(x, y, where="post", **loss_style.line())
    # Markers lie at regular steps, shifted from loss to loss.
    places = steps * (np.arange(6) + 0.15 + 0.7 * phase) / 6
    shares = y[np.searchsorted(x, places, side="right") - 1]
    panel.plot(places, shares, **loss_style.marked(linestyle="none"))


def _label_ends(panel: Axes, losses: tuple[LossMeasures, ...], steps: float) -> None:
    """Writes the final counts at the right, one text per height, such as `7/10`."""
    counts = sorted({loss.reached[:2] for loss in losses}, key=lambda pair: pair[0] / pair[1])
    lowest = -np.inf
    for reached, total in counts:
        height = max(reached / total, lowest + 0.07)  # texts do not overlap
        lowest = height
        panel.annotate(
            f"{reached}/{total}",
            (steps, reached / total),
            xytext=(steps * 1.015, height),
            va="center",
            annotation_clip=False,
        )

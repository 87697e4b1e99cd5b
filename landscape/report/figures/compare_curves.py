"""Draws one curve per loss of a comparison: runs at the target, best of k trials, profiles."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from landscape.compare.time_to_target import kaplan_meier
from landscape.report import words
from landscape.report.compare_conditions import TAUS
from landscape.report.compare_measures import BEST_OF, LossMeasures
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.curves import UPDATES, frame_metric
from landscape.report.figures.view import Picture
from landscape.report.tuned_comparison import TunedComparison


def target_curves(comparison: TunedComparison, styles: Mapping[str, style.Style]) -> Picture | None:
    """Draws a rising step curve per loss; runs that never reach the target keep it below 1."""
    losses = comparison.judged
    if not losses or not np.isfinite(comparison.target):
        return None
    handles = style.loss_legend(styles[loss.name] for loss in losses)
    figure, panel = panel_layout.single_panel(handles)
    for index, loss in enumerate(losses):
        _draw_curve(panel, loss, styles[loss.name], comparison.steps, index / len(losses))
    _label_ends(panel, losses, comparison.steps)
    panel.set_xlim(0, comparison.steps)
    _label_share(panel, UPDATES, "share of runs at the target")
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


def _label_ends(panel: Axes, losses: Sequence[LossMeasures], steps: float) -> None:
    """Writes the final counts at the right, one text per height, such as `7/10`."""
    counts = sorted({loss.reached[:2] for loss in losses}, key=lambda pair: pair[0] / pair[1])
    lowest = -np.inf
    for reached, total in counts:
        height = max(reached / total, lowest + 0.07)  # texts do not overlap
        lowest = height
        panel.text(steps * 1.015, height, f"{reached}/{total}", va="center")


def best_of_k_curves(
    comparison: TunedComparison, styles: Mapping[str, style.Style]
) -> Picture | None:
    """Draws a line per loss over the number of trials."""
    losses = [loss for loss in comparison.losses if np.isfinite(loss.best_of).all()]
    if not losses:
        return None
    handles = style.loss_legend(styles[loss.name] for loss in losses)
    figure, panel = panel_layout.single_panel(handles, max_width=4.9)
    for loss in losses:
        panel.plot(BEST_OF, loss.best_of, **styles[loss.name].marked(markersize=5))
    frame_metric(panel, comparison.metric, np.concatenate([loss.best_of for loss in losses]))
    panel.set_xscale("log")
    style.named_ticks(panel.xaxis, BEST_OF, map(str, BEST_OF))
    panel.set_xlabel("number of trials k")
    panel.set_ylabel(figure_text(f"expected best {comparison.label}"))
    caption = (
        f"The expected best {comparison.label} on the {comparison.split} split of k trials, each "
        "at a learning rate and options drawn at random from those of the loss (Dodge et al. "
        "2019). At k = 1 it is the mean over the grid: a loss that is high there needs little "
        "tuning."
    )
    alternative = f"Expected best {comparison.label} over the number of trials, a line per loss."
    return Picture("best_of_k", "Best of k trials", caption, alternative, figure, "compare")


def profile_curves(
    comparison: TunedComparison, styles: Mapping[str, style.Style]
) -> Picture | None:
    """Draws a rising curve per loss over the ratio of its time to that of the fastest loss."""
    profiles = comparison.profiles
    if profiles is None:
        return None
    handles = [
        style.legend_line(f"{styles[name].label} ({score:.2f})", **styles[name].marked())
        for name, score in zip(profiles.losses, profiles.scores, strict=True)
    ]
    figure, panel = panel_layout.single_panel(handles, max_width=5.5)
    for index, (name, shares) in enumerate(zip(profiles.losses, profiles.shares, strict=True)):
        loss_style = styles[name]
        panel.step(TAUS, shares, where="post", **loss_style.line())
        first = 5 + 7 * index % 40  # markers are shifted from loss to loss
        dots = {"linestyle": "none", "markevery": (first, 50)}
        panel.plot(TAUS, shares, **loss_style.marked(**dots))
    panel.set_xlim(1, TAUS[-1])
    panel.xaxis.set_major_locator(FixedLocator([1, 1.5, 2, 2.5, 3, 3.5, 4]))
    _label_share(panel, "time to the target / that of the fastest loss", "share of conditions")
    caption = (
        f"Performance profiles over {len(profiles.conditions)} conditions (Dolan and More 2002): "
        "the share of conditions in which a loss reaches the target at most so many times later "
        "than the fastest loss. Times are expected running times at the tuned learning rate, with "
        "failed runs restarted; under a condition in which it never arrives, a loss does not "
        "count. In brackets, the mean height from 1 to 4, as in AlgoPerf. The profile of a loss "
        "depends on the losses that it is compared with."
    )
    alternative = "Share of conditions over the ratio to the fastest loss, a curve per loss."
    title = "Performance profiles"
    return Picture("profiles", title, caption, alternative, figure, "compare")


def _label_share(panel: Axes, x: str, y: str) -> None:
    panel.set_ylim(-0.03, 1.05)
    panel.set_xlabel(x)
    panel.set_ylabel(y)

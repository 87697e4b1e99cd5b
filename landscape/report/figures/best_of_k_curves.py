"""Draws the expected best of k random trials: what a small budget of tuning reaches."""

from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from landscape.report.compare_measures import BEST_OF
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.curves import frame_metric
from landscape.report.figures.view import Picture
from landscape.report.tuned_comparison import TunedComparison


def best_of_k_curves(
    comparison: TunedComparison, styles: Mapping[str, style.Style]
) -> Picture | None:
    """Draws a line per loss over the number of trials."""
    losses = [loss for loss in comparison.losses if np.isfinite(loss.best_of).all()]
    if not losses:
        return None
    handles = style.loss_legend(styles[loss.name] for loss in losses)
    figure, (panel,) = panel_layout.panels(
        1, 1, panel_layout.single_height(), legend=handles, max_width=4.9
    )
    for loss in losses:
        panel.plot(BEST_OF, loss.best_of, **styles[loss.name].marked(markersize=5))
    frame_metric(panel, comparison.metric, np.concatenate([loss.best_of for loss in losses]))
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(BEST_OF))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xticks(BEST_OF, map(str, BEST_OF))
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

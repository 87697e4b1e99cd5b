"""One figure for a paper, two columns wide: metric, gradient norm, dead components, slices."""

import numpy as np

from landscape.report import words
from landscape.report.figures import curves, panel_layout
from landscape.report.figures.bundles import lines_by_loss
from landscape.report.figures.line_panels import band, draw_metric_along_lines
from landscape.report.figures.style import loss_legend
from landscape.report.figures.view import Picture, View, series
from landscape.report.sets import PLACES


def summary(view: View) -> Picture:
    """Draws four panels, or three if no run has the task metric along lines."""
    at_points = [
        (point, lines)
        for point in PLACES
        for line_set in view.lines[:1]
        if (lines := lines_by_loss(view, line_set, point, view.metric))
    ]
    point, lines = at_points[0] if at_points else ("", None)
    handles = (
        loss_legend(view.drawn_styles) + curves.target_legend(view) + curves.diverged_legend(view)
    )
    count, most = (4, 2) if lines else (3, 3)
    figure, axes = panel_layout.panels(count, most, 1.85, min_width=1.6, legend=handles)
    curves.draw_learning_curves(axes[0], view)
    curves.draw_gradients(axes[1], view)
    name = _dead_name(view)
    curves.draw_dead_fraction(axes[2], view, name)
    axes[2].set_ylabel(f"share of {name}")
    axes[2].set_xlabel(curves.UPDATES)
    titles = [view.label, "gradient norm", f"dead {name}"]
    slice_caption = ""
    if lines:
        draw_metric_along_lines(axes[3], view, lines)
        slice_caption = f"; (d) the task metric along {lines.direction}, the mean{band(view)}"
        titles.append(f"{view.label} around the {point} point")
    for panel, letter, title in zip(axes, "abcd", titles, strict=False):
        panel_layout.set_title(panel, f"({letter}) {title}")
    line = f"mean over seeds, {curves.seeds_text(view)}" if view.seeds > 1 else "one seed"
    caption = (
        f"(a) The task metric on the evaluation set, {line}; (b) the "
        f"norm of the batch gradient, zeros on the line marked 0; (c) the share of {name} with "
        f"zero gradient, covered lines drawn wider{slice_caption}."
    )
    alternative = "Panels: task metric, gradient norm, dead gradients, slices."
    return Picture("summary", "Summary", caption, alternative, figure)


def _dead_name(view: View) -> str:
    """Returns `components`, or the first definition if components were not recorded."""
    recorded = [series(runs, "dead/components")[1] for runs in view.runs.values()]
    known = any(np.isfinite(values).any() for values in recorded)
    return "components" if known else next(iter(words.DEAD))

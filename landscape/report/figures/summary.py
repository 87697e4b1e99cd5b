"""One figure for a paper, two columns wide: metric, gradient norm, dead components, slices."""

import numpy as np

from landscape.report import words
from landscape.report.figures.bundles import along, bundles, distance
from landscape.report.figures.curves import (
    UPDATES,
    diverged_key,
    draw_dead,
    draw_gradients,
    draw_learning,
    target_key,
)
from landscape.report.figures.line_panels import band, draw_metric_along_lines
from landscape.report.figures.style import PanelGrid, foot, legend, letter, panels
from landscape.report.figures.view import Picture, View, series


def summary(view: View, point: str | None) -> Picture:
    """Draws four panels, or three without slices; `point` is the point whose slices are shown."""
    count = 4 if point else 3
    grid = PanelGrid(2 if point else 3, 1.85, top=0.25, down=0.62, across=0.62)
    keys = [*target_key(view), *diverged_key(view)]
    figure, axes = panels(count, grid, foot=foot(view.shown, keys))
    draw_learning(axes[0], view)
    draw_gradients(axes[1], view)
    name = _dead_name(view)
    draw_dead(axes[2], view, name)
    axes[2].set_ylabel(f"share of {name}")
    titles = [f"{view.label}", "gradient norm", f"dead {name}"]
    for panel in axes[:3]:
        panel.set_xlabel(UPDATES)
    slice_caption = ""
    if point:
        axis = distance(view, view.lines[0], point)
        draw_metric_along_lines(axes[3], view, view.lines[0], point)
        axes[3].set_xlabel(axis.label)
        bundle_of = bundles(view, view.lines[0], point, view.metric, axis.relative)
        course = along(view.lines[0], point, bundle_of)
        slice_caption = f"; (d) the task metric along {course}, the mean{band(view)}"
        titles.append(f"{view.label} around the {point} point")
    for index, (panel, title) in enumerate(zip(axes, titles, strict=True)):
        letter(panel, index, title)
    legend(figure, view.shown, keys)
    caption = (
        f"(a) The task metric, interquartile mean over seeds with 95 % bootstrap "
        f"interval; (b) the norm of the batch gradient, zeros on the line marked 0; (c) the share "
        f"of {name} with zero gradient, covered lines drawn wider"
        f"{slice_caption}."
    )
    return Picture(
        "summary",
        "Summary",
        caption,
        "Panels: task metric, gradient norm, dead gradients, slices.",
        figure,
    )


def _dead_name(view: View) -> str:
    """Returns `components`, or the first definition if components were not recorded."""
    recorded = [series(runs, "dead/components")[1] for runs in view.runs.values()]
    known = any(np.isfinite(values).any() for values in recorded)
    return "components" if known else next(iter(words.DEAD))

"""Draws the task metric against each swept number."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from landscape.report import words
from landscape.report.comparison import best_points
from landscape.report.comparison_row import Row
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.style import Style, loss_legend, styles
from landscape.report.figures.view import Array, Picture, joined
from landscape.report.statistics import SeedEstimate

_LARGEST = float(np.finfo(np.float32).max)


def numeric_keys(rows: Sequence[Row], keys: Sequence[str]) -> list[str]:
    """Returns the swept keys that have at least two values, all of them numbers that are drawn."""
    return [
        key
        for key in keys
        if all(_can_be_drawn(row.swept.get(key, np.nan)) for row in rows)
        and len({row.swept[key] for row in rows if key in row.swept}) > 1
    ]


def _can_be_drawn(value: object) -> bool:
    """Returns whether the value is a number within the range of float32, or missing."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return not abs(value) > _LARGEST


def metric_over_sweep(
    rows: Sequence[Row], keys: tuple[str, ...], losses: tuple[str, ...]
) -> Picture | None:
    """Draws one panel per numeric key, with the best mean over the other keys."""
    numeric = numeric_keys(rows, keys)
    if not numeric:
        return None
    style_of = styles(losses)
    height = 2.4 if len(numeric) == 1 else 2.0
    handles = loss_legend(style_of.values())
    figure, axes = panel_layout.panels(len(numeric), 2, height, legend=handles)
    metric = words.metric_label(rows[0].metric)
    for panel, key in zip(axes, numeric, strict=True):
        for loss, loss_style in style_of.items():
            _draw_loss(panel, [row for row in rows if row.loss == loss], key, loss_style)
        _scale_x(panel, np.unique([float(row.swept[key]) for row in rows if key in row.swept]))
        panel.set_xlabel(figure_text(key))
    axes[0].set_ylabel(figure_text(metric))
    best_of = ", the best over the other swept keys" if len(keys) > 1 else ""
    intervals = any(np.isfinite(row.estimate.low) for row in rows)
    meaning = "95 % intervals" if intervals else "the range of the seeds"
    caption = joined(
        f"The {metric} against the swept value: mean over seeds{best_of}. Bars are {meaning}.",
        any(key not in row.swept for row in rows for key in numeric)
        and "A loss without the swept option is a horizontal line.",
    )
    alternative = "Task metric against the swept value."
    return Picture("sweep", "Over the sweep", caption, alternative, figure)


def _draw_loss(panel: Axes, rows: Sequence[Row], key: str, loss_style: Style) -> None:
    """Draws the best row at each value of the key, with the interval or the range of its seeds."""
    by_value: dict[float, list[Row]] = {}
    for row in rows:
        if key in row.swept:
            by_value.setdefault(float(row.swept[key]), []).append(row)
    if not by_value:  # this loss does not have the swept option
        panel.axhline(best_points(rows)[0].estimate.value, **loss_style.line(linewidth=1.0))
        return
    best = [best_points(by_value[value])[0].estimate for value in sorted(by_value)]
    values = np.array([each.value for each in best])
    errors = abs(np.array([_ends(each) for each in best]).T - values)
    panel.errorbar(
        sorted(by_value),
        values,
        yerr=errors,
        capsize=2,
        elinewidth=0.8,
        **loss_style.marked(markersize=4.5),
    )


def _ends(estimate: SeedEstimate) -> tuple[float, float]:
    """Returns the ends of the interval, or of the range of the seeds without one."""
    if np.isnan(estimate.low):
        lowest, highest = estimate.lowest, estimate.highest
        return (estimate.value,) * 2 if np.isnan(lowest) else (lowest, highest)
    return estimate.low, estimate.high


def _scale_x(panel: Axes, values: Array) -> None:
    """Sets ticks at the values, and a logarithmic axis if they span more than a factor of 8."""
    if values[0] > 0 and values[-1] / values[0] > 8:
        panel.set_xscale("log")
        panel.minorticks_off()
    if len(values) <= 8:
        style.named_ticks(panel.xaxis, values, map(words.scientific, values))

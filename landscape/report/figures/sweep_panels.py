"""Draws the task metric against each swept number."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from landscape.report import words
from landscape.report.comparison import best_points
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.style import loss_legend, styles
from landscape.report.figures.view import Array, Picture, joined

_LARGEST = float(np.finfo(np.float32).max)


def numeric_keys(table: pd.DataFrame, keys: tuple[str, ...]) -> list[str]:
    """Returns the swept keys that have at least two values, all of them numbers that are drawn."""
    return [key for key in keys if all(map(_can_be_drawn, table[key])) and table[key].nunique() > 1]


def _can_be_drawn(value: object) -> bool:
    """Returns whether the value is a number within the range of float32, or missing."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return not abs(value) > _LARGEST


def metric_over_sweep(
    table: pd.DataFrame, keys: tuple[str, ...], losses: tuple[str, ...]
) -> Picture | None:
    """Draws one panel per numeric key, with the best mean over the other keys."""
    numeric = numeric_keys(table, keys)
    if not numeric:
        return None
    style_of = styles(losses)
    height = 2.4 if len(numeric) == 1 else 2.0
    handles = loss_legend(style_of.values())
    figure, axes = panel_layout.panels(len(numeric), 2, height, legend=handles)
    metric = words.metric_label(str(table["metric"].iloc[0]))
    for panel, key in zip(axes, numeric, strict=True):
        for loss, loss_style in style_of.items():
            rows = table[table["loss"] == loss]
            if not rows[key].notna().any():  # this loss does not have the swept option
                value = float(best_points(rows)["value"].iloc[0])
                panel.axhline(value, **loss_style.line(linewidth=1.0))
                continue
            best = pd.concat([best_points(group) for _, group in rows.groupby(key)])
            x, value = best[[key, "value"]].to_numpy(dtype=float).T
            errors = abs(_ends(best) - value)
            panel.errorbar(
                x,
                value,
                yerr=errors,
                capsize=2,
                elinewidth=0.8,
                **loss_style.marked(markersize=4.5),
            )
        _scale_x(panel, np.sort(table[key].dropna().astype(float).unique()))
        panel.set_xlabel(figure_text(key))
    axes[0].set_ylabel(figure_text(metric))
    best_of = ", the best over the other swept keys" if len(keys) > 1 else ""
    intervals = bool(table["low"].notna().any())
    meaning = "95 % intervals" if intervals else "the range of the seeds"
    caption = joined(
        f"The {metric} against the swept value: mean over seeds{best_of}. Bars are {meaning}.",
        bool(table[numeric].isna().any(axis=None))
        and "A loss without the swept option is a horizontal line.",
    )
    alternative = "Task metric against the swept value."
    return Picture("sweep", "Over the sweep", caption, alternative, figure)


def _ends(rows: pd.DataFrame) -> Array:
    """Returns the ends of the intervals, (2, rows), or of the range of the seeds without them."""
    low = rows["low"].fillna(rows["lowest"]).fillna(rows["value"])
    high = rows["high"].fillna(rows["highest"]).fillna(rows["value"])
    return np.array([low, high], np.float64)


def _scale_x(panel: Axes, values: Array) -> None:
    """Sets ticks at the values, and a logarithmic axis if they span more than a factor of 8."""
    if values[0] > 0 and values[-1] / values[0] > 8:
        panel.set_xscale("log")
        panel.minorticks_off()
    if len(values) <= 8:
        style.named_ticks(panel.xaxis, values, map(words.scientific, values))

"""Figures of training loops that were recorded: risk, metrics, gradients, dead fractions, updates.

Each line is one loop, not a summary of seeds.
"""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from landscape.report import words
from landscape.report.escapes import figure_text
from landscape.report.figures import curves, panel_layout, style
from landscape.report.figures.curves import CROSS, UPDATES, diverged_legend
from landscape.report.figures.fitted_text import fit
from landscape.report.figures.view import Array, Picture, View, joined, last_finite
from landscape.report.results import StoredRun

_LAYER = "gradient_norm/layer/"
# More layers than this are named on every second, third, ... row only.
_MOST_NAMES = 24


def risks(view: View) -> Picture | None:
    """Draws the risk of the batch, and of the evaluation set where it was recorded, per loop."""
    height = 1.6 if len(view.runs) > 1 else panel_layout.single_height()
    figure, axes = panel_layout.panels(len(view.runs), 3, height)
    evaluated = "risk/evaluation" in _columns(view)
    for panel, (label, (run,)) in zip(axes, view.runs.items(), strict=True):
        batch, whole = run.column("risk/batch"), run.column("risk/evaluation")
        faint = {"color": style.GRAY, "linewidth": 1.0, "linestyle": ":"}
        color = view.styles[label].color
        panel.plot(run.column("step"), batch, **(faint if evaluated else {"color": color}))
        panel.plot(run.column("step"), whole, color=color)
        for step, value in last_finite((run,), "risk/batch"):
            panel.plot(step, value, **CROSS)
        style.scale_y(panel, np.concatenate([batch, whole]))
        style.few_ticks(panel.xaxis)
        panel_layout.set_title(panel, label)
    panel_layout.outer_labels(axes, UPDATES, "risk (own units)")
    handles = diverged_legend(view)
    if evaluated:
        handles = [
            style.legend_line("evaluation set", color="black"),
            style.legend_line("batch of the step", color=style.GRAY, linestyle=":"),
            *handles,
        ]
    panel_layout.add_legend(figure, handles)
    caption = joined(
        "The mean of the loss over the batch of the step",
        evaluated and "and over the evaluation set that was passed to the recorder",
        "at the recorded steps, in the units of the loss. Every panel has its own scale.",
    )
    return Picture("risk", "Risk", caption, "Risk over updates, one panel per loop.", figure)


def metrics(view: View, names: Iterable[str]) -> Picture | None:
    """Draws each metric of the evaluation set, one panel per metric with all loops."""
    recorded = _columns(view)
    shown = [name for name in dict.fromkeys(names) if name in recorded]
    if not shown:
        return None
    measured = [label for label, (run,) in view.runs.items() if {*shown} & {*run.trace}]
    handles = style.loss_legend(view.styles[label] for label in measured)
    figure, axes = panel_layout.panels(len(shown), 2, 2.0, legend=handles)
    for panel, name in zip(axes, shown, strict=True):
        _draw_lines(panel, view, name)
        panel_layout.set_title(panel, words.metric_label(name))
    panel_layout.outer_labels(axes, UPDATES, "")
    caption = "Metrics of the evaluation set that was passed to the recorder."
    return Picture("metrics", "Metrics", caption, "Metrics over updates.", figure)


def gradients(view: View) -> Picture:
    """Draws the norm of the gradient of each loop, zeros on a separate line."""
    norm = (
        "Euclidean norm over all parameters of the gradient of the recorded steps, in the units of "
        "the loss, on a logarithmic scale."
    )
    return curves.gradients(view, norm, "loop")


def layers(view: View) -> Picture | None:
    """Draws the gradient norm of every layer as a map of layers and steps, one panel per loop."""
    maps = {label: _layer_norms(run) for label, (run,) in view.runs.items()}
    maps = {label: rows for label, rows in maps.items() if rows}
    if not maps:
        return None
    values = np.concatenate([np.ravel([*rows.values()]) for rows in maps.values()])
    positive = np.log10(values[np.isfinite(values) & (values > 0)])
    low, high = (positive.min(), positive.max()) if len(positive) else (-1.0, 0.0)
    high = max(high, low + 0.1)
    height = min(max(0.16 * max(map(len, maps.values())), 0.9), 3.4)
    figure, axes = panel_layout.panels(len(maps), 1, height)
    for panel, (label, rows) in zip(axes, maps.items(), strict=True):
        (run,) = view.runs[label]
        mesh = _draw_map(panel, run.column("step"), rows, (float(low), float(high)))
        panel_layout.set_title(panel, label)
        bar = panel_layout.color_scale(panel, mesh, format=style.POWER_TICK)
        bar.ax.set_title("norm", fontsize=8, loc="left")
    axes[-1].set_xlabel(UPDATES)
    caption = (
        "Euclidean norm of the gradient of each layer at the recorded steps, in the order of the "
        "trace, on one logarithmic scale. White: the gradient of the layer is exactly zero or "
        "not finite. A color that changes along the layers shows where gradients vanish or grow."
    )
    alternative = "Map of gradient norms, layers by updates, one panel per loop."
    return Picture("gradient_layers", "Gradient norm per layer", caption, alternative, figure)


def dead_fractions(view: View, measured_on: str) -> Picture | None:
    """Draws the dead fractions that were recorded, one panel per definition with all loops."""
    meanings = words.DEAD | {"weights": "share of the parameters whose gradient is zero"}
    recorded = _columns(view)
    shown = {name: text for name, text in meanings.items() if f"dead/{name}" in recorded}
    if not shown:
        return None
    meaning = f"exactly zero, {measured_on}, by definition"
    return curves.dead_panels(view, shown, meaning, "", "Dead fractions")


def updates(view: View) -> Picture | None:
    """Draws the ratio of the update to the parameters on a logarithmic scale."""
    if "update_ratio" not in _columns(view):
        return None
    figure, panel = panel_layout.single_panel(style.loss_legend(view.drawn_styles))
    _draw_lines(panel, view, "update_ratio")
    panel.set_xlabel(UPDATES)
    panel.set_ylabel("update / parameters")
    caption = (
        "Norm of the update over the norm of the parameters. About 1e-3 is usual in training; far "
        "less means no progress, far more means noise (Karpathy, CS231n, 2015)."
    )
    alternative = "Ratio of update to parameters over updates, one line per loop."
    return Picture("update_ratio", "Update ratio", caption, alternative, figure)


def _columns(view: View) -> set[str]:
    return {name for (run,) in view.runs.values() for name in run.trace}


def _draw_lines(panel: Axes, view: View, name: str) -> None:
    drawn = []
    for index, (label, (run,)) in enumerate(view.runs.items()):
        steps, values = run.column("step"), run.column(name)
        panel.plot(steps, values, **view.styles[label].marked_sparsely(index, len(steps)))
        drawn.append(values)
    style.scale_y(panel, np.concatenate(drawn))
    panel.margins(x=0.01)


def _layer_norms(run: StoredRun) -> dict[str, Array]:
    """Returns the gradient norms by layer, in the order of the trace."""
    names = [name for name in run.trace if name.startswith(_LAYER)]
    return {name.removeprefix(_LAYER): run.column(name) for name in names}


def _draw_map(
    panel: Axes, steps: Array, rows: dict[str, Array], limits: tuple[float, float]
) -> QuadMesh:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(np.array([*rows.values()]))
    logs[~np.isfinite(logs)] = np.nan
    low, high = limits
    mesh = panel.pcolormesh(_edges(steps), np.arange(len(rows) + 1), logs, vmin=low, vmax=high)
    stride = -(-len(rows) // _MOST_NAMES)
    names = [figure_text(fit(name, 0.33 * panel_layout.width())) for name in rows]
    panel.set_yticks(np.arange(0, len(rows), stride) + 0.5, names[::stride])
    panel.invert_yaxis()
    panel.grid(visible=False)
    style.few_ticks(panel.xaxis)
    return mesh


def _edges(steps: Array) -> Array:
    """Returns the borders of the cells of recorded steps."""
    width = float(np.diff(steps).min()) if len(steps) > 1 else 1.0
    return np.append(steps, steps[-1] + width)

"""The figures of the report."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotly.subplots import make_subplots
from problem import (
    DEAD_FRACTIONS,
    LINE_COORDINATES,
    PLANE_COORDINATES,
    PLANE_POINTS,
    SLICE_VALUES,
    Groups,
    Run,
)
from tables import interquartile_mean, interval, series

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
STYLE = {"font.size": 8, "axes.titlesize": 8.5, "axes.grid": True, "grid.color": "#e3e3e3"}
SLICED_ACCURACY = "accuracy around the trained point"
COLUMNS = {"accuracy": "accuracy", "gradient norm": "gradient_norm/global"}
COLUMNS |= {f"dead {name}": f"dead/{name}" for name in DEAD_FRACTIONS}


def draw_curves(axes: Axes, groups: Groups, title: str) -> None:
    """Draws all losses: the center over seeds, or lines of all seeds, and a band around it."""
    for index, (loss, runs) in enumerate(groups.items()):
        if title == SLICED_ACCURACY:
            x, values = LINE_COORDINATES, np.concatenate([run.lines[1] for run in runs])
            (low, high), center = np.percentile(values, [10, 90], axis=0), values.mean(0)
        else:
            x, values = runs[0].trace["step"], series(runs, COLUMNS[title])
            low, high, center = values.min(0), values.max(0), np.median(values, 0)
        if title == "accuracy":
            (low, high), center = interval(values), interquartile_mean(values)
        axes.fill_between(x, low, high, color=COLORS[index], alpha=0.14, linewidth=0)
        # Different widths and staggered markers keep coinciding lines visible.
        style = {"marker": "os^Dv"[index], "markersize": 4, "markevery": (index, len(x) // 5)}
        style |= {"color": COLORS[index], "linewidth": 3 - 0.5 * index}
        axes.plot(x, center, label=loss, **style)
    axes.set_title(title, loc="left")
    axes.set_xlabel("distance in filter norms" if title == SLICED_ACCURACY else "updates")
    if title == "gradient norm":
        # Linear near zero, so that zeros are visible.
        axes.set_yscale("symlog", linthresh=1e-2, linscale=0.3)
    else:
        axes.set_ylim(-0.06, 1.06)


def draw_risk(axes: Axes, runs: Sequence[Run], color: str) -> None:
    """Draws every seed and the median, on the test set and on the batches."""
    steps, values = runs[0].trace["step"], series(runs, "risk/evaluation")
    batch = np.median(series(runs, "risk/batch"), 0)
    axes.plot(steps, values.T, color=color, linewidth=0.5, alpha=0.5)
    axes.plot(steps, batch, color="#6b6b6b", linestyle=":")
    axes.plot(steps, np.median(values, 0), color=color)
    if values.max() > 30 * values.min():
        axes.set_yscale("log")


def draw_line(axes: Axes, runs: Sequence[Run], color: str) -> None:
    """Draws mean, band and extremes of the risk over directions and seeds."""
    values = np.concatenate([run.lines[0] for run in runs])
    low, high = np.percentile(values, [10, 90], axis=0)
    extremes = np.stack([values.min(0), values.max(0)]).T
    axes.fill_between(LINE_COORDINATES, low, high, color=color, alpha=0.2, linewidth=0)
    axes.plot(LINE_COORDINATES, extremes, color=color, linewidth=0.5)
    axes.plot(LINE_COORDINATES, values.mean(0), color=color)
    axes.axvline(0, color="#6b6b6b", linewidth=0.6, linestyle=":")


def draw_contours(axes: Axes, runs: Sequence[Run], _: str) -> None:
    """Draws the risk on the plane of the first run."""
    values, axis = runs[0].plane[0], PLANE_COORDINATES
    levels = np.linspace(values.min(), values.max(), 14)
    filled = axes.contourf(axis, axis, values, levels, cmap="viridis")
    axes.contour(axis, axis, values, levels[1:-1], colors="white", linewidths=0.35, alpha=0.75)
    axes.plot(0, 0, marker="+", color="black", markersize=9)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.figure.colorbar(filled, ax=axes, fraction=0.046, format="%.2g")


def draw_surface(axes: Axes, runs: Sequence[Run], _: str) -> None:
    """Draws the risk on the plane of the first run as a surface."""
    values, center = runs[0].plane[0], PLANE_POINTS // 2
    grid = np.meshgrid(PLANE_COORDINATES, PLANE_COORDINATES)
    edges = {"rstride": 1, "cstride": 1, "linewidth": 0.15, "edgecolor": "#00000030"}
    axes.plot_surface(*grid, values, cmap="viridis", **edges)
    axes.plot(0, 0, values[center, center], marker="o", color="#D55E00", markersize=4, zorder=5)
    axes.view_init(elev=32, azim=-58)


def combined(groups: Groups, *titles: str, target: float | None = None) -> Figure:
    """Returns one panel per title, each with all losses, and a legend below."""
    side = 1 if len(titles) == 1 else 2
    figure, grid = plt.subplots(side, side, figsize=(7, 3 + 1.25 * side), squeeze=False)
    figure.subplots_adjust(0.1, 0.3 - 0.05 * side, 0.98, 0.94, wspace=0.28, hspace=0.45)
    for axes, title in zip(grid.flat, titles, strict=True):
        draw_curves(axes, groups, title)
    if target:
        grid[0, 0].axhline(target, color="#6b6b6b", linestyle=":", label=f"target {target:.3f}")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="lower center", ncols=3)
    return figure


def separate(groups: Groups, draw: Callable[..., None], gap: float = 0.3, **options: Any) -> Figure:
    """Returns one panel per loss, each with its own scale."""
    figure, grid = plt.subplots(2, 3, figsize=(7, 4.8), **options)
    figure.subplots_adjust(0.08, 0.1, 0.94, 0.93, wspace=gap, hspace=0.4)
    for axes, (loss, runs), color in zip(grid.flat, groups.items(), COLORS, strict=False):
        draw(axes, runs, color)
        axes.set_title(loss, loc="left")
    grid.flat[-1].remove()
    return figure


def figures(groups: Groups, typical: Groups, target: float) -> Iterator[tuple[str, Figure]]:
    """Yields the name of each file and its figure; planes show the `typical` runs."""
    names = ("accuracy", "gradient norm", "dead components", SLICED_ACCURACY)
    yield "summary", combined(groups, *names, target=target)
    yield "learning_curves", combined(groups, "accuracy", target=target)
    yield "risk", separate(groups, draw_risk)
    yield "gradient_norm", combined(groups, "gradient norm")
    yield "dead_fractions", combined(groups, *(f"dead {name}" for name in DEAD_FRACTIONS))
    yield "slices_risk", separate(groups, draw_line)
    yield "slices_metric", combined(groups, SLICED_ACCURACY)
    yield "contours", separate(typical, draw_contours, 0.75)
    yield "surfaces", separate(typical, draw_surface, subplot_kw={"projection": "3d"})


def interactive_surfaces(typical: Groups) -> str:
    """Returns HTML of rotatable surfaces of risk and accuracy; the legend selects the loss."""
    figure = make_subplots(1, 2, specs=[[{"type": "surface"}] * 2], subplot_titles=SLICE_VALUES[:2])
    for number, (loss, (run,)) in enumerate(typical.items()):
        options = {"x": PLANE_COORDINATES, "y": PLANE_COORDINATES, "showscale": False}
        options |= {"name": loss, "legendgroup": loss}
        options["visible"] = "legendonly" if number else True
        figure.add_surface(z=run.plane[0], showlegend=True, row=1, col=1, **options)
        figure.add_surface(z=run.plane[1], row=1, col=2, **options)
    figure.update_layout(height=520)
    return figure.to_html(full_html=False, include_plotlyjs=True)

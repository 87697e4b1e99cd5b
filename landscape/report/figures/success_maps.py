"""Draws trainability maps: where training succeeds, by learning rate and initialization scale."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import LogLocator, NullLocator

from landscape.report import words
from landscape.report.figures import panel_layout, style
from landscape.report.figures.view import Picture
from landscape.report.tuned_comparison import TunedComparison
from landscape.storage.map_records import MapRecord

_COLORS = colormaps["YlGnBu"]
_POINT: dict[str, Any] = {
    "marker": "o",
    "markersize": 5,
    "color": "#D55E00",
    "markeredgecolor": "white",
}


def success_maps(comparison: TunedComparison, styles: Mapping[str, style.Style]) -> Picture | None:
    """Draws the share of seeds that succeed in each cell, one map per loss on one scale."""
    names = [loss.name for loss in comparison.losses if loss.name in comparison.maps]
    maps = {name: comparison.maps[name] for name in names}
    if not maps:
        return None
    figure, axes = panel_layout.panels(len(maps), 3, 1.55, min_width=1.4, max_width=3.2)
    for panel, (name, record) in zip(axes, maps.items(), strict=True):
        _draw_map(panel, record)
        entry = comparison.of(name).entry
        if entry.learns:
            panel.plot(entry.tuned_rate, 1.0, **_POINT)
        share = words.percent(float(record.shares().mean()))
        panel_layout.set_title(panel, name, f"{share} % succeed")
    panel_layout.outer_labels(axes, "learning rate", "initialization scale")
    scale = ScalarMappable(Normalize(0, 1), _COLORS)
    bar = panel_layout.color_scale(axes, scale, ticks=[0, 0.5, 1])
    bar.set_label("share of seeds", labelpad=1)
    first = next(iter(maps.values()))
    target = words.metric_value(first.metric, first.target)
    caption = (
        f"The share of {len(first.seeds)} seeds with which {first.steps} steps of training reach "
        f"{target} on the {comparison.split} split, in cells of learning rate and initialization "
        "scale, the factor of all initial weights. Above each map is the share of all trainings "
        "that succeed. The point is the tuned learning rate at the unchanged initialization."
    )
    alternative = "Maps of the share of seeds that succeed, one panel per loss."
    return Picture("maps", "Trainability maps", caption, alternative, figure, "compare")


def _draw_map(panel: Axes, record: MapRecord) -> None:
    panel.grid(visible=False)
    x, y = (_edges(np.asarray(values)) for values in (record.rates, record.scales))
    style.color_cells(panel.pcolormesh(x, y, record.shares(), rasterized=True), _COLORS)
    panel.set_xscale("log")
    panel.set_yscale("log")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(numticks=5))
        axis.set_minor_locator(NullLocator())
    panel.set_xlim(x[0], x[-1])
    panel.set_ylim(y[0], y[-1])


def _edges(centers: np.ndarray) -> np.ndarray:
    """Returns the edges of cells whose centers are evenly spaced on a logarithmic axis."""
    logs = np.log(centers)
    half = np.diff(logs) / 2 if len(logs) > 1 else np.array([0.5])
    inner = logs[:-1] + half if len(logs) > 1 else np.array([])
    return np.exp(np.concatenate([[logs[0] - half[0]], inner, [logs[-1] + half[-1]]]))

"""What the page offers beside each figure: its numbers as csv, and the code that draws it again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from landscape.report.escapes import single_line
from landscape.report.figures.plane_panels import planes
from landscape.report.figures.style import Style
from landscape.report.figures.view import Picture, View
from landscape.report.sets import PLACES

# Figures of planes, whose numbers are those of the plane, not those of its curves.
_OF_PLANES = ("contours", "surfaces", "convexity")
_COLUMNS = ("panel", "series", "x", "y", "value")


def figure_code(experiment: str, name: str) -> str:
    """Returns the Python code that draws a figure of the report again."""
    return (
        "import landscape\n"
        "\n"
        f"sweep = landscape.results({experiment!r})  # the folder of the experiment\n"
        f"figure = sweep.plot({name!r})\n"
        f'figure.savefig("{name}.pdf")\n'
    )


def figure_data(picture: Picture, view: View) -> pd.DataFrame:
    """Returns the numbers that a figure shows, one row per point.

    Of planes, one row per cell: loss, seed, draw, both distances, risk and metric. Of others the
    panel, the series (a loss, or the label in the legend), and x, y as drawn; `value` is that of
    the cell of a map.
    """
    for point in PLACES:
        for plane_set in view.planes:
            if picture.name in [plane_set.file(stem, point) for stem in _OF_PLANES]:
                return _plane_cells(view, planes(view, plane_set, point))
    panels = [panel for panel in picture.figure.axes if not hasattr(panel, "_colorbar")]
    rows = [
        row
        for number, panel in enumerate(panels, 1)
        for row in _panel_rows(panel, str(number) if len(panels) > 1 else "", view.styles)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS).dropna(axis="columns", how="all")


def _plane_cells(view: View, drawn: Sequence[Any]) -> pd.DataFrame:
    tables = []
    for plane in drawn:
        x, y = np.meshgrid(plane.x, plane.y)
        columns = {"loss": plane.loss, "seed": plane.seed, "draw": plane.draw[0]}
        columns |= {"x": x.ravel(), "y": y.ravel(), "risk": plane.values.ravel()}
        if plane.metric is not None:
            columns[view.metric] = plane.metric.ravel()
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _panel_rows(panel: Axes, number: str, styles: Mapping[str, Style]) -> Iterator[tuple[Any, ...]]:
    """Yields the points of the lines, dots and maps of a panel with its title, else its number."""
    title = single_line(panel.get_title(loc="left") or panel.get_title()).strip() or number
    names = _tick_names(panel.xaxis), _tick_names(panel.yaxis)
    for x, y, value, series in _panel_points(panel, styles):
        yield title, series, names[0].get(x, x), names[1].get(y, y), value


def _tick_names(axis: Axis) -> dict[float, str]:
    """Returns the texts of the ticks of an axis of names, by place."""
    if not isinstance(axis.get_major_locator(), FixedLocator) or axis.get_scale() != "linear":
        return {}
    places = axis.get_majorticklocs()
    texts = [single_line(text) for text in axis.get_major_formatter().format_ticks(list(places))]
    if not any(character.isalpha() for text in texts for character in text):
        return {}
    return dict(zip(map(float, places), texts, strict=True))


def _panel_points(
    panel: Axes, styles: Mapping[str, Style]
) -> Iterator[tuple[float, float, float, str]]:
    """Yields x, y, value and series of each point."""
    for artist in panel.get_children():
        if isinstance(artist, Line2D) and artist.get_transform() == panel.transData:
            points = np.asarray(artist.get_xydata(), np.float64)
            series = _series(artist.get_label(), artist.get_color(), styles)
            yield from ((x, y, np.nan, series) for x, y in points)
        elif isinstance(artist, PathCollection):
            offsets = np.ma.filled(np.ma.asarray(artist.get_offsets(), np.float64), np.nan)
            series = single_line(str(artist.get_label()))
            yield from ((x, y, np.nan, series) for x, y in offsets)
        elif isinstance(artist, QuadMesh | AxesImage):
            yield from ((*cell, "") for cell in _map_cells(artist))


def _map_cells(artist: QuadMesh | AxesImage) -> Iterator[tuple[float, float, float]]:
    """Yields the center and the value of each cell of a map."""
    values = np.ma.filled(np.ma.asarray(artist.get_array(), np.float64), np.nan)
    if isinstance(artist, QuadMesh):
        corners = np.asarray(artist.get_coordinates(), np.float64)
        centers = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        values = values.reshape(centers.shape[:2])
        x, y = centers[..., 0], centers[..., 1]
    elif values.ndim == 2:
        left, right, bottom, top = artist.get_extent()
        height, width = values.shape
        columns = left + (np.arange(width) + 0.5) * (right - left) / width
        lines = bottom + (np.arange(height) + 0.5) * (top - bottom) / height
        x, y = np.meshgrid(columns, lines if artist.origin == "lower" else lines[::-1])
    else:  # colors without numbers
        return
    yield from zip(x.ravel(), y.ravel(), values.ravel(), strict=True)


def _series(label: object, color: Any, styles: Mapping[str, Style]) -> str:
    """Returns the label of a line in the legend, else the loss that is drawn in its color."""
    text = single_line(str(label))
    if text and not text.startswith("_"):
        return text
    return _by_color(styles.values()).get(to_hex(color), "")


def _by_color(styles: Iterable[Style]) -> dict[str, str]:
    """Returns the loss of each color that only one loss has."""
    losses: dict[str, list[str]] = {}
    for style in styles:
        losses.setdefault(to_hex(style.color), []).append(style.name)
    return {color: names[0] for color, names in losses.items() if len(names) == 1}

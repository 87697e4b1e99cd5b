"""The planes as data for the page's turnable surfaces; plotly itself is only its script here."""

from importlib import resources
from typing import Any

import numpy as np

from landscape.report import words
from landscape.report.figures.plane_panels import Plane, drawn, heights, planes
from landscape.report.figures.view import View
from landscape.report.sets import PLACES, Set

_DIGITS = 5


def surfaces(view: View) -> dict[str, Any]:
    """What the page's script draws: a list of surfaces and the words around them."""
    found = [
        (chosen, at, plane)
        for chosen in view.planes
        for at in PLACES
        for plane in planes(view, chosen, at)
    ]
    several = len({at for _, at, _ in found}) > 1, len({chosen.label for chosen, *_ in found}) > 1
    return {"metric": view.label, "items": [_item(*place, *several) for place in found]}


def _item(chosen: Set, at: str, plane: Plane, places: bool, sets: bool) -> dict[str, Any]:
    height = heights(plane.values)
    seed = f", {drawn(plane)}" if drawn(plane) else ""
    cut = f", {words.percent(height.share)} % cut" if height.share else ""
    place = f" ({at})" if places else ""
    label = f", {chosen.label}" if sets else ""
    metric = None if plane.metric is None else _rounded(np.ma.masked_invalid(plane.metric))
    return {
        "name": f"{plane.loss}{place}{label}{seed}{cut}",
        "axes": list(plane.axes),
        "x": [float(value) for value in plane.x],
        "y": [float(value) for value in plane.y],
        "logarithmic": height.logarithmic,
        "risk": _rounded(height.values),
        "metric": metric,
    }


def _rounded(values: np.ma.MaskedArray) -> list[list[float | None]]:
    """Rows of numbers with five significant digits, None where there is none."""
    return [
        [None if value is None else float(f"{value:.{_DIGITS}g}") for value in row]
        for row in values.tolist()
    ]


def script() -> str:
    """The source of plotly, to stand once in the page."""
    file = resources.files("plotly") / "package_data" / "plotly.min.js"
    return file.read_text(encoding="utf-8")

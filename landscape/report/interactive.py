"""Prepares the page's interactive surfaces: their data, their scripts, and what these may do."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np

from landscape.errors import printable
from landscape.report import words
from landscape.report.figures.plane_panels import Plane, heights, planes, seed_and_draw
from landscape.report.figures.view import View
from landscape.report.sets import PLACES, StoredSet

_DIGITS = 5
_NOTHING = "'none'"  # of a source list


def surfaces(view: View) -> dict[str, Any]:
    """Returns the data that the page's script draws: surfaces, their names and their axes."""
    drawn_planes = [
        (plane_set, point, plane)
        for plane_set in view.planes
        for point in PLACES
        for plane in planes(view, plane_set, point)
    ]
    name_point = len({point for _, point, _ in drawn_planes}) > 1
    name_set = len({plane_set.label for plane_set, *_ in drawn_planes}) > 1
    items = [_item(*plane, name_point=name_point, name_set=name_set) for plane in drawn_planes]
    return {"metric": printable(view.label), "items": items}


def _item(
    plane_set: StoredSet, point: str, plane: Plane, *, name_point: bool, name_set: bool
) -> dict[str, Any]:
    height = heights(plane.values)
    seed = f", {seed_and_draw(plane)}" if seed_and_draw(plane) else ""
    cut = f", {words.percent(height.share)} % cut" if height.share else ""
    place = f" ({point})" if name_point else ""
    label = f", {plane_set.label}" if name_set else ""
    metric = None if plane.metric is None else _rounded(np.ma.masked_invalid(plane.metric))
    return {
        "name": printable(f"{plane.loss}{place}{label}{seed}{cut}"),
        "axes": [printable(axis) for axis in plane.axes],
        "x": [float(value) for value in plane.x],
        "y": [float(value) for value in plane.y],
        "logarithmic": height.logarithmic,
        "risk": _rounded(height.values),
        "metric": metric,
    }


def _rounded(values: np.ma.MaskedArray) -> list[list[float | None]]:
    """Returns rows of numbers with five significant digits, None for masked cells."""
    return [
        [None if value is None else float(f"{value:.{_DIGITS}g}") for value in row]
        for row in values.tolist()
    ]


def scripts() -> tuple[str, str]:
    """Returns the sources of plotly.js and of the script that draws the surfaces with it."""
    plotly = resources.files("plotly") / "package_data" / "plotly.min.js"
    viewer = resources.files("landscape.report") / "templates" / "surfaces.js"
    return plotly.read_text(encoding="utf-8"), viewer.read_text(encoding="utf-8")


def content_security_policy(page_scripts: Sequence[str]) -> str:
    """Returns the policy of a page that runs these scripts alone and loads nothing.

    A script that a text brought into the page would not be executed, since its digest is not
    listed. Pictures are part of the page, as are styles, which plotly.js sets as well.
    """
    digests = [hashlib.sha256(script.encode()).digest() for script in page_scripts]
    listed = [f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests]
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(listed) or _NOTHING}",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )

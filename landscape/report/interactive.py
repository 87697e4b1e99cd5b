"""Prepares the page's scripts and interactive surfaces, and states what scripts may do."""

import base64
import functools
import hashlib
import zlib
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
    has_metric = any(item["metric"] is not None for item in items)
    return {"metric": printable(view.label), "has_metric": has_metric, "items": items}


def _item(
    plane_set: StoredSet, point: str, plane: Plane, *, name_point: bool, name_set: bool
) -> dict[str, Any]:
    height = heights(plane.values)
    parts = [point if name_point else "", plane_set.label if name_set else ""]
    cut = f"{words.percent(height.share)} % cut" if height.share else ""
    parts += [seed_and_draw(plane), cut]
    metric = None if plane.metric is None else _rounded(np.ma.masked_invalid(plane.metric))
    return {
        "loss": printable(plane.loss),
        "name": printable(", ".join(filter(None, parts))),
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


def page_scripts() -> tuple[str, str]:
    """Returns the sources of the page's script and of the one that draws surfaces."""
    templates = resources.files("landscape.report") / "templates"
    page, viewer = (
        (templates / name).read_text(encoding="utf-8") for name in ("page.js", "surfaces.js")
    )
    return page, viewer


@functools.cache
def _library() -> bytes:
    """The source of plotly.js."""
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_bytes()


@functools.cache
def packed_library() -> str:
    """Returns plotly.js, compressed; the page unpacks it when the first surface is opened."""
    return base64.b64encode(zlib.compress(_library(), 6)).decode("ascii")


def content_security_policy(scripts: Sequence[str], *, library: bool = False) -> str:
    """Returns the policy of a page that runs these scripts, and the library, and loads nothing.

    A script that a text brought into the page would not be executed, since its digest is not
    listed. Pictures are part of the page, as are styles, which plotly.js sets as well.
    """
    sources = [script.encode() for script in scripts] + ([_library()] if library else [])
    digests = [hashlib.sha256(source).digest() for source in sources]
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

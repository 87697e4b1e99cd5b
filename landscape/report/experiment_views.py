"""What a notebook shows of an experiment: single figures, and its comparison as HTML."""

from html import escape
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from landscape.errors import UserError, nearest
from landscape.report import looks, tuned_report
from landscape.report.comparison import compare, shown_points
from landscape.report.comparison_texts import display
from landscape.report.figures import rendering
from landscape.report.figures.view import make_view
from landscape.report.numbers import read_numbers
from landscape.report.results import read
from landscape.report.sets import PLACES


class _Kind(NamedTuple):
    """A kind of figure: its file name, and what the config must have for it, if anything.

    Only figures that need something are drawn at a place.
    """

    name: str
    needs: str = ""


_KINDS = {
    "summary": _Kind("summary"),
    "curves": _Kind("learning_curves"),
    "risk": _Kind("risk"),
    "gradients": _Kind("gradient_norm"),
    "dead": _Kind("dead_fractions"),
    "slices": _Kind("slices_risk", "slices.lines"),
    "contours": _Kind("contours", "slices.planes"),
    "surfaces": _Kind("surfaces", "slices.planes"),
    "curvature": _Kind("curvature", "curvature"),
}


def figure(directory: Path, kind: str, place: str = "trained") -> Figure:
    """Returns one figure of an experiment, as in its report.

    `kind` is one of `_KINDS`, or the name of a figure's file in the report. `place`: `trained` or
    `initial`, for slices and curvature. Raises UserError for an unknown kind or place, and if the
    runs do not have what it shows.
    """
    if place not in PLACES:
        raise UserError(f"there is no place `{place}`", hint=nearest(str(place), PLACES))
    drawings = {drawing.name: drawing for drawing in read_numbers(directory).drawings()}
    entry = _KINDS.get(kind, _Kind(kind))
    name = f"{entry.name}_{place}" if entry.needs and place != "trained" else entry.name
    if kind not in _KINDS and name not in drawings:
        known = dict.fromkeys([*_KINDS, *drawings])
        raise UserError(f"there is no kind of figure `{kind}`", hint=nearest(str(kind), known))
    drawing = drawings.get(name)
    with rendering.report_style():
        picture = drawing.draw() if drawing else None
    if picture is None:
        raise UserError(
            f"no run in {directory} has what `{kind}` shows at {PLACES[place]}",
            hint=f"with `{entry.needs}` in the experiment, `run` measures it"
            if entry.needs
            else "",
        )
    return picture.figure


def comparison_html(directory: Path) -> str:
    """Returns the comparison as an HTML table of the terminal's texts, or why there is none."""
    try:
        results = read(directory)
        if looks.are_looks(results):
            view = make_view(results, compare(results))
            return _table(looks.texts(view.runs, results.metrics))
        return _table(display(shown_points(compare(results)), results.other_metrics))
    except UserError as error:
        return _paragraph(str(error))


def tuned_html(directory: Path) -> str:
    """Returns what may be concluded at tuned points, and the table of the losses, as HTML.

    Without a judged loss, the comparison as configured.
    """
    try:
        report = tuned_report.load(directory)
    except UserError:
        return comparison_html(directory)
    return "".join([*map(_paragraph, report.conclusions), _table(report.display)])


def _table(texts: pd.DataFrame) -> str:
    """Returns a table of texts; line breaks in cells are kept."""
    head = "".join(f"<th>{_cell(name)}</th>" for name in texts)
    rows = ("".join(f"<td>{_cell(text)}</td>" for text in row) for row in texts.to_numpy())
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _paragraph(text: str) -> str:
    return f"<p>{_cell(text)}</p>"


def _cell(text: object) -> str:
    return escape(str(text)).replace("\n", "<br>")

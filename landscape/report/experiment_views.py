"""What a notebook shows of an experiment: single figures, and its comparison as HTML."""

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from landscape.errors import UserError, nearest
from landscape.report import compare_results, tuned_report
from landscape.report.comparison import compare, shown_points
from landscape.report.comparison_texts import display
from landscape.report.figures import (
    contours,
    curves,
    line_panels,
    rendering,
    spectrum_panels,
    summary,
    surfaces,
)
from landscape.report.figures.view import Picture, View, make_view
from landscape.report.results import read
from landscape.report.sets import PLACES, StoredSet

OfSet = Callable[[View, StoredSet, str], Picture | None]


class _Kind(NamedTuple):
    """A kind of figure: `draw(view, place)`, and what the config must have for it."""

    draw: Callable[[View, str], Picture | None]
    needs: str = ""


def _of_first(draw: OfSet, kind: str, view: View, place: str) -> Picture | None:
    """Draws the first set of lines or planes at a place."""
    sets: tuple[StoredSet, ...] = getattr(view, kind)
    return draw(view, sets[0], place) if sets else None


_KINDS = {
    "summary": _Kind(lambda view, place: summary.summary(view)),
    "curves": _Kind(lambda view, place: curves.learning_curves(view)),
    "risk": _Kind(lambda view, place: curves.risks(view)),
    "gradients": _Kind(lambda view, place: curves.gradients(view)),
    "dead": _Kind(lambda view, place: curves.dead_fractions(view)),
    "slices": _Kind(partial(_of_first, line_panels.risk_along_lines, "lines"), "slices.lines"),
    "contours": _Kind(partial(_of_first, contours.contours, "planes"), "slices.planes"),
    "surfaces": _Kind(partial(_of_first, surfaces.surfaces, "planes"), "slices.planes"),
    "curvature": _Kind(spectrum_panels.spectrum, "curvature"),
}


def figure(directory: Path, kind: str, place: str = "trained") -> Figure:
    """Returns one figure of an experiment, as in its report; see the keys of `_KINDS`.

    `place`: `trained` or `initial`, for slices and curvature. Raises UserError for an unknown kind
    or place, and if the runs do not have what it shows.
    """
    for what, value, names in (("kind of figure", kind, _KINDS), ("place", place, PLACES)):
        if value not in names:
            raise UserError(f"there is no {what} `{value}`", hint=nearest(str(value), names))
    view, chosen = _view(directory), _KINDS[kind]
    with rendering.report_style():
        picture = chosen.draw(view, place)
    if picture is None:
        raise UserError(
            f"no run in {directory} has what `{kind}` shows at {PLACES[place]}",
            hint=f"with `{chosen.needs}` in the experiment, `run` measures it",
        )
    return picture.figure


def _view(directory: Path) -> View:
    """Returns what the figures of a report show: of a comparison, the judged runs."""
    results = read(directory)
    compared = compare_results.read(results, [])
    if compared is None:
        return make_view(results, compare(results))
    return tuned_report.with_styles(make_view(compared.judged, compare(compared.judged)), compared)


def comparison_html(directory: Path) -> str:
    """Returns the comparison as an HTML table of the terminal's texts, or why there is none."""
    try:
        results = read(directory)
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

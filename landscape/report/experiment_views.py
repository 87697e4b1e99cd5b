"""What a notebook shows of an experiment: single figures, and its comparison as HTML."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from landscape.errors import UserError, nearest
from landscape.report import compare_display, looks, notebook_html, tuned_report
from landscape.report.comparison import compare, shown_points
from landscape.report.comparison_texts import display
from landscape.report.figures import rendering
from landscape.report.figures.all_figures import Drawing
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
    with rendering.report_style():
        picture = drawings[name].draw() if name in drawings else None
        if picture is not None:
            return picture.figure
        kinds = _drawable(drawings)
    listed = f"{directory} has {', '.join(kinds)}"
    if kind not in _KINDS and name not in drawings:
        hint = nearest(str(kind), kinds, listed)
        raise UserError(f"there is no kind of figure `{kind}`", hint=hint)
    measured = f"with `{entry.needs}` in the experiment, `run` measures it; "
    raise UserError(
        f"no run in {directory} has what `{kind}` shows at {PLACES[place]}",
        hint=(measured if entry.needs else "") + listed,
    )


def _drawable(drawings: Mapping[str, Drawing]) -> list[str]:
    """Returns the kinds of figures that the runs have the data for; call in `report_style()`."""
    kinds = {entry.name: kind for kind, entry in _KINDS.items()}
    return [kinds.get(name, name) for name, drawing in drawings.items() if drawing.draw()]


def comparison_html(directory: Path) -> str:
    """Returns the comparison as an HTML table of the terminal's texts, or why there is none."""
    try:
        results = read(directory)
        if results.has_looks:
            return notebook_html.table(looks.texts(results))
        return notebook_html.table(display(shown_points(compare(results))))
    except UserError as error:
        return notebook_html.paragraph(str(error))


def tuned_html(directory: Path) -> str:
    """Returns what may be concluded at tuned points, and the table of the losses, as HTML.

    The table is in two parts, as wide ones do not fit into notebooks. Without a judged loss, the
    comparison as configured.
    """
    try:
        report = tuned_report.load(directory)
    except UserError:
        return comparison_html(directory)
    main = report.display.iloc[:, : compare_display.MAIN_COLUMNS]
    tables = main, report.display.drop(columns=main.columns[1:])
    conclusions = map(notebook_html.paragraph, report.conclusions)
    return "".join([*conclusions, *map(notebook_html.table, tables)])

"""Every figure of a report, drawn without a display and without any state left behind."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
import pandas as pd

from landscape.report.figures import contours, curves, lines, style, summary, surfaces, sweep
from landscape.report.figures.view import Picture, View, view
from landscape.report.results import Results

RESOLUTION = 150
# All that a report can hold, in the order of the page; those of an older report are removed.
NAMES = (
    "summary",
    "learning_curves",
    "sweep",
    "risk",
    "gradient_norm",
    "dead_fractions",
    "slices_risk",
    "slices_metric",
    "contours",
    "surfaces",
    "slices_risk_initial",
    "slices_metric_initial",
    "contours_initial",
    "surfaces_initial",
)


def draw(results: Results, table: pd.DataFrame) -> Iterator[Picture]:
    """The figures that the data allow, one at a time; use inside `own_style()`."""
    shown = view(results, table)
    places = [at for at in lines.PLACES if _has_slices(shown, at)]
    yield summary.summary(shown, places[0] if places else None)
    yield curves.learning(shown)
    if results.swept and (picture := sweep.swept(table, results.swept, results.losses)):
        yield picture
    yield curves.risks(shown)
    yield curves.gradients(shown)
    yield curves.dead(shown)
    for at in lines.PLACES:
        for make in (lines.along_risk, lines.along_metric, contours.contours, surfaces.surfaces):
            if picture := make(shown, at):
                yield picture


def _has_slices(shown: View, at: str) -> bool:
    return any(
        f"{at}/lines/{shown.metric}" in run.slices for runs in shown.runs.values() for run in runs
    )


def rendered(picture: Picture) -> tuple[bytes, bytes]:
    """The figure as png and pdf; the same figure gives the same bytes."""
    png, pdf = io.BytesIO(), io.BytesIO()
    picture.figure.savefig(png, format="png", dpi=RESOLUTION)
    picture.figure.savefig(pdf, format="pdf", dpi=300, metadata={"CreationDate": None})
    return png.getvalue(), pdf.getvalue()


@contextmanager
def own_style() -> Iterator[None]:
    """This report's style over matplotlib's defaults, whatever a matplotlibrc says; then undone."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style.SETTINGS)
        yield

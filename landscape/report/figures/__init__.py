"""Every figure of a report, drawn without a display and without any state left behind."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import pandas as pd

from landscape.errors import UserError
from landscape.report import audits
from landscape.report.figures import (
    audit,
    contours,
    curves,
    lines,
    style,
    summary,
    surfaces,
    sweep,
)
from landscape.report.figures.view import Picture, View, view
from landscape.report.results import Results

RESOLUTION = 150
# How each format is written; dates would make the bytes differ.
_FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": RESOLUTION},
    "pdf": {"dpi": 300, "metadata": {"CreationDate": None}},
    "svg": {"dpi": 300, "metadata": {"Date": None}},
}
# All that a report can hold, in the order of the page; those of an older report are removed.
NAMES = (
    "audit",
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
    if judged := audits.drawn(shown.runs):
        yield audit.shapes(judged)
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
    return saved(picture, "png"), saved(picture, "pdf")


def saved(picture: Picture, suffix: str) -> bytes:
    """The figure in the format of a file's suffix (`png`, `.pdf`, …); the same bytes each time."""
    kind = suffix.removeprefix(".").lower()
    if kind not in _FORMATS:
        raise UserError(
            f"a figure cannot be written as `{suffix}`",
            hint=f"give the file one of these suffixes: {', '.join(f'.{one}' for one in _FORMATS)}",
        )
    buffer = io.BytesIO()
    with own_style(), mpl.rc_context({"svg.hashsalt": picture.name}):
        picture.figure.savefig(buffer, format=kind, **_FORMATS[kind])
    return buffer.getvalue()


@contextmanager
def own_style() -> Iterator[None]:
    """This report's style over matplotlib's defaults, whatever a matplotlibrc says; then undone."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style.SETTINGS)
        yield

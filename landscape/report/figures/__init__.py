"""Every figure of a report, drawn without a display and without any state left behind."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import pandas as pd

from landscape.errors import UserError
from landscape.report import across as between
from landscape.report import audits
from landscape.report.figures import (
    across,
    audit,
    contours,
    convexity,
    curvature,
    curves,
    directions,
    lines,
    style,
    summary,
    surfaces,
    sweep,
)
from landscape.report.figures.view import Picture, View, view
from landscape.report.results import Results
from landscape.report.sets import PLACES

RESOLUTION = 150
# How each format is written; dates would make the bytes differ.
_FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": RESOLUTION},
    "pdf": {"dpi": 300, "metadata": {"CreationDate": None}},
    "svg": {"dpi": 300, "metadata": {"Date": None}},
}
# The figures that a report can hold; those of an older report are removed.
_NAMES = (
    "audit",
    "summary",
    "learning_curves",
    "sweep",
    "risk",
    "gradient_norm",
    "dead_fractions",
    "curvature_path",
    "across",
    "interpolations_seeds",
    "interpolations_losses",
)
# These stand alone and with what tells sets and points apart.
_STEMS = (
    "slices_risk",
    "slices_metric",
    "directions",
    "contours",
    "surfaces",
    "convexity",
    "curvature",
)
_OWN = re.compile(rf"(?:{'|'.join(_NAMES)}|(?:{'|'.join(_STEMS)})(?:_[a-z0-9_]+)?)\.(?:png|pdf)")


def own(name: str) -> bool:
    """Whether a file of that name is a figure that a report makes."""
    return _OWN.fullmatch(name) is not None


def draw(results: Results, table: pd.DataFrame) -> Iterator[Picture]:
    """The figures that the data allow, one at a time; use inside `own_style()`."""
    shown = view(results, table)
    if judged := audits.drawn(shown.runs):
        yield audit.shapes(judged)
    yield summary.summary(shown, _first_place(shown))
    yield curves.learning(shown)
    if results.swept and (picture := sweep.swept(table, results.swept, results.losses)):
        yield picture
    yield curves.risks(shown)
    yield curves.gradients(shown)
    yield curves.dead(shown)
    yield from filter(None, _slices(shown))
    yield from filter(None, (curvature.spectrum(shown, at) for at in PLACES))
    yield from filter(None, [curvature.along_training(shown)])
    yield from _across(results, table, shown)


def _slices(shown: View) -> Iterator[Picture | None]:
    """At each point: the lines of all sets, then the planes of all sets."""
    for at in PLACES:
        for index, one in enumerate(shown.lines):
            yield lines.along_risk(shown, one, at)
            if index == 0 or one.drawn:
                yield lines.along_metric(shown, one, at)
        yield directions.directions(shown, at)
        for one in shown.planes:
            yield contours.contours(shown, one, at)
            yield surfaces.surfaces(shown, one, at)
            yield convexity.convexity(shown, one, at)


def _across(results: Results, table: pd.DataFrame, shown: View) -> Iterator[Picture]:
    """What lies between runs, of the losses that the best one was held against."""
    fields = between.fields(results, table)
    best = table["best"].iloc[0]
    field = next((one for one in fields if best in one.among), next(iter(fields), None))
    if field is None:
        return
    if found := between.matrix(field):
        yield across.excess(found, results.metric)
    known = set(field.among) <= set(shown.styles)
    looks = shown.styles if known else style.styles(field.among)
    if ways := between.ways(field, "seeds"):
        yield across.between_seeds(ways, looks)
    if ways := between.ways(field, "losses"):
        there = [name for name in field.among if any(name in way.losses for way in ways)]
        yield across.between_losses(there, ways)


def _first_place(shown: View) -> str | None:
    """The first point at which the first set of lines has the task metric."""
    for at in PLACES:
        for runs in shown.runs.values():
            for run in runs:
                if shown.lines and shown.lines[0].array(at, shown.metric) in run.slices:
                    return at
    return None


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

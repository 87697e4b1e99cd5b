"""Lists every figure that the results of an experiment allow."""

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from landscape.report import audits, solutions
from landscape.report.comparison import best_first
from landscape.report.figures import (
    audit_figure,
    compare_figures,
    contours,
    convexity_maps,
    curves,
    direction_panels,
    line_panels,
    solution_maps,
    spectrum_panels,
    style,
    summary,
    surfaces,
    sweep_panels,
)
from landscape.report.figures.view import Picture, View
from landscape.report.results import Results
from landscape.report.sets import PLACES
from landscape.report.solutions import SolutionGroup
from landscape.report.tuned_comparison import TunedComparison

# Figures with a fixed name.
_NAMES = (
    *compare_figures.NAMES,
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
# Figures whose name may be followed by the label of a set and by the point.
_STEMS = (
    "slices_risk",
    "slices_metric",
    "directions",
    "contours",
    "surfaces",
    "convexity",
    "curvature",
)
_FIGURE_FILE = re.compile(
    rf"(?:{'|'.join(_NAMES)}|(?:{'|'.join(_STEMS)})(?:_[a-z0-9_]+)?)\.(?:png|pdf)"
)


def is_figure_file(name: str) -> bool:
    """Returns whether a report may contain a figure file of this name; others are never deleted."""
    return _FIGURE_FILE.fullmatch(name) is not None


class Drawing(NamedTuple):
    """A figure to be drawn: what it shows, and the function that draws it, None without data."""

    subject: str
    draw: Callable[[], Picture | None]


def drawings(
    results: Results,
    table: pd.DataFrame,
    view: View,
    groups: Sequence[SolutionGroup],
    tuned: TunedComparison | None = None,
) -> Iterator[Drawing]:
    """Yields the figures in the order of the page; draw them within `report_style()`."""
    if tuned is not None:
        yield from itertools.starmap(Drawing, compare_figures.figures(tuned, view.styles))
    if audit_records := audits.drawn(view.runs):
        yield _drawing("audit", audit_figure.shapes, audit_records)
    yield _drawing("summary", summary.summary, view)
    yield _drawing("learning curves", curves.learning_curves, view)
    if results.swept:
        swept = table, results.swept, results.losses
        yield _drawing("sweep", sweep_panels.metric_over_sweep, *swept)
    yield _drawing("risk", curves.risks, view)
    yield _drawing("gradient norm", curves.gradients, view)
    yield _drawing("dead fractions", curves.dead_fractions, view)
    for point in PLACES:
        yield from _slices(view, point)
    for point in PLACES:
        yield _drawing(f"curvature, {point}", spectrum_panels.spectrum, view, point)
    yield _drawing("curvature along training", spectrum_panels.curvature_along_training, view)
    yield from _across_runs(groups, str(best_first(table)["name"].iloc[0]), view)


def _drawing(subject: str, draw: Callable[..., Picture | None], *arguments: Any) -> Drawing:
    return Drawing(subject, functools.partial(draw, *arguments))


def _slices(view: View, point: str) -> Iterator[Drawing]:
    """Yields the lines of all sets, then the planes of all sets."""
    for index, line_set in enumerate(view.lines):
        where = line_set.where(point)
        along = view, line_set, point
        yield _drawing(f"risk of {where}", line_panels.risk_along_lines, *along)
        if index == 0 or line_set.random:
            yield _drawing(f"metric of {where}", line_panels.metric_along_lines, *along)
    yield _drawing(f"directions, {point}", direction_panels.directions, view, point)
    for plane_set in view.planes:
        where = plane_set.where(point)
        on_plane = view, plane_set, point
        yield _drawing(f"contours of {where}", contours.contours, *on_plane)
        yield _drawing(f"surfaces of {where}", surfaces.surfaces, *on_plane)
        yield _drawing(f"convexity of {where}", convexity_maps.convexity, *on_plane)


def _across_runs(groups: Sequence[SolutionGroup], best: str, view: View) -> Iterator[Drawing]:
    """Yields the figures across runs, for the group of losses that contains the best one."""
    group = next((group for group in groups if best in group.names), next(iter(groups), None))
    if group is None:
        return
    if matrix := solutions.matrix(group):
        yield _drawing("excess across losses", solution_maps.excess, matrix, view.metric)
    known = set(group.names) <= set(view.styles)
    styles = view.styles if known else style.styles(group.names)
    if between_seeds := solutions.interpolations(group, "seeds"):
        yield _drawing("lines between seeds", solution_maps.between_seeds, between_seeds, styles)
    if between_losses := solutions.interpolations(group, "losses"):
        in_pairs = {name for segment in between_losses for name in segment.losses}
        losses = [name for name in group.names if name in in_pairs]
        yield _drawing("lines between losses", solution_maps.between_losses, losses, between_losses)

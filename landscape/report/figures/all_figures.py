"""Draws every figure that the results of an experiment allow."""

import re
from collections.abc import Iterator, Sequence

import pandas as pd

from landscape.report import audits, solutions
from landscape.report.figures import (
    audit_figure,
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

# Figures with a fixed name.
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


def draw(
    results: Results, table: pd.DataFrame, view: View, groups: Sequence[SolutionGroup]
) -> Iterator[Picture]:
    """Yields the figures one at a time, in the order of the page; call within `report_style()`."""
    pictures = _pictures(results, table, view, groups)
    return (picture for picture in pictures if picture is not None)


def _pictures(
    results: Results, table: pd.DataFrame, view: View, groups: Sequence[SolutionGroup]
) -> Iterator[Picture | None]:
    """Yields each figure, None for figures without data."""
    if audit_records := audits.drawn(view.runs):
        yield audit_figure.shapes(audit_records)
    yield summary.summary(view)
    yield curves.learning_curves(view)
    if results.swept:
        yield sweep_panels.metric_over_sweep(table, results.swept, results.losses)
    yield curves.risks(view)
    yield curves.gradients(view)
    yield curves.dead_fractions(view)
    for point in PLACES:
        yield from _slices(view, point)
    for point in PLACES:
        yield spectrum_panels.spectrum(view, point)
    yield spectrum_panels.curvature_along_training(view)
    yield from _across_runs(groups, str(table["best"].iloc[0]), view)


def _slices(view: View, point: str) -> Iterator[Picture | None]:
    """Yields the lines of all sets, then the planes of all sets."""
    for index, line_set in enumerate(view.lines):
        yield line_panels.risk_along_lines(view, line_set, point)
        if index == 0 or line_set.random:
            yield line_panels.metric_along_lines(view, line_set, point)
    yield direction_panels.directions(view, point)
    for plane_set in view.planes:
        yield contours.contours(view, plane_set, point)
        yield surfaces.surfaces(view, plane_set, point)
        yield convexity_maps.convexity(view, plane_set, point)


def _across_runs(groups: Sequence[SolutionGroup], best: str, view: View) -> Iterator[Picture]:
    """Yields the figures across runs, for the group of losses that contains the best one."""
    group = next((group for group in groups if best in group.names), next(iter(groups), None))
    if group is None:
        return
    if matrix := solutions.matrix(group):
        yield solution_maps.excess(matrix, view.metric)
    known = set(group.names) <= set(view.styles)
    styles = view.styles if known else style.styles(group.names)
    if between_seeds := solutions.interpolations(group, "seeds"):
        yield solution_maps.between_seeds(between_seeds, styles)
    if between_losses := solutions.interpolations(group, "losses"):
        in_pairs = {name for segment in between_losses for name in segment.losses}
        losses = [name for name in group.names if name in in_pairs]
        yield solution_maps.between_losses(losses, between_losses)

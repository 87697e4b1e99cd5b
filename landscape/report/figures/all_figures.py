"""Lists every figure that the results of an experiment allow."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from landscape.report import audits, solutions
from landscape.report.comparison import best_first
from landscape.report.comparison_row import Row
from landscape.report.figures import (
    audit_figure,
    compare_curves,
    contours,
    convexity_maps,
    curves,
    difference_forest,
    direction_panels,
    line_panels,
    rate_curves,
    solution_maps,
    spectrum_panels,
    style,
    success_cells,
    success_maps,
    summary,
    surfaces,
    sweep_panels,
)
from landscape.report.figures.view import Picture, View, file_at
from landscape.report.results import Results
from landscape.report.sets import PLACES, StoredSet
from landscape.report.solutions import SolutionGroup
from landscape.report.tuned_comparison import TunedComparison

_OF_COMPARISONS: tuple[tuple[str, str, Callable[..., Picture | None]], ...] = (
    ("tuning_rates", "tolerance to the learning rate", rate_curves.rate_curves),
    ("differences", "differences to the reference", difference_forest.difference_forest),
    ("at_target", "runs at the target", compare_curves.target_curves),
    ("robustness", "robustness", success_cells.success_cells),
    ("best_of_k", "best of k", compare_curves.best_of_k_curves),
    ("profiles", "performance profiles", compare_curves.profile_curves),
    ("maps", "trainability maps", success_maps.success_maps),
)


class Drawing(NamedTuple):
    """A figure to be drawn: its file name, what it shows, and what draws it, None without data."""

    name: str
    subject: str
    draw: Callable[[], Picture | None]


def drawings(
    results: Results,
    rows: Sequence[Row],
    view: View,
    groups: Sequence[SolutionGroup],
    tuned: TunedComparison | None = None,
) -> Iterator[Drawing]:
    """Yields the figures in the order of the page; draw them within `report_style()`."""
    if tuned is not None:
        yield from of_comparison(tuned, view.styles)
    if audit_records := audits.drawn(view.runs):
        yield _drawing(audits.FIGURE, "audit", audit_figure.shapes, audit_records)
    if not results.has_looks:
        yield from _of_training(results, rows, view)
    for point in PLACES:
        yield from _slices(view, point)
    for point in PLACES:
        name = file_at("curvature", point)
        yield _drawing(name, f"curvature, {point}", spectrum_panels.spectrum, view, point)
    along = "curvature along training"
    yield _drawing("curvature_path", along, spectrum_panels.curvature_along_training, view)
    yield from _across_runs(groups, best_first(rows)[0].name, view)


def of_comparison(
    comparison: TunedComparison, styles: Mapping[str, style.Style]
) -> Iterator[Drawing]:
    """Yields the figures of a comparison at tuned points."""
    for name, subject, draw in _OF_COMPARISONS:
        yield _drawing(name, subject, draw, comparison, styles)


def _of_training(results: Results, rows: Sequence[Row], view: View) -> Iterator[Drawing]:
    """Yields the figures of what training recorded."""
    yield _drawing("summary", "summary", summary.summary, view)
    yield _drawing("learning_curves", "learning curves", curves.learning_curves, view)
    if results.swept:
        swept = rows, results.swept, results.losses
        yield _drawing("sweep", "sweep", sweep_panels.metric_over_sweep, *swept)
    yield _drawing("risk", "risk", curves.risks, view)
    yield _drawing("gradient_norm", "gradient norm", curves.gradients, view)
    yield _drawing("dead_fractions", "dead fractions", curves.dead_fractions, view)


def _drawing(
    name: str, subject: str, draw: Callable[..., Picture | None], *arguments: Any
) -> Drawing:
    return Drawing(name, subject, functools.partial(draw, *arguments))


def _slices(view: View, point: str) -> Iterator[Drawing]:
    """Yields the lines of all sets, then the planes of all sets."""
    for index, lines in enumerate(view.lines):
        along = view, lines, point
        yield _of_set("slices_risk", "risk", line_panels.risk_along_lines, *along)
        if index == 0 or lines.random:
            yield _of_set("slices_metric", "metric", line_panels.metric_along_lines, *along)
    compared = f"directions, {point}"
    yield _drawing(file_at("directions", point), compared, direction_panels.directions, view, point)
    for plane in view.planes:
        on_plane = view, plane, point
        yield _of_set("contours", "contours", contours.contours, *on_plane)
        yield _of_set("surfaces", "surfaces", surfaces.surfaces, *on_plane)
        yield _of_set("convexity", "convexity", convexity_maps.convexity, *on_plane)


def _of_set(
    stem: str,
    quantity: str,
    draw: Callable[[View, StoredSet, str], Picture | None],
    view: View,
    stored_set: StoredSet,
    point: str,
) -> Drawing:
    subject = f"{quantity} of {stored_set.where(point)}"
    return _drawing(stored_set.file(stem, point), subject, draw, view, stored_set, point)


def _across_runs(groups: Sequence[SolutionGroup], best: str, view: View) -> Iterator[Drawing]:
    """Yields the figures across runs, for the group of losses that contains the best one."""
    group = next((group for group in groups if best in group.names), next(iter(groups), None))
    if group is None:
        return
    if matrix := solutions.matrix(group):
        yield _drawing("across", "excess across losses", solution_maps.excess, matrix, view.metric)
    known = set(group.names) <= set(view.styles)
    styles = view.styles if known else style.styles(group.names)
    if between_seeds := solutions.interpolations(group, "seeds"):
        name, subject = "interpolations_seeds", "lines between seeds"
        yield _drawing(name, subject, solution_maps.between_seeds, between_seeds, styles)
    if between_losses := solutions.interpolations(group, "losses"):
        in_pairs = {name for segment in between_losses for name in segment.losses}
        losses = [name for name in group.names if name in in_pairs]
        name, subject = "interpolations_losses", "lines between losses"
        yield _drawing(name, subject, solution_maps.between_losses, losses, between_losses)

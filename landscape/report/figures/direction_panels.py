"""Compares all sets of lines in one panel per loss: random directions beside eigenvectors."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from landscape.report import check_results, statistics, words
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.bundles import bundle, summary
from landscape.report.figures.fitted_text import fit
from landscape.report.figures.view import Array, Picture, View, failed_checks, file_at, joined
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES, StoredSet

# More sets than this on one panel cannot be distinguished.
_MAX_SETS = 6
_LINE = 11  # points of a line of text above a panel


class MeanLine(NamedTuple):
    """The mean line of a set over the Euclidean distance, and the curvature at its center."""

    label: str
    distance: Array
    risk: Array
    curvature: float


def directions(view: View, point: str) -> Picture | None:
    """Draws the mean lines of all sets over the Euclidean distance, one panel per loss."""
    lines_by_loss = {
        loss: mean_lines
        for loss, runs in view.runs.items()
        if len(mean_lines := _mean_lines(view, runs, point)) > 1
    }
    if not lines_by_loss:
        return None
    style_of_set = style.styles([line_set.label for line_set in view.lines][:_MAX_SETS])
    spectra = {loss: _spectrum(view.runs[loss], point) for loss in lines_by_loss}
    failed = failed_checks(view, lines_by_loss, [lines.where(point) for lines in view.lines])
    figure, axes = panel_layout.panels(len(lines_by_loss), 3, 1.5, min_width=1.6)
    for panel, (loss, mean_lines) in zip(axes, lines_by_loss.items(), strict=True):
        _draw_lines(panel, mean_lines, style_of_set)
        texts = [(f"{loss} {check_results.mark(failed[loss])}".strip(), "black")]
        for line in mean_lines:
            curvature = words.scientific(line.curvature)
            texts.append((f"{line.label}: {curvature}", style_of_set[line.label].color))
        _write_heading(panel, [*texts, (spectra[loss], "black")])
    panel_layout.outer_labels(axes, "Euclidean distance", "risk (own units)")
    return Picture(
        file_at("directions", point),
        f"Comparison of directions through {PLACES[point]}",
        joined(_caption(view, point), check_results.sentence(failed)),
        "Risk against Euclidean distance, one line per set of directions, one panel per "
        f"{view.row}.",
        figure,
        "lines",
    )


def _mean_lines(view: View, runs: tuple[StoredRun, ...], point: str) -> list[MeanLine]:
    """Returns the mean lines of the sets with known norms, over Euclidean distance."""
    mean_lines = []
    for line_set in view.lines[:_MAX_SETS]:
        loss_lines = bundle(runs, line_set, point, "risk", relative=True)
        length = statistics.median([_line_length(run, line_set, point) for run in runs])
        if loss_lines is not None and np.isfinite(length) and length > 0:
            mean = summary(loss_lines.values)[0]
            curvature = statistics.median([_curvature(run, line_set, point) for run in runs])
            distance = length * loss_lines.coordinates
            mean_lines.append(MeanLine(line_set.label, distance, mean, curvature))
    return mean_lines


def _line_length(run: StoredRun, line_set: StoredSet, point: str) -> float:
    """Returns the Euclidean length of one side of a line, the mean over the directions."""
    norm, coordinates = (run.slices.get(line_set.array(point, n)) for n in ("norm", "coordinates"))
    if norm is None or coordinates is None or not norm.size or not coordinates.size:
        return np.nan
    return float(np.mean(norm, dtype=np.float64) * np.abs(coordinates).max())


def _curvature(run: StoredRun, line_set: StoredSet, point: str) -> float:
    """Returns d'Hd / |d|^2, the mean over the directions."""
    norm, curvature = (run.slices.get(line_set.array(point, n)) for n in ("norm", "curvature"))
    if norm is None or curvature is None or norm.shape != curvature.shape or not norm.size:
        return np.nan
    squared = norm.astype(np.float64) ** 2
    known = (squared > 0) & np.isfinite(curvature)
    return float(np.mean(curvature[known] / squared[known])) if known.any() else np.nan


def _spectrum(runs: tuple[StoredRun, ...], point: str) -> str:
    """Describes the largest and the mean eigenvalue, the median over runs; empty if unknown."""
    at_point = [run.curvature.at(point) for run in runs if run.curvature]
    hessians = [(p.spectra["hessian"], p) for p in at_point if p and "hessian" in p.spectra]
    if not hessians:
        return ""
    largest = statistics.median([matrix.largest[0] for matrix, _ in hessians])
    mean = statistics.median([matrix.trace.value / p.parameters for matrix, p in hessians])
    return f"λ max {words.scientific(largest)}, trace/N {words.scientific(mean)}"


def _draw_lines(
    panel: Axes, mean_lines: list[MeanLine], style_of_set: dict[str, style.Style]
) -> None:
    """Draws the lines up to the end of the shortest one."""
    end = min(float(np.abs(line.distance).max()) for line in mean_lines)
    visible = []
    for line in mean_lines:
        panel.plot(line.distance, line.risk, **style_of_set[line.label].line())
        inside = np.abs(line.distance) <= end * (1 + 1e-6)
        visible.append(line.risk[inside & np.isfinite(line.risk)])
    values = np.concatenate(visible)
    if len(values):
        style.frame_y(panel, values)
    panel.set_xlim(-end, end)
    panel.axvline(0, **style.CENTER)
    style.few_ticks(panel.xaxis)


def _write_heading(panel: Axes, texts: list[tuple[str, str]]) -> None:
    """Writes lines of text above a panel, each in its color; empty ones are omitted."""
    room = panel_layout.room(panel) + 0.2
    (title, _), *lines = [(figure_text(fit(text, room)), color) for text, color in texts if text]
    for index, (text, color) in enumerate(reversed(lines)):
        panel.annotate(
            text,
            (0, 1),
            (0, 4 + _LINE * index),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            color=color,
        )
    panel.set_title(title, loc="left", pad=6 + _LINE * len(lines))


def _caption(view: View, point: str) -> str:
    over = "directions and seeds" if view.row == "loss" else "directions"
    median = "median over seeds, " if view.row == "loss" else ""
    return (
        f"The risk on the evaluation set along every set of directions through {PLACES[point]}, "
        f"the mean over {over}. The Euclidean distance is comparable between sets; "
        "the frame ends with the shortest line. Next to each set is its curvature d'Hd / |d|² at "
        f"the center ({median}in the loss's own units). In N parameters a random "
        "direction shows only the mean curvature trace(H) / N; an eigenvector shows how sharp the "
        "risk can be."
    )

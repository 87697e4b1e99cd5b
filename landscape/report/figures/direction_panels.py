"""All sets of lines beside each other: what random directions show and what an eigenvector does."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from landscape.report import checks, statistics, words
from landscape.report.figures.bundles import bundle, summary
from landscape.report.figures.line_panels import middle
from landscape.report.figures.style import (
    WIDTH,
    PanelGrid,
    columns_for,
    few_ticks,
    outer_labels,
    panels,
    plain,
    shorten,
)
from landscape.report.figures.style import styles as looks
from landscape.report.figures.view import Array, Picture, View
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES, Set

# More sets than this on one panel cannot be told apart.
_SETS = 6
_LINE = 0.15
# Inches that a character of the head takes at most.
_CHARACTER = 0.066


class Course(NamedTuple):
    """The mean line of a set over the Euclidean distance, and the curvature at its middle."""

    label: str
    distance: Array
    risk: Array
    curvature: float


def directions(view: View, at: str) -> Picture | None:
    """Mean lines of all sets over the Euclidean distance, a panel a loss."""
    found = {loss: _courses(view, runs, at) for loss, runs in view.runs.items()}
    found = {loss: courses for loss, courses in found.items() if len(courses) > 1}
    if not found:
        return None
    names = [lines.label for lines in view.lines][:_SETS]
    colors = looks(names)
    columns = columns_for(len(found), 3)
    rows = max(map(len, found.values())) + 1
    spectrum = {loss: _spectrum(view.runs[loss], at) for loss in found}
    rows += any(spectrum.values())
    marks = {
        loss: sorted({n for s in view.lines for n in checks.failed(view.runs[loss], s.where(at))})
        for loss in found
    }
    top = 0.14 + _LINE * rows
    grid = PanelGrid(columns, 1.5, top=top, down=0.25 + top, across=0.55)
    figure, axes = panels(len(found), grid)
    for panel, (loss, courses) in zip(axes, found.items(), strict=True):
        end = min(float(np.abs(course.distance).max()) for course in courses)
        _draw(panel, courses, colors, end)
        title = " ".join(filter(None, (view.styles[loss].title, checks.mark(marks[loss]))))
        _head(panel, shorten(title, 40), courses, colors, spectrum[loss])
    outer_labels(axes, columns, "Euclidean distance", "risk (own units)")
    return Picture(
        "directions" if at == "trained" else f"directions_{at}",
        f"Directions beside each other, through {PLACES[at]}",
        _caption(at) + checks.sentence(marks),
        "Risk against Euclidean distance, one line a set of directions, one panel a loss.",
        figure,
        "lines",
    )


def _courses(view: View, runs: tuple[StoredRun, ...], at: str) -> list[Course]:
    """The sets whose norms are known; lines over the median norm of their directions."""
    found = []
    for lines in view.lines[:_SETS]:
        drawn = bundle(runs, lines, at, "risk", relative=True)
        reach = statistics.median([_reach(run, lines, at) for run in runs])
        if drawn is None or not np.isfinite(reach) or reach <= 0:
            continue
        mean = summary(drawn.values)[0]
        curvature = statistics.median([_curvature(run, lines, at) for run in runs])
        found.append(Course(lines.label, reach * drawn.coordinates, mean, curvature))
    return found


def _reach(run: StoredRun, lines: Set, at: str) -> float:
    """Euclidean length of one side of a line, the mean over the directions."""
    norm, coordinates = (run.slices.get(lines.array(at, n)) for n in ("norm", "coordinates"))
    if norm is None or coordinates is None or not norm.size or not coordinates.size:
        return np.nan
    return float(np.mean(norm, dtype=np.float64) * np.abs(coordinates).max())


def _curvature(run: StoredRun, lines: Set, at: str) -> float:
    """d'Hd / |d|^2, the mean over the directions."""
    norm, curved = (run.slices.get(lines.array(at, n)) for n in ("norm", "curvature"))
    if norm is None or curved is None or norm.shape != curved.shape or not norm.size:
        return np.nan
    squared = norm.astype(np.float64) ** 2
    known = (squared > 0) & np.isfinite(curved)
    return float(np.mean(curved[known] / squared[known])) if known.any() else np.nan


def _spectrum(runs: tuple[StoredRun, ...], at: str) -> str:
    """The ends of the spectrum between which every direction lies, where they were measured."""
    points = [point for run in runs if run.curvature if (point := run.curvature.at(at))]
    found = [(p.operators["hessian"], p) for p in points if "hessian" in p.operators]
    if not found:
        return ""
    largest = statistics.median([matrix.largest[0] for matrix, _ in found])
    mean = statistics.median([matrix.trace.value / p.parameters for matrix, p in found])
    return f"λ max {words.scientific(largest)}, trace/N {words.scientific(mean)}"


def _draw(panel: Axes, courses: list[Course], colors: dict, end: float) -> None:
    seen = []
    for course in courses:
        style = colors[course.label]
        panel.plot(course.distance, course.risk, **style.line())
        inside = np.abs(course.distance) <= end * (1 + 1e-6)
        seen.append(course.risk[inside & np.isfinite(course.risk)])
    values = np.concatenate(seen)
    if len(values):
        room = float(np.ptp(values)) or max(abs(float(values.max())), 1.0) * 0.05
        panel.set_ylim(values.min() - 0.06 * room, values.max() + 0.06 * room)
    panel.set_xlim(-end, end)
    middle(panel)
    few_ticks(panel.xaxis)
    few_ticks(panel.yaxis, 4)


def _head(panel: Axes, title: str, courses: list[Course], colors: dict, spectrum: str) -> None:
    """The loss, then a line for each set in its color with its curvature, then the spectrum."""
    room = int(panel.get_position().width * WIDTH / _CHARACTER)
    lines = []
    for course in courses:
        value = words.scientific(course.curvature)
        name = shorten(course.label, max(room - len(value) - 2, 8))
        lines.append((f"{name}: {value}", colors[course.label].color))
    lines += [(spectrum, "black")] if spectrum else []
    tall = panel.get_figure().get_figheight() * panel.get_position().height  # type: ignore[union-attr]
    for index, (text, color) in enumerate(reversed(lines)):
        y = 1 + (0.05 + _LINE * index) / tall
        panel.text(0, y, plain(text), color=color, transform=panel.transAxes, va="bottom")
    panel.set_title(title, loc="left", pad=72 * (0.07 + _LINE * len(lines)))


def _caption(at: str) -> str:
    return (
        f"The risk on the evaluation set along every set of directions through {PLACES[at]}, the "
        "mean over directions and seeds, over the Euclidean distance, which is the same for all "
        "sets; the frame ends where the shortest line does. Beside each set stands its curvature "
        "d'Hd / |d|² at the middle (median over seeds, in the loss's own units). In N parameters a "
        "random direction sees the mean curvature trace(H) / N only; an eigenvector shows how "
        "sharp the risk can be."
    )

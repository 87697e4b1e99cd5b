"""Draws the spectrum of the Hessian at a point, and its extremes along training."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from landscape.report import check_results, words
from landscape.report.curvature_table import MATRICES, drop_of
from landscape.report.figures import panel_layout, style
from landscape.report.figures.curves import UPDATES
from landscape.report.figures.view import (
    Picture,
    View,
    failed_checks,
    file_at,
    joined,
    median_and_range,
    representative_runs,
)
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES
from landscape.storage.curvature_records import CurvaturePoint, OperatorRecord

# Densities below this share of the peak of a single eigenvalue are estimation noise.
_NOISE = 0.1
_DASHED = (0, (4, 1.5))
_GAUSS_NEWTON: dict[str, Any] = {"color": "black", "linestyle": _DASHED, "linewidth": 1.0}
_EIGENVALUES: dict[str, Any] = {
    "marker": "^",
    "markersize": 4,
    "markeredgecolor": "black",
    "markeredgewidth": 0.5,
    "linestyle": "none",
}
_ALONG_TRAINING: dict[str, dict[str, Any]] = {
    "largest": {"color": "#D55E00", "marker": "o", "markersize": 2.5, "linewidth": 1.2},
    "smallest": {"color": "#0072B2", "marker": "s", "markersize": 2.5, "linewidth": 1.2},
    "trace/N": {"color": style.GRAY, "linestyle": _DASHED, "linewidth": 1.2},
}


def spectrum(view: View, point: str) -> Picture | None:
    """Draws the spectral density of each loss at a representative seed."""
    candidates = {
        loss: [run for run in runs if _curvature_at(run, point)] for loss, runs in view.runs.items()
    }
    run_of = representative_runs(view, candidates)
    if not run_of:
        return None
    places = (point, *(f"{point}/{matrix}" for matrix in MATRICES))
    failed = failed_checks(view, run_of, places)
    figure, axes = panel_layout.panels(len(run_of), 3, 1.5, min_width=1.5)
    any_gauss_newton = any_scale_free = False
    for panel, (loss, run) in zip(axes, run_of.items(), strict=True):
        curvature, loss_style = _curvature_at(run, point), view.styles[loss]
        assert curvature is not None
        any_gauss_newton |= _draw_spectrum(panel, curvature, loss_style)
        any_scale_free |= _add_scale_free_axis(panel, curvature)
        matrix = _main_matrix(curvature)
        low, high = words.scientific(matrix.smallest[0]), words.scientific(matrix.largest[0])
        seed = f"seed {view.seed(run)}, " if view.seed(run) is not None else ""
        extent = f"{seed}from {low} to {high}"
        panel_layout.set_title(panel, loss, extent, check_results.mark(failed[loss]))
    panel_layout.outer_labels(axes, "eigenvalue (own units)", "density")
    handles = [
        style.legend_line("Hessian", color=style.GRAY),
        Patch(color=style.GRAY, alpha=0.3, linewidth=0, label="band over probes"),
        style.legend_line("outermost eigenvalues", color=style.GRAY, **_EIGENVALUES),
        *([style.legend_line("Gauss-Newton", **_GAUSS_NEWTON)] if any_gauss_newton else []),
    ]
    panel_layout.add_legend(figure, handles)
    return Picture(
        file_at("curvature", point),
        f"Spectrum of the Hessian at {PLACES[point]}",
        joined(
            _caption(point, scale_free=any_scale_free),
            view.selection(shares_directions=False),
            any_gauss_newton and "The Gauss-Newton matrix omits the curvature of the model itself.",
            check_results.sentence(failed),
        ),
        f"Spectral density against eigenvalue, one panel per {view.row}.",
        figure,
        "curvature",
    )


def _curvature_at(run: StoredRun, point: str) -> CurvaturePoint | None:
    curvature = None if run.curvature is None else run.curvature.at(point)
    return curvature if curvature is not None and curvature.spectra else None


def _main_matrix(curvature: CurvaturePoint) -> OperatorRecord:
    return curvature.spectra.get("hessian") or next(iter(curvature.spectra.values()))


def _draw_spectrum(panel: Axes, curvature: CurvaturePoint, loss_style: style.Style) -> bool:
    """Draws density, band and eigenvalues; returns whether it drew a Gauss-Newton matrix."""
    matrix = _main_matrix(curvature)
    density = matrix.density
    low, mean, high = map(np.array, (density.low, density.mean, density.high))
    values = mean[np.isfinite(mean)]
    all_zero = not (any(matrix.largest) or any(matrix.smallest))
    if all_zero or not len(values) or not (values > 0).any():
        style.replace_panel(panel, "every eigenvalue is 0" if all_zero else "no finite value")
        panel.set_xticks([])
        return False
    top = float(values.max())
    floor = min(_floor(density.width, curvature.parameters, top), 0.1 * top)
    low, mean, high = (np.maximum(line, floor / 10) for line in (low, mean, high))
    panel.fill_between(
        density.eigenvalue, low, high, color=loss_style.color, alpha=0.2, linewidth=0
    )
    panel.plot(density.eigenvalue, mean, color=loss_style.color)
    gauss_newton = curvature.spectra.get("gauss_newton", matrix)
    if gauss_newton is not matrix:
        mean = np.maximum(gauss_newton.density.mean, floor / 10)
        panel.plot(gauss_newton.density.eigenvalue, mean, **_GAUSS_NEWTON)
    style.logarithmic(panel, floor, 3 * top)
    panel.set_ylim(floor, 3 * top)
    on_axis: dict[str, Any] = {"transform": panel.get_xaxis_transform(), "clip_on": False}
    for eigenvalues in (matrix.largest, matrix.smallest):
        heights = np.full(len(eigenvalues), 0.035)
        panel.plot(eigenvalues, heights, color=loss_style.color, **_EIGENVALUES, **on_axis)
    panel.axvline(0, **style.CENTER)
    style.few_ticks(panel.xaxis, 2)
    return gauss_newton is not matrix


def _floor(width: float, parameters: float, top: float) -> float:
    """Returns the lowest density to draw: a tenth of the peak of a single eigenvalue, if known."""
    if width * parameters <= 0:
        return 1e-6 * top
    return _NOISE / (np.sqrt(2 * np.pi) * width * parameters)


def _add_scale_free_axis(panel: Axes, curvature: CurvaturePoint) -> bool:
    """Adds an axis above: eigenvalue times squared norm of the parameters, over the drop.

    Returns whether it did: not without a drop, as of a point whose training is not known, and not
    above a panel without eigenvalues.
    """
    scale = curvature.squared_norm / drop_of(curvature)
    if not np.isfinite(scale) or scale <= 0 or not panel.lines:
        return False
    upper_axis = panel.twiny()
    upper_axis.grid(visible=False)
    upper_axis.spines["top"].set_visible(True)
    upper_axis.set_xlim(*(scale * end for end in panel.get_xlim()))
    style.few_ticks(upper_axis.xaxis, 2)
    upper_axis.tick_params(pad=1)
    upper_axis.set_xlabel("eigenvalue · |θ|² / drop", labelpad=3)
    return True


def _caption(point: str, *, scale_free: bool) -> str:
    return joined(
        f"The distribution of the eigenvalues of the Hessian of the risk at {PLACES[point]}: the "
        "smoothed density by stochastic Lanczos quadrature, on a logarithmic scale that ends at a "
        "tenth of the peak of a single eigenvalue. Triangles are the outermost eigenvalues. The "
        "axis below each panel is in the loss's own units, which cannot be compared between "
        "losses.",
        scale_free
        and "The axis above is scale-free, eigenvalue times squared norm of the parameters over "
        "the drop of the risk in training, and can be compared.",
    )


def curvature_along_training(view: View) -> Picture | None:
    """Draws the extreme and the mean eigenvalues at the checkpoints, medians over seeds."""
    courses_of_loss = {}
    for loss, runs in view.runs.items():
        courses = [_eigenvalues_by_step(run) for run in runs]
        if courses := [course for course in courses if len(course) > 1]:
            courses_of_loss[loss] = courses
    if not courses_of_loss:
        return None
    handles = [style.legend_line(name, **props) for name, props in _ALONG_TRAINING.items()]
    figure, axes = panel_layout.panels(len(courses_of_loss), 3, 1.5, legend=handles)
    for panel, (loss, courses) in zip(axes, courses_of_loss.items(), strict=True):
        _draw_eigenvalues(panel, courses, view.styles[loss])
        panel_layout.set_title(panel, loss)
    panel_layout.outer_labels(axes, UPDATES, "eigenvalue (own units)")
    caption = (
        "The largest and the smallest eigenvalue of the Hessian of the risk on the evaluation set, "
        "and the mean of all (trace/N), at the checkpoints of training: medians over seeds, the "
        "band from the smallest to the largest seed. In the loss's own units: compare only shapes."
    )
    return Picture(
        "curvature_path",
        "Curvature along training",
        caption,
        "Eigenvalues over updates, one panel per loss.",
        figure,
        "curvature",
    )


def _eigenvalues_by_step(run: StoredRun) -> dict[int, tuple[float, float, float]]:
    """Returns largest, smallest and mean eigenvalue by step; empty without checkpoints."""
    points = () if run.curvature is None else run.curvature.points
    if not any(curvature.place == "checkpoint" for curvature in points):
        return {}
    eigenvalues = {}
    for curvature in sorted(points, key=lambda curvature: curvature.step):
        if curvature.spectra:
            matrix = _main_matrix(curvature)
            mean = matrix.trace.value / curvature.parameters
            eigenvalues[curvature.step] = matrix.largest[0], matrix.smallest[0], mean
    return eigenvalues


def _draw_eigenvalues(panel: Axes, courses: list[dict], loss_style: style.Style) -> None:
    steps = np.array(sorted({step for course in courses for step in course}))
    missing = (np.nan,) * 3
    values = np.array([[course.get(step, missing) for step in steps] for course in courses])
    for index, props in enumerate(_ALONG_TRAINING.values()):
        center, low, high = median_and_range(values[:, :, index])
        panel.fill_between(steps, low, high, color=props["color"], alpha=0.14, linewidth=0)
        panel.plot(steps, center, **props)
    panel.axhline(0, **style.ZERO)
    if not np.isfinite(values).any():
        panel.text(0.5, 0.6, "no finite value", ha="center", transform=panel.transAxes)
    style.few_ticks(panel.xaxis)
    style.few_ticks(panel.yaxis, 4)

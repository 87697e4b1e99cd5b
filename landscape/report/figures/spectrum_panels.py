"""The spectrum of the Hessian at a point, and its ends along training."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from landscape.report import checks, words
from landscape.report.curvature import MATRICES, drop_of
from landscape.report.figures.curves import UPDATES
from landscape.report.figures.style import (
    GREY,
    PanelGrid,
    Style,
    columns_for,
    few_ticks,
    logarithmic,
    outer_labels,
    panels,
    titled,
)
from landscape.report.figures.view import Picture, View, spread, typical
from landscape.report.records import Operator, Place
from landscape.report.results import StoredRun
from landscape.report.sets import PLACES

# The share of a single eigenvalue's peak below which a density is the estimate's own noise.
_NOISE = 0.1
_OTHER: dict = {"color": "black", "linestyle": (0, (4, 1.5)), "linewidth": 1.0}


def spectrum(view: View, at: str) -> Picture | None:
    """The spectral density of each loss at the seed that ranks nearest the middle."""
    having = {loss: [run for run in runs if _place(run, at)] for loss, runs in view.runs.items()}
    chosen = typical(view, having)
    if not chosen:
        return None
    columns = columns_for(len(chosen), 3)
    marks = {loss: _failed(view.runs[loss], at) for loss in chosen}
    more = 0.15 * any(marks.values())
    grid = PanelGrid(columns, 1.5, top=0.84 + more, down=1.1 + more, across=0.5)
    figure, axes = panels(len(chosen), grid, foot=0.25)
    both = False
    for panel, (loss, run) in zip(axes, chosen.items(), strict=True):
        point = _place(run, at)
        assert point is not None
        both = _draw_spectrum(panel, point, view.styles[loss]) or both
        seed = f"seed {run.seed}, " if run.seed is not None else ""
        below = [f"{seed}{_ends(point)}", *filter(None, [checks.mark(marks[loss])])]
        titled(panel, view.styles[loss].title, below)
    outer_labels(axes, columns, "eigenvalue (own units)", "density", away=0.45)
    figure.legend(handles=_keys(both), loc="lower center", ncols=4)
    return Picture(
        "curvature" if at == "trained" else f"curvature_{at}",
        f"Spectrum of the Hessian at {PLACES[at]}",
        _caption(at, both) + checks.sentence(marks),
        "Spectral density against eigenvalue, one panel a loss.",
        figure,
        "curvature",
    )


def _failed(runs: Sequence[StoredRun], at: str) -> list[str]:
    """The checks of the point and of its matrices that failed."""
    places = (at, *(f"{at}/{matrix}" for matrix in MATRICES))
    return sorted({name for place in places for name in checks.failed(runs, place)})


def _place(run: StoredRun, at: str) -> Place | None:
    point = None if run.curvature is None else run.curvature.at(at)
    return point if point is not None and point.operators else None


def _main(point: Place) -> Operator:
    return point.operators.get("hessian") or next(iter(point.operators.values()))


def _ends(point: Place) -> str:
    matrix = _main(point)
    low, high = words.scientific(matrix.smallest[0]), words.scientific(matrix.largest[0])
    return f"from {low} to {high}"


def _draw_spectrum(panel: Axes, point: Place, style: Style) -> bool:
    """Density with its band, a mark at each eigenvalue; whether there is a second matrix."""
    matrix = _main(point)
    curve = matrix.density
    values = curve.mean[np.isfinite(curve.mean)]
    other = point.operators.get("gauss_newton")
    both = other is not None and other is not matrix
    nothing = not (matrix.largest.any() or matrix.smallest.any())
    if nothing or not len(values) or not (values > 0).any():
        said = "every eigenvalue is 0" if nothing else "no finite value"
        panel.text(0.5, 0.5, said, ha="center", transform=panel.transAxes)
        panel.set_yticks([])
        panel.set_xticks([])
        return False
    top = float(values.max())
    floor = min(_floor(curve.width, point.parameters, top), 0.1 * top)
    low, mean, high = (np.maximum(line, floor / 10) for line in (curve.low, curve.mean, curve.high))
    panel.fill_between(curve.eigenvalue, low, high, color=style.color, alpha=0.2, linewidth=0)
    panel.plot(curve.eigenvalue, mean, color=style.color)
    if other is not None and both:
        panel.plot(other.density.eigenvalue, np.maximum(other.density.mean, floor / 10), **_OTHER)
    logarithmic(panel, floor, 3 * top)
    panel.set_ylim(floor, 3 * top)
    for values in (matrix.largest, matrix.smallest):
        panel.plot(
            values,
            np.full(len(values), 0.035),
            transform=panel.get_xaxis_transform(),
            marker="^",
            markersize=4,
            color=style.color,
            markeredgecolor="black",
            markeredgewidth=0.5,
            linestyle="none",
            clip_on=False,
        )
    panel.axvline(0, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
    few_ticks(panel.xaxis, 2)
    _scale_free(panel, point)
    return both


def _floor(width: float, parameters: float, top: float) -> float:
    """A tenth of the peak that one eigenvalue of all has; a fixed share where that is unknown."""
    one = 1 / (np.sqrt(2 * np.pi) * width * parameters) if width * parameters > 0 else np.nan
    return _NOISE * one if np.isfinite(one) else 1e-6 * top


def _scale_free(panel: Axes, point: Place) -> None:
    """A second axis above: eigenvalues times the squared norm of the parameters over the drop."""
    scale = point.squared_norm / drop_of(point)
    if not np.isfinite(scale) or scale <= 0:
        return
    above = panel.twiny()
    above.grid(visible=False)
    above.spines["top"].set_visible(True)
    above.set_xlim(*(scale * end for end in panel.get_xlim()))
    few_ticks(above.xaxis, 2)
    above.tick_params(pad=1)
    above.set_xlabel("eigenvalue · |θ|² / drop", labelpad=3)


def _keys(both: bool) -> list[Line2D | Patch]:
    keys: list[Line2D | Patch] = [
        Line2D([], [], color=GREY, label="Hessian"),
        Patch(color=GREY, alpha=0.3, linewidth=0, label="band over probes"),
        Line2D([], [], color=GREY, marker="^", markersize=4, markeredgecolor="black",
               markeredgewidth=0.5, linestyle="none", label="outermost eigenvalues"),
    ]  # fmt: skip
    return [*keys, Line2D([], [], label="Gauss-Newton", **_OTHER)] if both else keys


def _caption(at: str, both: bool) -> str:
    return (
        f"How the eigenvalues of the Hessian of the risk are spread at {PLACES[at]}: the density "
        "by stochastic Lanczos quadrature, smoothed, on a logarithmic scale that ends at a tenth "
        "of what a single eigenvalue makes. Triangles are the outermost eigenvalues. Below each "
        "panel they are in the loss's own units and must not be compared between losses; above it "
        "in scale-free form, eigenvalue times squared norm of the parameters over the drop that "
        "training achieved, which may. All losses are shown at one seed, whose runs rank nearest "
        "the middle."
        + (" The Gauss-Newton matrix leaves out the model's own curvature." if both else "")
    )


def curvature_along_training(view: View) -> Picture | None:
    """The ends of the spectrum and its mean at the checkpoints, medians over seeds."""
    found = {loss: [_course(run) for run in runs] for loss, runs in view.runs.items()}
    found = {loss: [c for c in courses if len(c) > 1] for loss, courses in found.items()}
    found = {loss: courses for loss, courses in found.items() if courses}
    if not found:
        return None
    columns = columns_for(len(found), 3)
    figure, axes = panels(len(found), PanelGrid(columns, 1.5, down=0.42, across=0.55), foot=0.25)
    for panel, (loss, courses) in zip(axes, found.items(), strict=True):
        _draw_course(panel, courses, view.styles[loss])
        panel.set_title(view.styles[loss].title, loc="left")
    outer_labels(axes, columns, UPDATES, "eigenvalue (own units)")
    keys = [Line2D([], [], label=name, **look) for name, look in _COURSES.items()]
    figure.legend(handles=keys, loc="lower center", ncols=3)
    caption = (
        "The largest and the smallest eigenvalue of the Hessian of the risk on the evaluation set, "
        "and the mean of all (trace/N), at the checkpoints of training: medians over seeds, the "
        "band from the smallest to the largest seed. In the loss's own units: compare shapes."
    )
    return Picture(
        "curvature_path",
        "Curvature along training",
        caption,
        "Eigenvalues over updates, one panel a loss.",
        figure,
        "curvature",
    )


_COURSES: dict[str, dict] = {
    "largest": {"color": "#D55E00", "marker": "o", "markersize": 2.5, "linewidth": 1.2},
    "smallest": {"color": "#0072B2", "marker": "s", "markersize": 2.5, "linewidth": 1.2},
    "trace/N": {"color": GREY, "linestyle": (0, (4, 1.5)), "linewidth": 1.2},
}


def _course(run: StoredRun) -> dict[float, tuple[float, float, float]]:
    """Largest, smallest and mean eigenvalue by step; empty where there are no checkpoints."""
    points = () if run.curvature is None else run.curvature.points
    if not any(point.place == "checkpoint" for point in points):
        return {}
    return {
        point.step: (
            float(_main(point).largest[0]),
            float(_main(point).smallest[0]),
            _main(point).trace.value / point.parameters,
        )
        for point in sorted(points, key=lambda point: point.step)
        if point.operators and np.isfinite(point.step)
    }


def _draw_course(panel: Axes, courses: list[dict], style: Style) -> None:
    steps = np.array(sorted({step for course in courses for step in course}))
    missing = (np.nan,) * 3
    values = np.array([[course.get(step, missing) for step in steps] for course in courses])
    for index, look in enumerate(_COURSES.values()):
        center, low, high = spread(values[:, :, index])
        panel.fill_between(steps, low, high, color=look["color"], alpha=0.14, linewidth=0)
        panel.plot(steps, center, **look)
    panel.axhline(0, color=GREY, linewidth=0.6, zorder=1)
    if not np.isfinite(values).any():
        panel.text(0.5, 0.6, "no finite value", ha="center", transform=panel.transAxes)
    few_ticks(panel.xaxis)
    few_ticks(panel.yaxis, 4)

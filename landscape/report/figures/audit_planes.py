"""Draws an audit over two predictions, contours with gradients, and the limit at one point."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from landscape.report import words
from landscape.report.figures import plane_panels
from landscape.report.figures.audit_curves import axis_limits, drawable
from landscape.report.figures.plane_panels import Heights
from landscape.report.figures.style import TICK, few_ticks, named_ticks
from landscape.report.figures.view import Array, joined
from landscape.storage.audit_records import Audit, AuditRecord, LimitTable

_LEVELS = 12
# Shorter arrows than this share of the longest are omitted: they look like the zero-gradient dots.
_MIN_ARROW_SHARE = 0.15
# Difference quotients that grow by more than this factor get a logarithmic scale.
_GROWTH_FACTOR = 30.0
_MAX_DECADES = 30
_ARROW: dict[str, Any] = {
    "angles": "xy",
    "scale_units": "width",
    "width": 0.009,
    "headwidth": 4,
    "headlength": 4,
    "headaxislength": 3.6,
    "minlength": 0,
    "pivot": "mid",
    "color": "white",
    "edgecolor": "black",
    "linewidth": 0.35,
}
_SIDES: dict[str, dict[str, Any]] = {
    "left": {"color": "#0072B2", "marker": "<", "markersize": 6, "markerfacecolor": "white"},
    "right": {"color": "#D55E00", "marker": ">", "markersize": 3.5},
}


class GradientField(NamedTuple):
    """A loss over two predictions: value and both gradients, shape (Py, Px)."""

    label: str
    x_label: str
    y_label: str
    x: Array
    y: Array
    value: Array
    gradient: tuple[Array, Array]

    @property
    def zero_gradient(self) -> NDArray[np.bool_]:
        """Where the gradient is exactly zero in both predictions."""
        return (self.gradient[0] == 0) & (self.gradient[1] == 0)


def gradient_field(audit: AuditRecord) -> GradientField | None:
    """Returns the plane of an audit, None below two points along a side."""
    plane = audit.shapes.plane if isinstance(audit, Audit) and audit.shapes else None
    if plane is None or min(len(plane.x), len(plane.y)) < 2:
        return None
    x, y, value = drawable(plane.x), drawable(plane.y), drawable(plane.value)
    gradient = drawable(plane.gradient_x), drawable(plane.gradient_y)
    return GradientField(plane.label, plane.x_label, plane.y_label, x, y, value, gradient)


def draw_gradient_field(
    panel: Axes, plane: GradientField, arrows: int
) -> tuple[ContourSet | None, Heights]:
    """Draws contours and about `arrows` x `arrows` arrows that point down the gradient."""
    panel.grid(visible=False)
    panel.set_facecolor("#d9d9d9")
    height = plane_panels.heights(plane.value)
    filled = None
    if height.values.count() and not height.flat:
        filled = plane_panels.draw_contours(panel, plane.x, plane.y, height, _LEVELS)
    elif height.values.count():
        flat = np.ma.masked_array(np.full(plane.value.shape, 0.5), height.values.mask)
        panel.contourf(plane.x, plane.y, flat, levels=[0, 1], colors=[plane_panels.COLORS(0.5)])
    plane_panels.dot_region(panel, plane.x, plane.y, plane.zero_gradient)
    _draw_arrows(panel, plane, arrows)
    plane_panels.frame_plane(panel, plane.x, plane.y)
    return filled, height


def arrows_sentence(planes: Sequence[GradientField]) -> str:
    """Explains the arrows, dots and gray regions of these planes."""
    return joined(
        "Arrows point down the gradient, the direction of training; longer means steeper.",
        any(plane.zero_gradient.any() for plane in planes)
        and "Dotted: the gradient is exactly zero.",
        not all(np.isfinite(plane.value).all() for plane in planes)
        and "Gray: the value is not finite.",
    )


def _draw_arrows(panel: Axes, plane: GradientField, arrows: int) -> None:
    """Draws descent as arrows; length grows with the square root, so that flat regions show."""
    pick_x, pick_y = (_spaced_indices(len(axis), arrows) for axis in (plane.x, plane.y))
    across, up = (-part[np.ix_(pick_y, pick_x)] for part in plane.gradient)
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.hypot(across, up)
    known = np.isfinite(size) & (size > 0)
    if not known.any():
        return
    x, y = np.meshgrid(plane.x[pick_x], plane.y[pick_y])
    typical = np.percentile(size[known], 90)
    known &= size > _MIN_ARROW_SHARE**2 * typical
    length = np.sqrt(np.minimum(size[known] / typical, 1.0))
    u, v = (part[known] / size[known] * length for part in (across, up))
    panel.quiver(x[known], y[known], u, v, scale=1.15 * arrows, **_ARROW)


def _spaced_indices(count: int, max_count: int) -> NDArray[np.intp]:
    """Returns at most `max_count` evenly spaced indices, about half a space from both edges."""
    step = max(1, -(-(count - 1) // max_count))
    inside = max(1, (count - 1) // step)
    start = (count - 1 - (inside - 1) * step) // 2
    return np.arange(start, start + inside * step, step)


def draw_limit(panel: Axes, limit: LimitTable) -> None:
    """Draws the difference quotients of both sides against the step, and the autodiff gradient."""
    steps = drawable(limit.steps)
    sides = {"left": drawable(limit.left), "right": drawable(limit.right)}
    autodiff = float(drawable(limit.autodiff))
    panel.set_xscale("log")
    for side, quotients in sides.items():
        drawn = np.where(np.isfinite(quotients), quotients, np.nan)
        label = f"{side} {_number(quotients[np.argmin(steps)])}"
        panel.plot(steps, drawn, linewidth=1.1, label=label, **_SIDES[side])
    line: dict[str, Any] = {"color": "black", "linewidth": 1.1, "linestyle": (0, (3, 2))}
    known = bool(np.isfinite(autodiff))
    line = line if known else {"linestyle": "none"}
    panel.axhline(autodiff if known else 0.0, label=f"autodiff {_number(autodiff)}", **line)
    panel.set_xlim(1.6 * steps.max(), steps.min() / 1.6)
    panel.xaxis.set_major_locator(LogLocator(numticks=5))
    panel.xaxis.set_minor_locator(NullLocator())
    first = [quotients[np.argmax(steps)] for quotients in sides.values()]
    values = np.concatenate([*sides.values(), [autodiff]])
    _scale_y(panel, np.array([*first, autodiff]), values)


def _scale_y(panel: Axes, first: Array, values: Array) -> None:
    """Sets a linear axis, or a symmetric logarithmic one if the quotients diverge.

    `first` are the quotients of the largest step.
    """
    sizes = np.abs(first[np.isfinite(first) & (first != 0)])
    finite = values[np.isfinite(values)]
    if not len(sizes) or np.abs(finite).max() <= _GROWTH_FACTOR * sizes.max():
        panel.set_ylim(axis_limits([values]))
        few_ticks(panel.yaxis, 4)
        return
    decades = _decades(float(sizes.max()), finite)
    smallest = min(abs(tick) for tick in decades if tick)
    panel.set_yscale("symlog", linthresh=smallest, linscale=0.6)
    named_ticks(panel.yaxis, decades)
    panel.yaxis.set_major_formatter(TICK)
    panel.margins(y=0.08)


def _decades(start: float, finite: Array) -> list[float]:
    """Returns zero and at most four powers of ten, from about `start`, per side with values."""
    last = int(np.ceil(np.log10(np.abs(finite).max())))
    first = max(int(np.floor(np.log10(start))), last - _MAX_DECADES)
    powers = [10.0**power for power in range(first, last + 1, -(-(last - first) // 3))]
    below = [-power for power in powers if finite.min() < 0]
    return [*below, 0.0, *(power for power in powers if finite.max() > 0)]


def _number(value: float) -> str:
    return "NaN" if np.isnan(value) else words.scientific(value + 0.0)

"""Draws an audit over two predictions, contours with gradients, and the limit at one point."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator
from numpy.typing import NDArray

from landscape.report import words
from landscape.report.figures import plane_panels
from landscape.report.figures.audit_curves import axis_limits, drawable
from landscape.report.figures.plane_panels import Heights
from landscape.report.figures.style import TICK, few_ticks
from landscape.report.figures.view import Array, joined
from landscape.storage.audit_records import Audit, AuditRecord, LimitTable

_LEVELS = 12
# Shorter arrows than this share of the longest are omitted: they look like the zero-gradient dots.
_MIN_ARROW_SHARE = 0.15
# Difference quotients that grow by more than this factor get a logarithmic scale.
_GROWTH_FACTOR = 30.0
_MAX_DECADES = 30
_LEFT, _RIGHT, _AUTODIFF = "#0072B2", "#D55E00", "black"


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
    panel.set_xlim(plane.x[0], plane.x[-1])
    panel.set_ylim(plane.y[0], plane.y[-1])
    few_ticks(panel.xaxis)
    few_ticks(panel.yaxis)
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
    panel.quiver(
        x[known],
        y[known],
        across[known] / size[known] * length,
        up[known] / size[known] * length,
        angles="xy",
        scale_units="width",
        scale=1.15 * arrows,
        width=0.009,
        headwidth=4,
        headlength=4,
        headaxislength=3.6,
        minlength=0,
        pivot="mid",
        color="white",
        edgecolor="black",
        linewidth=0.35,
    )


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
    props_of_side: dict[str, dict[str, Any]] = {
        "left": {"color": _LEFT, "marker": "<", "markersize": 6, "markerfacecolor": "white"},
        "right": {"color": _RIGHT, "marker": ">", "markersize": 3.5},
    }
    panel.set_xscale("log")
    for side, quotients in sides.items():
        drawn = np.where(np.isfinite(quotients), quotients, np.nan)
        label = f"{side} {_number(quotients[np.argmin(steps)])}"
        panel.plot(steps, drawn, linewidth=1.1, label=label, **props_of_side[side])
    label = f"autodiff {_number(autodiff)}"
    if np.isfinite(autodiff):
        dashes = (0, (3, 2))
        panel.axhline(autodiff, color=_AUTODIFF, linewidth=1.1, linestyle=dashes, label=label)
    else:
        panel.plot([], [], linestyle="none", label=label)
    panel.set_xlim(1.6 * steps.max(), steps.min() / 1.6)
    panel.xaxis.set_major_locator(LogLocator(numticks=5))
    panel.xaxis.set_minor_locator(NullLocator())
    _scale_y(panel, steps, [*sides.values(), np.array([autodiff])])


def _scale_y(panel: Axes, steps: Array, lines: list[Array]) -> None:
    """Sets a linear axis, or a symmetric logarithmic one if the quotients diverge."""
    widest = int(np.argmax(steps))
    sizes = [abs(line[widest if len(line) > 1 else 0]) for line in lines]
    sizes = [size for size in sizes if np.isfinite(size) and size > 0]
    magnitudes = np.abs(np.concatenate(lines))
    magnitudes = magnitudes[np.isfinite(magnitudes)]
    if sizes and magnitudes.max() > _GROWTH_FACTOR * max(sizes):
        decades = _decades(max(sizes), np.concatenate(lines))
        smallest = min(abs(tick) for tick in decades if tick)
        panel.set_yscale("symlog", linthresh=smallest, linscale=0.6)
        panel.yaxis.set_major_locator(FixedLocator(decades))
        panel.yaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_formatter(TICK)
        panel.margins(y=0.08)
        return
    low, high = axis_limits([np.concatenate(lines)])
    panel.set_ylim(low, high)
    few_ticks(panel.yaxis, 4)


def _decades(start: float, values: Array) -> list[float]:
    """Returns zero and at most four powers of ten, from about `start`, per side with values."""
    finite = values[np.isfinite(values)]
    last = int(np.ceil(np.log10(np.abs(finite).max())))
    first = max(int(np.floor(np.log10(start))), last - _MAX_DECADES)
    powers = [10.0**power for power in range(first, last + 1, -(-(last - first) // 3))]
    below = [-power for power in powers if finite.min() < 0]
    return [*below, 0.0, *(power for power in powers if finite.max() > 0)]


def _number(value: float) -> str:
    return "NaN" if np.isnan(value) else words.scientific(value + 0.0)

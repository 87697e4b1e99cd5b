"""The panels of curves: a column a target, the value above, its gradient below, x shared."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from landscape.report import words
from landscape.report.figures.audit_curves import (
    Curve,
    Interval,
    ends,
    framed,
    gapped,
    held,
    outside,
)
from landscape.report.figures.audit_sheet import Sheet, fit
from landscape.report.figures.style import (
    GREY,
    WIDTH,
    Style,
    columns_for,
    few_ticks,
    plain,
)

LEFT, RIGHT = 0.72, 0.15
# Labels of y axes, that far from the left edge, leave room for numbers of six digits.
LABEL = 0.19
TOP = 0.26
_BETWEEN, _BOTTOM = 0.2, 0.5
_TOGETHER, _APART = 0.34, 0.54
_VALUE, _GRADIENT = 1.45, 1.1
_COLUMNS = 4
# Circles on a panel with more marks than this would hide the line.
_CIRCLES = 24
_SPANS: dict[str, dict[str, Any]] = {
    "saturated": {"facecolor": "#f7e3ae", "edgecolor": "none"},
    "idle": {"facecolor": "#e4eef5", "edgecolor": "none"},
    "dead": {"facecolor": "#f8ddd0", "edgecolor": "#c9561b", "hatch": "////"},
}
_MEANINGS = {
    "saturated": "saturated: under 1 % of the steepest",
    "idle": "at the minimum: gradient 0, harmless",
    "dead": "dead: gradient 0 above the minimum",
}
# A glyph on the axis for each kind of suspect point.
_GLYPHS = {
    "D101": ("v", "jump"),
    "D102": ("D", "kink"),
    "D103": ("o", "curvature jumps"),
    "D104": ("s", "no subgradient"),
}
_OTHER = ("P", "suspect point")


class CurvePanels(NamedTuple):
    """The two panels of a target, the curves in them, and the share that each frame cuts."""

    label: str
    value: Axes
    gradient: Axes
    curves: Mapping[str, Curve]
    cut: tuple[float, float]


class Group(NamedTuple):
    """One target: the curve of each loss that has it."""

    label: str
    x_label: str
    curves: Mapping[str, Curve]


def groups(curves: Mapping[str, Sequence[Curve]]) -> list[Group]:
    """The curves of all losses by target, in the order in which targets appear."""
    found: dict[tuple[str, str], dict[str, Curve]] = {}
    for loss, lines in curves.items():
        for curve in lines:
            found.setdefault((curve.x_label, curve.label), {}).setdefault(loss, curve)
    return [Group(label, x_label, lines) for (x_label, label), lines in found.items()]


def height(count: int) -> float:
    """Inches that the panels of `count` targets take."""
    rows = -(-count // columns_for(count, _COLUMNS)) if count else 0
    return rows * (TOP + _VALUE + _BETWEEN + _GRADIENT + _BOTTOM)


def columns(
    sheet: Sheet,
    top: float,
    shown: Sequence[Group],
    quantity: str,
    *,
    end: float | None = None,
    foot: float = 0.0,
) -> list[CurvePanels]:
    """Empty panels with frames, titles and labels, up to `end` inches from the left.

    The share `foot` of the gradients' height stays free at the bottom.
    """
    if not shown:
        return []
    across = columns_for(len(shown), _COLUMNS)
    lines = {
        what: [[getattr(line, what) for line in one.curves.values()] for one in shown]
        for what in ("value", "gradient")
    }
    limits = {what: framed(rows, zero=what == "gradient") for what, rows in lines.items()}
    limits["gradient"] = [
        (low - (high - low) * foot / (1 - foot), high) for low, high in limits["gradient"]
    ]
    shared = all(len(set(rows)) == 1 for rows in limits.values())
    gap = _TOGETHER if shared else _APART
    width = ((end or WIDTH - RIGHT) - LEFT - (across - 1) * gap) / across
    made = []
    for index, group in enumerate(shown):
        row, column = divmod(index, across)
        start, upper = LEFT + column * (width + gap), top + row * height(1) + TOP
        value = sheet.axes(start, upper, width, _VALUE, label=f"value: {group.label}")
        upper += _VALUE + _BETWEEN
        gradient = sheet.axes(start, upper, width, _GRADIENT, label=f"gradient: {group.label}")
        frames = limits["value"][index], limits["gradient"][index]
        cut = _frame(group, (value, gradient), frames, width)
        gradient.set_xlabel(plain(fit(group.x_label, width)))
        _outer(value, gradient, quantity, column == 0, shared, width)
        made.append(CurvePanels(group.label, value, gradient, group.curves, cut))
    return made


def _frame(
    group: Group, panels: tuple[Axes, Axes], frames: tuple[Interval, Interval], width: float
) -> tuple[float, float]:
    """Limits, ticks and titles; the shares that the frames cut."""
    low = min(float(line.x[0]) for line in group.curves.values())
    high = max(float(line.x[-1]) for line in group.curves.values())
    cuts = []
    for panel, limits, what in zip(panels, frames, ("value", "gradient"), strict=True):
        cuts.append(outside([getattr(line, what) for line in group.curves.values()], limits))
        panel.set_xlim(low, high)
        panel.set_ylim(*limits)
        few_ticks(panel.xaxis, 4 if width > 2 else 3)
        few_ticks(panel.yaxis, 4 if what == "value" else 3)
        if cuts[-1]:
            told = f"{words.percent(cuts[-1])} % cut"
            panel.set_title(told, loc="right", color=GREY, size=8)
    room = width - (0.6 if cuts[0] else 0.0)
    panels[0].set_title(plain(fit(group.label, room, size=8.5)), loc="left")
    panels[1].axhline(0, color=GREY, linewidth=0.6, zorder=1)
    return cuts[0], cuts[1]


def _outer(
    value: Axes, gradient: Axes, quantity: str, first: bool, shared: bool, width: float
) -> None:
    value.tick_params(labelbottom=False)
    for panel, label in ((value, quantity), (gradient, "gradient")):
        if first:
            panel.set_ylabel(label)
            panel.yaxis.set_label_coords((LABEL - LEFT) / width, 0.5)
        elif shared:
            panel.tick_params(labelleft=False)


def draw_line(panel: Axes, curve: Curve, what: str, **look: Any) -> None:
    """The value or the gradient as a line that stops on both sides of its gaps."""
    x, y = gapped(curve.x, getattr(curve, what), curve.cuts(what))
    low, high = panel.get_ylim()
    panel.plot(x, held(y, (low, high)), gid=f"line {what}", **look)


def draw_one(column: CurvePanels, style: Style) -> None:
    """All that is known of one loss at this target: spans, line, ends at the gaps, marks."""
    (curve,) = column.curves.values()
    for panel, what in ((column.value, "value"), (column.gradient, "gradient")):
        for name, look in _SPANS.items():
            for low, high in curve.spans[name]:
                panel.axvspan(low, high, gid=name, linewidth=0, zorder=0.5, **look)
        for mark in curve.marks[:_CIRCLES]:
            panel.axvline(mark.x, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
        draw_line(panel, curve, what, color=style.color, zorder=3)
        _circles(panel, curve, what, style.color)
        _glyphs(panel, curve)
        _not_finite(panel, curve, what)


def _circles(panel: Axes, curve: Curve, what: str, color: str) -> None:
    """Open where a side leads but the function is not, filled where it is."""
    many = len(curve.cuts(what))
    if many > _CIRCLES:
        return
    for end in ends(curve, what):
        look = _circle(color, end.sampled, markersize=4.2 if many <= 8 else 3)
        panel.plot([end.x], [end.y], gid="filled" if end.sampled else "open", **look)


def _circle(color: str, filled: bool, **more: Any) -> dict[str, Any]:
    face = color if filled else "white"
    look = {"markerfacecolor": face, "markeredgecolor": color, "markersize": 4.2, "zorder": 4}
    return {"marker": "o", "linestyle": "none"} | look | more


def _glyph(code: str, **more: Any) -> dict[str, Any]:
    marker, _ = _GLYPHS.get(code, _OTHER)
    look = {"marker": marker, "linestyle": "none", "color": "black", "markeredgewidth": 0}
    return look | {"markersize": 3.8 if marker == "D" else 4.6} | more


def _glyphs(panel: Axes, curve: Curve) -> None:
    """What was found at each suspect point: on the axis below it, a second finding above it."""
    here: dict[float, int] = {}
    for mark in curve.marks:
        here[mark.x] = here.get(mark.x, -1) + 1
        foot = {"transform": panel.get_xaxis_transform(), "clip_on": False, "zorder": 6}
        panel.plot(
            [mark.x], [here[mark.x] % 2], gid=f"mark {mark.code}", **_glyph(mark.code, **foot)
        )


def _not_finite(panel: Axes, curve: Curve, what: str) -> None:
    """A bar along the top wherever the value or the gradient is infinite or NaN."""
    missing = ~np.isfinite(getattr(curve, what))
    panel.plot(
        curve.x,
        np.where(missing, 1.0, np.nan),
        transform=panel.get_xaxis_transform(),
        clip_on=False,
        solid_capstyle="butt",
        linewidth=3,
        gid="not finite",
        color="black",
        marker="|",
        markersize=4,
        markeredgewidth=1,
    )


def keys(shown: Sequence[Curve], color: str) -> list[Line2D | Patch]:
    """What the marks of these curves mean, for a legend."""
    found: list[Line2D | Patch] = [
        Patch(linewidth=0, label=_MEANINGS[name], **look)
        for name, look in reversed(_SPANS.items())
        if any(curve.spans[name] for curve in shown)
    ]
    for code in sorted({mark.code for curve in shown for mark in curve.marks}):
        _, word = _GLYPHS.get(code, _OTHER)
        found.append(Line2D([], [], label=f"{word} ({code})", **_glyph(code)))
    circles = [ends(curve, what) for curve in shown for what in ("value", "gradient")]
    for filled, label in ((False, "limit from one side"), (True, "at the point itself")):
        if any(end.sampled == filled for group in circles for end in group):
            found.append(Line2D([], [], label=label, **_circle(color, filled)))
    if any(not np.isfinite([curve.value, curve.gradient]).all() for curve in shown):
        found.append(Line2D([], [], label="not finite", color="black", linewidth=3))
    return found

"""Draws the panels of curves: one column per target, value above gradient, common x axis."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from landscape.report import words
from landscape.report.escapes import figure_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.audit_curves import (
    Curve,
    Interval,
    clip_line,
    common_frames,
    gap_circles,
    share_outside,
    with_gaps,
)
from landscape.report.figures.fitted_text import fit, label, one_line

# The height of a bar below a gradient, as a share of the panel, and that of all bars at most.
_LANE_HEIGHT, _MAX_LANES = 0.05, 0.5
# Circles on a panel with more marks than this would hide the line.
_MAX_CIRCLES = 24
_SPANS: dict[str, dict[str, Any]] = {
    "saturated": {"facecolor": "#f7e3ae", "edgecolor": "none"},
    "idle": {"facecolor": "#e4eef5", "edgecolor": "none"},
    "dead": {"facecolor": "#f8ddd0", "edgecolor": "#c9561b", "hatch": "////"},
}
_MEANINGS = {
    "saturated": "saturated: below 1 % of the steepest",
    "idle": "at the minimum: gradient 0, harmless",
    "dead": "dead: gradient 0 above the minimum",
}
# The glyph and the name of each kind of suspect point.
_GLYPHS = {
    "D101": ("v", "jump"),
    "D102": ("D", "kink"),
    "D103": ("o", "curvature jumps"),
    "D104": ("s", "no subgradient"),
}
_OTHER_GLYPH = ("P", "suspect point")
_LONGEST_CODE = 12


class CurvePanels(NamedTuple):
    """The two panels of a target, their curves, and the share of points that each frame cuts."""

    label: str
    value: Axes
    gradient: Axes
    curves: Mapping[str, Curve]
    cut: tuple[float, float]


class TargetCurves(NamedTuple):
    """One target: the curve of each loss that has it."""

    label: str
    x_label: str
    curves: Mapping[str, Curve]


def curves_by_target(curves: Mapping[str, Sequence[Curve]]) -> list[TargetCurves]:
    """Groups the curves of all losses by target, in the order in which targets appear."""
    curves_of: dict[tuple[str, str], dict[str, Curve]] = {}
    for loss, lines in curves.items():
        for curve in lines:
            curves_of.setdefault((curve.x_label, curve.label), {}).setdefault(loss, curve)
    return [TargetCurves(label, x_label, lines) for (x_label, label), lines in curves_of.items()]


def curve_panels(
    targets: Sequence[TargetCurves],
    axes: Sequence[tuple[Axes, Axes]],
    quantity: str,
    dead_lanes: int,
) -> list[CurvePanels]:
    """Sets frames, titles and labels of the panels of value and gradient of each target.

    The gradient panels have room for bars of `dead_lanes` losses at the bottom.
    """
    if not targets:
        return []
    foot = min(dead_lanes * _LANE_HEIGHT, _MAX_LANES)
    lines_of = {
        name: [[getattr(line, name) for line in target.curves.values()] for target in targets]
        for name in ("value", "gradient")
    }
    limits = {name: common_frames(rows, zero=name == "gradient") for name, rows in lines_of.items()}
    limits["gradient"] = [
        (low - (high - low) * foot / (1 - foot), high) for low, high in limits["gradient"]
    ]
    shared = all(len(set(rows)) == 1 for rows in limits.values())
    panels = []
    for index, (target, (value, gradient)) in enumerate(zip(targets, axes, strict=True)):
        value.set_label(f"value: {target.label}")
        gradient.set_label(f"gradient: {target.label}")
        frames = limits["value"][index], limits["gradient"][index]
        cut = _frame(target, (value, gradient), frames)
        gradient.set_xlabel(label(target.x_label, panel_layout.room(gradient)))
        _label_outer(value, gradient, quantity, shared)
        panels.append(CurvePanels(target.label, value, gradient, target.curves, cut))
    return panels


def _frame(
    target: TargetCurves, panels: tuple[Axes, Axes], frames: tuple[Interval, Interval]
) -> tuple[float, float]:
    """Sets limits, ticks and titles; returns the shares that the frames cut."""
    low = min(float(line.x[0]) for line in target.curves.values())
    high = max(float(line.x[-1]) for line in target.curves.values())
    cuts = []
    for panel, limits, quantity in zip(panels, frames, ("value", "gradient"), strict=True):
        cuts.append(
            share_outside([getattr(line, quantity) for line in target.curves.values()], limits)
        )
        panel.set_xlim(low, high)
        panel.set_ylim(*limits)
        style.few_ticks(panel.xaxis, 3)
        style.few_ticks(panel.yaxis, 4 if quantity == "value" else 3)
        if cuts[-1]:
            text = f"{words.percent(cuts[-1])} % cut"
            panel.set_title(text, loc="right", color=style.GRAY, size=8)
    room = panel_layout.room(panels[0]) - (0.6 if cuts[0] else 0.0)
    panels[0].set_title(figure_text(fit(target.label, room, size=8.5)), loc="left")
    panels[1].axhline(0, color=style.GRAY, linewidth=0.6, zorder=1)
    return cuts[0], cuts[1]


def _label_outer(value: Axes, gradient: Axes, quantity: str, shared: bool) -> None:
    place = value.get_subplotspec()
    first = place is None or place.is_first_col()
    value.tick_params(labelbottom=False)
    for panel, text in ((value, quantity), (gradient, "gradient")):
        if first:
            panel.set_ylabel(text)
        elif shared:
            panel.tick_params(labelleft=False)


def draw_losses(panels: CurvePanels, style_of: Mapping[str, style.Style]) -> None:
    """Draws all losses that have this target, and bars where their gradients are dead."""
    for panel, quantity in ((panels.value, "value"), (panels.gradient, "gradient")):
        for index, (name, curve) in enumerate(panels.curves.items()):
            stride = max(len(curve.x) // 5, 1)
            first = int(stride * (index + 0.5) / len(panels.curves))
            props = style_of[name].marked(markevery=(first, stride))
            draw_line(panel, curve, quantity, **props)
    dead = [(name, curve.spans["dead"]) for name, curve in panels.curves.items()]
    for lane, (name, spans) in enumerate((name, spans) for name, spans in dead if spans):
        for low, high in spans:
            panels.gradient.axvspan(
                low,
                high,
                lane * _LANE_HEIGHT + 0.005,
                (lane + 1) * _LANE_HEIGHT - 0.005,
                gid=one_line(f"dead {name}"),
                facecolor=style_of[name].color,
                linewidth=0,
            )


def draw_line(panel: Axes, curve: Curve, quantity: str, **props: Any) -> None:
    """Draws the value or the gradient as a line that stops on both sides of its gaps."""
    x, y = with_gaps(curve.x, getattr(curve, quantity), curve.cuts(quantity))
    low, high = panel.get_ylim()
    panel.plot(x, clip_line(y, (low, high)), gid=f"line {quantity}", **props)


def draw_single_loss(panels: CurvePanels, loss_style: style.Style) -> None:
    """Draws a single loss at this target: spans, line, circles at the gaps, marks."""
    (curve,) = panels.curves.values()
    for panel, quantity in ((panels.value, "value"), (panels.gradient, "gradient")):
        for name, props in _SPANS.items():
            for low, high in curve.spans[name]:
                panel.axvspan(low, high, gid=name, linewidth=0, zorder=0.5, **props)
        for mark in curve.marks[:_MAX_CIRCLES]:
            panel.axvline(mark.x, color=style.GRAY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
        draw_line(panel, curve, quantity, color=loss_style.color, zorder=3)
        _draw_circles(panel, curve, quantity, loss_style.color)
        _draw_glyphs(panel, curve)
        _mark_not_finite(panel, curve, quantity)


def _draw_circles(panel: Axes, curve: Curve, quantity: str, color: str) -> None:
    """Draws open circles at one-sided limits and filled ones at the value of the function."""
    count = len(curve.cuts(quantity))
    if count > _MAX_CIRCLES:
        return
    for circle in gap_circles(curve, quantity):
        props = _circle(color, circle.sampled, markersize=4.2 if count <= 8 else 3)
        panel.plot([circle.x], [circle.y], gid="filled" if circle.sampled else "open", **props)


def _circle(color: str, filled: bool, **extra: Any) -> dict[str, Any]:
    face = color if filled else "white"
    props = {"markerfacecolor": face, "markeredgecolor": color, "markersize": 4.2, "zorder": 4}
    return {"marker": "o", "linestyle": "none"} | props | extra


def _glyph(code: str, **extra: Any) -> dict[str, Any]:
    marker, _ = _GLYPHS.get(code, _OTHER_GLYPH)
    props = {"marker": marker, "linestyle": "none", "color": "black", "markeredgewidth": 0}
    return props | {"markersize": 3.8 if marker == "D" else 4.6} | extra


def _draw_glyphs(panel: Axes, curve: Curve) -> None:
    """Marks each suspect point on the lower axis, and a second finding on the upper edge."""
    count_at: Counter[float] = Counter()
    foot = {"transform": panel.get_xaxis_transform(), "clip_on": False, "zorder": 6}
    for mark in curve.marks:
        props = _glyph(mark.code, gid=one_line(f"mark {mark.code}"), **foot)
        panel.plot([mark.x], [count_at[mark.x] % 2], **props)
        count_at[mark.x] += 1


def _mark_not_finite(panel: Axes, curve: Curve, quantity: str) -> None:
    """Draws a bar along the top if the value or the gradient is infinite or NaN."""
    missing = ~np.isfinite(getattr(curve, quantity))
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


def legend(shown: Sequence[Curve], color: str) -> list[Artist]:
    """Returns the legend entries for the marks of these curves."""
    entries: list[Artist] = [
        Patch(linewidth=0, label=_MEANINGS[name], **props)
        for name, props in reversed(_SPANS.items())
        if any(curve.spans[name] for curve in shown)
    ]
    for code in sorted({mark.code for curve in shown for mark in curve.marks}):
        _, word = _GLYPHS.get(code, _OTHER_GLYPH)
        text = figure_text(f"{word} ({style.shorten(code, _LONGEST_CODE)})")
        entries.append(style.legend_line(text, **_glyph(code)))
    circles = [
        circle
        for curve in shown
        for quantity in ("value", "gradient")
        for circle in gap_circles(curve, quantity)
    ]
    for filled, text in ((False, "limit from one side"), (True, "at the point itself")):
        if any(circle.sampled == filled for circle in circles):
            entries.append(style.legend_line(text, **_circle(color, filled)))
    if any(not np.isfinite([curve.value, curve.gradient]).all() for curve in shown):
        entries.append(style.legend_line("not finite", color="black", linewidth=3))
    return entries


def cut_sentence(panels: Sequence[CurvePanels]) -> str:
    """Describes the shares that the frames cut; the data is not cut."""
    shares = [
        f"{words.percent(share)} % of the {quantity} at {column.label}"
        for column in panels
        for share, quantity in zip(column.cut, ("value", "gradient"), strict=True)
        if share
    ]
    return f"The frame cuts {', '.join(shares)}: points far out or infinite." if shares else ""

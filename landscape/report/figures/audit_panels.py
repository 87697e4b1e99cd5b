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
    QUANTITIES,
    Curve,
    Interval,
    clip_line,
    common_frames,
    gap_circles,
    share_outside,
    with_gaps,
)
from landscape.report.figures.fitted_text import fit, label, one_line, shorten
from landscape.report.figures.view import Array

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
_NOT_FINITE: dict[str, Any] = {
    "color": "black",
    "linewidth": 3,
    "solid_capstyle": "butt",
    "marker": "|",
    "markersize": 4,
    "markeredgewidth": 1,
}


class TargetPanels(NamedTuple):
    """A target: the curve of each loss that has it, its panels, and the shares that they cut."""

    label: str
    curves: Mapping[str, Curve]
    panels: Mapping[str, Axes]
    cut: Mapping[str, float]


def by_target(curves: Mapping[str, Sequence[Curve]]) -> list[dict[str, Curve]]:
    """Groups the curves of all losses by target, in the order in which targets appear."""
    targets: dict[tuple[str, str], dict[str, Curve]] = {}
    for loss, lines in curves.items():
        for curve in lines:
            targets.setdefault((curve.x_label, curve.label), {}).setdefault(loss, curve)
    return list(targets.values())


def curve_panels(
    targets: Sequence[Mapping[str, Curve]],
    axes: Sequence[tuple[Axes, Axes]],
    quantity: str,
    *,
    single: bool,
) -> list[TargetPanels]:
    """Sets frames, titles and labels of the panels of value and gradient of each target.

    Unless a `single` loss is drawn, gradient panels have room at the bottom for bars.
    """
    if not targets:
        return []
    lines = {name: [_lines(target, name) for target in targets] for name in QUANTITIES}
    frames = {name: common_frames(rows, zero=name == "gradient") for name, rows in lines.items()}
    lanes = 0 if single else max(len(_dead(target)) for target in targets)
    foot = min(_LANE_HEIGHT * lanes, _MAX_LANES)
    frames["gradient"] = [
        (low - (high - low) * foot / (1 - foot), high) for low, high in frames["gradient"]
    ]
    shared = all(len(set(rows)) == 1 for rows in frames.values())
    titles = {"value": quantity, "gradient": "gradient"}
    drawn = []
    for index, (target, pair) in enumerate(zip(targets, axes, strict=True)):
        panels, first = dict(zip(QUANTITIES, pair, strict=True)), next(iter(target.values()))
        cut = {}
        for name, panel in panels.items():
            cut[name] = share_outside(lines[name][index], frames[name][index])
            _frame(panel, first, name, frames[name][index], cut[name])
            place = panel.get_subplotspec()
            if place is None or place.is_first_col():
                panel.set_ylabel(titles[name])
            elif shared:
                panel.tick_params(labelleft=False)
        value, gradient = pair
        value.set_xlim(min(c.x[0] for c in target.values()), max(c.x[-1] for c in target.values()))
        room = panel_layout.room(value) - (0.6 if cut["value"] else 0.0)
        value.set_title(figure_text(fit(first.label, room, size=8.5)), loc="left")
        value.tick_params(labelbottom=False)
        gradient.set_xlabel(label(first.x_label, panel_layout.room(gradient)))
        gradient.axhline(0, **style.ZERO)
        drawn.append(TargetPanels(first.label, target, panels, cut))
    return drawn


def _lines(target: Mapping[str, Curve], quantity: str) -> list[Array]:
    return [curve.of(quantity) for curve in target.values()]


def _dead(target: Mapping[str, Curve]) -> dict[str, tuple[Interval, ...]]:
    """Returns the dead spans of each loss that has some."""
    return {name: curve.spans["dead"] for name, curve in target.items() if curve.spans["dead"]}


def _frame(panel: Axes, first: Curve, quantity: str, limits: Interval, cut: float) -> None:
    panel.set_label(f"{quantity}: {first.label}")
    panel.set_ylim(*limits)
    style.few_ticks(panel.xaxis, 3)
    style.few_ticks(panel.yaxis, 4 if quantity == "value" else 3)
    if cut:
        text = f"{words.percent(cut)} % cut"
        panel.set_title(text, loc="right", color=style.GRAY, size=8)


def draw_losses(target: TargetPanels, style_of: Mapping[str, style.Style]) -> None:
    """Draws all losses that have this target, and bars where their gradients are dead."""
    for quantity, panel in target.panels.items():
        for index, (name, curve) in enumerate(target.curves.items()):
            stride = max(len(curve.x) // 5, 1)
            first = int(stride * (index + 0.5) / len(target.curves))
            draw_line(panel, curve, quantity, **style_of[name].marked(markevery=(first, stride)))
    for lane, (name, spans) in enumerate(_dead(target.curves).items()):
        ends = lane * _LANE_HEIGHT + 0.005, (lane + 1) * _LANE_HEIGHT - 0.005
        bar: dict[str, Any] = {"facecolor": style_of[name].color, "linewidth": 0}
        for low, high in spans:
            panel = target.panels["gradient"]
            panel.axvspan(low, high, *ends, gid=one_line(f"dead {name}"), **bar)


def draw_line(panel: Axes, curve: Curve, quantity: str, **props: Any) -> None:
    """Draws the value or the gradient as a line that stops on both sides of its gaps."""
    x, y = with_gaps(curve.x, curve.of(quantity), curve.cuts(quantity))
    panel.plot(x, clip_line(y, panel.get_ylim()), gid=f"line {quantity}", **props)


def draw_single_loss(target: TargetPanels, loss_style: style.Style) -> None:
    """Draws a single loss at this target: spans, line, circles at the gaps, marks."""
    (curve,) = target.curves.values()
    for quantity, panel in target.panels.items():
        for name, props in _SPANS.items():
            for low, high in curve.spans[name]:
                panel.axvspan(low, high, gid=name, linewidth=0, zorder=0.5, **props)
        for mark in curve.marks[:_MAX_CIRCLES]:
            panel.axvline(mark.x, **style.ZERO | {"linewidth": 0.7, "linestyle": (0, (1, 2))})
        draw_line(panel, curve, quantity, color=loss_style.color, zorder=3)
        if (count := len(curve.cuts(quantity))) <= _MAX_CIRCLES:
            for circle in gap_circles(curve, quantity):
                props = _circle(loss_style.color, circle.sampled, 4.2 if count <= 8 else 3.0)
                gid = "filled" if circle.sampled else "open"
                panel.plot([circle.x], [circle.y], gid=gid, **props)
        _draw_glyphs(panel, curve)
        _mark_not_finite(panel, curve, quantity)


def _circle(color: str, filled: bool, size: float = 4.2) -> dict[str, Any]:
    """Returns an open circle for a one-sided limit, a filled one for the value at the point."""
    props = {"markerfacecolor": color if filled else "white", "markeredgecolor": color}
    return {"marker": "o", "linestyle": "none", "markersize": size, "zorder": 4} | props


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
    height = np.where(np.isfinite(curve.of(quantity)), np.nan, 1.0)
    top: dict[str, Any] = {
        "transform": panel.get_xaxis_transform(),
        "clip_on": False,
        "gid": "not finite",
    }
    panel.plot(curve.x, height, **_NOT_FINITE, **top)


def legend(shown: Sequence[Curve], color: str) -> list[Artist]:
    """Returns the legend entries for the marks of these curves."""
    entries: list[Artist] = [
        Patch(linewidth=0, label=_MEANINGS[name], **props)
        for name, props in reversed(_SPANS.items())
        if any(curve.spans[name] for curve in shown)
    ]
    for code in sorted({mark.code for curve in shown for mark in curve.marks}):
        _, word = _GLYPHS.get(code, _OTHER_GLYPH)
        text = figure_text(f"{word} ({shorten(code, _LONGEST_CODE)})")
        entries.append(style.legend_line(text, **_glyph(code)))
    circles = [
        circle
        for curve in shown
        for quantity in QUANTITIES
        for circle in gap_circles(curve, quantity)
    ]
    for filled, text in ((False, "limit from one side"), (True, "at the point itself")):
        if any(circle.sampled == filled for circle in circles):
            entries.append(style.legend_line(text, **_circle(color, filled)))
    if any(not np.isfinite([curve.value, curve.gradient]).all() for curve in shown):
        entries.append(style.legend_line("not finite", color="black", linewidth=3))
    return entries


def cut_sentence(targets: Sequence[TargetPanels]) -> str:
    """Describes the shares that the frames cut; the data is not cut."""
    shares = [
        f"{words.percent(share)} % of the {quantity} at {target.label}"
        for target in targets
        for quantity, share in target.cut.items()
        if share
    ]
    return f"The frame cuts {', '.join(shares)}: points far out or infinite." if shares else ""

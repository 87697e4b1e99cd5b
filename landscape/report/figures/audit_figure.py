"""Draws audits: value and gradient against a prediction, over two predictions, and at a limit."""

import itertools
from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from landscape.errors import UserError
from landscape.report import audits as audit_texts
from landscape.report import words
from landscape.report.escapes import figure_text
from landscape.report.figures import audit_panels, panel_layout, plane_panels
from landscape.report.figures.audit_curves import Curve, curves
from landscape.report.figures.audit_planes import (
    GradientField,
    arrows_sentence,
    draw_gradient_field,
    draw_limit,
    gradient_field,
)
from landscape.report.figures.fitted_text import fit, label, one_line
from landscape.report.figures.panel_layout import PanelFigure
from landscape.report.figures.style import Style, legend_line, styles
from landscape.report.figures.view import Picture, joined
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit, LimitTable

_VALUE, _GRADIENT, _PLANE = 1.45, 1.1, 1.75
_MAX_COLUMNS, _MIN_WIDTH = 4, 1.5
_MAX_PICTURES = 3


def shapes(audits: Sequence[AuditRecord]) -> Picture:
    """Draws one audit with all of its marks, or several on common axes.

    Call within `report_style()`. Failed audits are named but not drawn. Raises UserError if there
    are no audits.
    """
    if not audits:
        raise UserError("there is no audit to draw", hint="name at least one loss")
    audit_of = _by_name(audits)
    style_of = styles(list(audit_of))
    single = len(audits) == 1
    targets = audit_panels.by_target({name: curves(audit) for name, audit in audit_of.items()})
    planes = {name: plane for name, a in audit_of.items() if (plane := gradient_field(a))}
    limit = _limit(audits[0]) if single else None
    figure, target_axes, picture_axes = _layout(len(targets), len(planes) + (limit is not None))
    panels = audit_panels.curve_panels(targets, target_axes, _quantity(audits), single=single)
    for target in panels:
        if single:
            audit_panels.draw_single_loss(target, style_of[next(iter(audit_of))])
        else:
            audit_panels.draw_losses(target, style_of)
    for axes, (name, plane) in zip(picture_axes, planes.items(), strict=False):
        _draw_plane(axes, plane, None if single else style_of[name])
    if limit is not None:
        _draw_limit(picture_axes[-1], limit)
    panel_layout.add_legend(figure, _legend(audit_of, style_of, targets))
    names = [one_line(name) for name in audit_of]
    verdicts = [audit_texts.verdict(audit) for audit in audits]
    listed = "; ".join(f"{name}: {word}" for name, word in zip(names, verdicts, strict=True))
    return Picture(
        "audit",
        f"Shape of {names[0]}" if len(names) == 1 else "Shapes of the losses",
        _caption(audit_of, panels, list(planes.values()), limit),
        f"Value and gradient against the prediction. {listed}.",
        figure,
    )


def _by_name(audits: Sequence[AuditRecord]) -> dict[str, AuditRecord]:
    """Returns the audits by loss name; a number is added if a loss was audited twice."""
    audit_of: dict[str, AuditRecord] = {}
    for audit in audits:
        numbered = (f"{audit.loss} ({number})" for number in itertools.count(2))
        names = itertools.chain([audit.loss], numbered)
        audit_of[next(name for name in names if name not in audit_of)] = audit
    return audit_of


def _quantity(audits: Sequence[AuditRecord]) -> str:
    kinds = {audit.kind for audit in audits if isinstance(audit, Audit)}
    return "loss" if kinds <= {"loss"} else "value"


def _limit(audit: AuditRecord) -> LimitTable | None:
    return audit.shapes.limit if isinstance(audit, Audit) and audit.shapes else None


def _layout(targets: int, pictures: int) -> tuple[PanelFigure, list[tuple[Axes, Axes]], list[Axes]]:
    """Returns a figure, the panels of value and gradient of each target, and those of pictures.

    Pictures are beside the targets if all fit into one row, else below them.
    """
    most = panel_layout.columns_for(_MAX_COLUMNS, _MAX_COLUMNS, _MIN_WIDTH)
    if targets and targets + pictures <= most:
        rows = [(targets, pictures)]
    else:
        rows = [(count, 0) for count in _split(targets, most)]
        rows += [(0, count) for count in _split(pictures, most)]
    columns = max((sum(row) for row in rows), default=1)
    plane = min(_PLANE, panel_layout.panel_width(max(columns, min(_MAX_PICTURES, most))) - 0.1)
    heights = [(_VALUE, _GRADIENT) if row[0] else (plane,) for row in rows]
    figure = panel_layout.figure([height for row in heights for height in row])
    grid = figure.add_gridspec(max(len(rows), 1), 1, height_ratios=[*map(sum, heights)] or [1])
    target_axes: list[tuple[Axes, Axes]] = []
    picture_axes: list[Axes] = []
    for index, (row, ratios) in enumerate(zip(rows, heights, strict=True)):
        count = max(sum(row), columns if row[0] else min(_MAX_PICTURES, most))
        cells = grid[index].subgridspec(len(ratios), count, height_ratios=ratios)
        for column in range(row[0]):
            value = figure.add_subplot(cells[0, column])
            target_axes.append((value, figure.add_subplot(cells[1, column], sharex=value)))
        picture_axes += [figure.add_subplot(cells[:, column]) for column in range(row[0], sum(row))]
        if row[0] and row[1]:
            for panel in picture_axes:
                panel.set_box_aspect(1)
        first = target_axes[-row[0]] if row[0] else (picture_axes[-row[1]],)
        figure.rows = [*figure.rows, *first]
    return figure, target_axes, picture_axes


def _split(count: int, most: int) -> list[int]:
    """Splits a number of panels into rows that are evenly filled."""
    columns = panel_layout.columns_for(count, most) if count else 1
    return [min(columns, count - start) for start in range(0, count, columns)]


def _draw_plane(panel: Axes, plane: GradientField, loss_style: Style | None) -> None:
    """Draws the contours; the title names the loss in its color, or the target without a style."""
    panel.set_label("plane" if loss_style is None else f"plane: {loss_style.name}")
    filled, height = draw_gradient_field(panel, plane, 10)
    scale = ", logarithmic" if height.logarithmic else ""
    scale = f", {words.percent(height.share)} % cut" if height.share else scale
    room = panel_layout.room(panel)
    title = plane.label if loss_style is None else loss_style.name
    color = "black" if loss_style is None else loss_style.color
    panel.set_title(figure_text(fit(title, room, size=8.5) + scale), loc="left", color=color)
    panel.set_xlabel(label(plane.x_label, room))
    panel.set_ylabel(label(plane.y_label, room))
    if filled is not None and loss_style is None:
        plane_panels.height_scale(panel, filled, height, shrink=0.7)


def _draw_limit(panel: Axes, limit: LimitTable) -> None:
    panel.set_label("limit")
    draw_limit(panel, limit)
    panel.set_title(label(limit.label, panel_layout.room(panel)), loc="left")
    panel.set_xlabel("shrinking step")
    panel.set_ylabel("difference quotient")
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4, handlelength=1.6)


def _legend(
    audit_of: Mapping[str, AuditRecord],
    style_of: Mapping[str, Style],
    targets: Sequence[Mapping[str, Curve]],
) -> list[Artist]:
    """Returns an entry per loss with its verdict; of a single loss, also those of its marks."""
    single = len(audit_of) == 1
    entries: list[Artist] = []
    for name, audit in audit_of.items():
        loss_style = style_of[name]
        line = loss_style.line() if single else loss_style.marked()
        if isinstance(audit, FailedAudit):
            line = {"linestyle": "none"}
        text = f"{audit_texts.short_name(name)}: {audit_texts.verdict(audit)}"
        entries.append(legend_line(figure_text(fit(text, 2.6)), **line))
    if single:
        shown = [curve for target in targets for curve in target.values()]
        entries += audit_panels.legend(shown, next(iter(style_of.values())).color)
    return entries


def _caption(
    audit_of: Mapping[str, AuditRecord],
    panels: Sequence[audit_panels.TargetPanels],
    planes: Sequence[GradientField],
    limit: LimitTable | None,
) -> str:
    several = len(audit_of) > 1
    spans = {
        name
        for target in panels
        for curve in target.curves.values()
        for name, intervals in curve.spans.items()
        if intervals
    }
    labels = ", ".join(dict.fromkeys(plane.label for plane in planes))
    failed = [one_line(name) for name, audit in audit_of.items() if isinstance(audit, FailedAudit)]
    return joined(
        bool(panels)
        and "Value and gradient against one prediction, one column per target, "
        + ("all losses on the same axes, each in its own units." if several else _SINGLE),
        several and bool(panels) and "Lines are broken at jumps, gradients also at kinks.",
        *(sentence for name, sentence in _SPANS.items() if name in spans and not several),
        several and "dead" in spans and _DEAD_BARS,
        audit_panels.cut_sentence(panels),
        bool(planes)
        and f"Contours: the value over two predictions ({labels}), lighter is higher. "
        f"{arrows_sentence(planes)}",
        limit is not None
        and "Limit: difference quotients from both sides as the step shrinks, and the gradient "
        "that automatic differentiation returns at the point.",
        *(audit_texts.caption(one_line(name), audit) for name, audit in audit_of.items()),
        bool(failed) and f"Not audited and not drawn: {', '.join(failed)}.",
    )


_SINGLE = (
    "in the loss's own units. Marks on the axes are suspect points; the line is broken at those "
    "without a two-sided limit."
)
_DEAD_BARS = (
    "Bars at the bottom of a gradient panel: the gradient of that loss is exactly zero although "
    "the loss is above its minimum."
)
_SPANS = {
    "dead": "Hatched: the gradient is exactly zero although the loss is above its minimum.",
    "idle": "Pale blue: the gradient is zero at the minimum, which is harmless.",
    "saturated": "Yellow: the gradient is below 1 % of its maximum although the prediction is "
    "wrong, so training is slow there.",
}

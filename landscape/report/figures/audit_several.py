"""Draws several audits: all losses on the same axes, and a table of their verdicts."""

from collections.abc import Mapping, Sequence

from landscape.report.escapes import figure_text
from landscape.report.figures import audit_panels, audit_text
from landscape.report.figures.audit_curves import curves
from landscape.report.figures.audit_planes import (
    GradientField,
    arrows_sentence,
    draw_gradient_field,
    gradient_field,
)
from landscape.report.figures.audit_sheet import Sheet, fit, inches, one_line, wrap
from landscape.report.figures.style import GRAY, WIDTH, Style, columns_for, styles
from landscape.report.figures.view import Picture, joined
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit

_MARGIN = 0.12
# Left edges of the columns of the table, in inches from the margin.
_LOSS, _VERDICT = 0.45, 2.28
_PROPERTIES = {
    "smoothness": ("smoothness", 3.22),
    "convex": ("convex", 4.1),
    "lipschitz": ("Lipschitz", 4.72),
    "dead_fraction": ("dead", 5.37),
}
_FINDINGS = 5.8
_END = WIDTH - 2 * _MARGIN
# The height of a bar below a gradient, as a share of the panel.
_LANE_HEIGHT = 0.05
_MAX_PLANE_SIDE, _PLANE_GAP = 1.85, 0.42
_TITLE_HEIGHT, _LABEL_HEIGHT = 0.28, 0.42


def draw(audits: Sequence[AuditRecord]) -> Picture:
    """Draws the page of several audits."""
    audit_of = _by_name(audits)
    style_of = styles(list(audit_of))
    targets = audit_panels.curves_by_target({name: curves(a) for name, a in audit_of.items()})
    planes = {name: plane for name, a in audit_of.items() if (plane := gradient_field(a))}
    lanes = _dead_lanes(targets)
    curves_height = audit_panels.height(len(targets))
    table_top = curves_height + _planes_height(len(planes)) + 0.05
    sheet = Sheet(table_top + audit_text.ROW_HEIGHT * (len(audits) + 1 + bool(lanes)) + 0.12)
    kinds = {audit.kind for audit in audits if isinstance(audit, Audit)}
    quantity = "loss" if kinds <= {"loss"} else "value"
    panels = audit_panels.curve_panels(
        sheet, 0.0, targets, quantity, foot=min(lanes * _LANE_HEIGHT, 0.5)
    )
    for target_panels in panels:
        _draw_lines(target_panels, style_of)
    _draw_planes(sheet, planes, style_of, curves_height)
    _draw_table(sheet, audit_of, style_of, table_top)
    if lanes:
        text = "Bars below a gradient: dead, gradient 0 although the loss is above its minimum."
        sheet.text(_MARGIN, sheet.height - 0.1, text, color=GRAY)
    verdicts = "; ".join(
        f"{one_line(name)}: {audit_text.verdict(audit)}" for name, audit in audit_of.items()
    )
    return Picture(
        "audit",
        "Shapes of the losses",
        _caption(audit_of, panels, list(planes.values()), dead=lanes > 0),
        f"Losses and their gradients on the same axes. {verdicts}.",
        sheet.figure,
    )


def _caption(
    audit_of: Mapping[str, AuditRecord],
    panels: Sequence[audit_panels.CurvePanels],
    planes: Sequence[GradientField],
    *,
    dead: bool,
) -> str:
    labels = ", ".join(dict.fromkeys(plane.label for plane in planes))
    failed = [one_line(name) for name, audit in audit_of.items() if isinstance(audit, FailedAudit)]
    return joined(
        bool(panels)
        and "Value and gradient against one prediction, one column per target, all losses on the "
        "same axes, each in its own units. Lines are broken at jumps, gradients also at kinks.",
        dead
        and "Bars at the bottom of a gradient panel: the gradient of that loss is exactly zero "
        "although the loss is above its minimum.",
        audit_panels.cut_sentence(panels),
        bool(planes)
        and f"Contours: each loss over two predictions ({labels}), each on its own scale, lighter "
        f"is higher. {arrows_sentence(planes)}",
        bool(failed) and f"Not audited and not drawn: {', '.join(failed)}.",
    )


def _draw_lines(panels: audit_panels.CurvePanels, style_of: Mapping[str, Style]) -> None:
    dead = {name: curve for name, curve in panels.curves.items() if curve.spans["dead"]}
    for panel, quantity in ((panels.value, "value"), (panels.gradient, "gradient")):
        for index, (name, curve) in enumerate(panels.curves.items()):
            stride = max(len(curve.x) // 5, 1)
            first = int(stride * (index + 0.5) / len(panels.curves))
            props = style_of[name].marked(markevery=(first, stride))
            audit_panels.draw_line(panel, curve, quantity, **props)
    for lane, (name, curve) in enumerate(dead.items()):
        for low, high in curve.spans["dead"]:
            panels.gradient.axvspan(
                low,
                high,
                lane * _LANE_HEIGHT + 0.005,
                (lane + 1) * _LANE_HEIGHT - 0.005,
                gid=one_line(f"dead {name}"),
                facecolor=style_of[name].color,
                linewidth=0,
            )


def _dead_lanes(targets: Sequence[audit_panels.TargetCurves]) -> int:
    """Returns the largest number of losses with dead spans at one target."""
    dead = [[bool(curve.spans["dead"]) for curve in target.curves.values()] for target in targets]
    return max(map(sum, dead), default=0)


def _plane_layout(count: int) -> tuple[int, float]:
    """Returns the number of planes per row, and the side of each in inches."""
    columns = columns_for(count, 4)
    free_width = WIDTH - audit_panels.LEFT - audit_panels.RIGHT - _PLANE_GAP * (columns - 1)
    return columns, min(free_width / columns, _MAX_PLANE_SIDE)


def _planes_height(count: int) -> float:
    if not count:
        return 0.0
    columns, side = _plane_layout(count)
    return -(-count // columns) * (_TITLE_HEIGHT + side + _LABEL_HEIGHT) + 0.2


def _draw_planes(
    sheet: Sheet, planes: Mapping[str, GradientField], style_of: Mapping[str, Style], top: float
) -> None:
    """Draws small contours, one panel per loss, with labels on the outer axes."""
    if not planes:
        return
    columns, side = _plane_layout(len(planes))
    for index, (name, plane) in enumerate(planes.items()):
        row, column = divmod(index, columns)
        left = audit_panels.LEFT + column * (side + _PLANE_GAP)
        upper = top + row * (_TITLE_HEIGHT + side + _LABEL_HEIGHT) + _TITLE_HEIGHT
        panel = sheet.axes(left, upper, side, side, label=f"plane: {name}")
        draw_gradient_field(panel, plane, 9)
        title = figure_text(audit_text.loss_name(name, side, size=8.5))
        panel.set_title(title, loc="left", color=style_of[name].color)
        if index + columns >= len(planes):
            panel.set_xlabel("\n".join(map(figure_text, wrap(plane.x_label, side, 2))))
        if column == 0:
            panel.set_ylabel(figure_text(fit(plane.y_label, side)))
            panel.yaxis.set_label_coords((audit_panels.LABEL - audit_panels.LEFT) / side, 0.5)


def _draw_table(
    sheet: Sheet, audits: Mapping[str, AuditRecord], style_of: Mapping[str, Style], top: float
) -> None:
    heads = [
        ("loss", _LOSS),
        ("verdict", _VERDICT),
        *_PROPERTIES.values(),
        ("findings", _FINDINGS),
    ]
    for title, left in heads:
        sheet.text(_MARGIN + left, top + 0.12, title, color=GRAY)
    for row, (name, audit) in enumerate(audits.items()):
        line = top + 0.12 + audit_text.ROW_HEIGHT * (row + 1)
        sheet.stroke(_MARGIN, _MARGIN + _END, line - 0.135, color="#e3e3e3", linewidth=0.6)
        sheet.text(
            _MARGIN + _LOSS,
            line,
            audit_text.loss_name(name, _VERDICT - _LOSS - 0.08),
        )
        audit_text.draw_verdict(sheet, _MARGIN + _VERDICT, line, audit_text.verdict(audit))
        if isinstance(audit, FailedAudit):
            left = _PROPERTIES["smoothness"][1]
            sheet.text(_MARGIN + left, line, fit(audit.error, _END - left), color=GRAY)
        else:
            _draw_key(sheet, style_of[name], line - 0.04)
            _draw_cells(sheet, audit, line)


def _draw_key(sheet: Sheet, style: Style, line: float) -> None:
    """Draws the line style of the loss: the table serves as the legend."""
    sheet.stroke(_MARGIN, _MARGIN + 0.36, line, **style.line(linewidth=1.5))
    sheet.mark(_MARGIN + 0.18, line, style.marker, style.color, 4.5)


def _draw_cells(sheet: Sheet, audit: Audit, line: float) -> None:
    _, *ends = [*(left for _, left in _PROPERTIES.values()), _FINDINGS]
    for (name, (_, left)), end in zip(_PROPERTIES.items(), ends, strict=True):
        sheet.text(
            _MARGIN + left, line, fit(audit_text.property_value(audit, name), end - left - 0.05)
        )
    sheet.text(_MARGIN + _FINDINGS, line, _codes(audit))


def _codes(audit: Audit) -> str:
    """Returns the codes of the findings, most severe first, as many as fit."""
    findings = audit_text.most_severe_first(audit)
    codes = list(dict.fromkeys(one_line(finding.code) for finding in findings))
    for count in range(len(codes), 0, -1):
        suffix = f" +{len(codes) - count}" if count < len(codes) else ""
        text = " ".join(codes[:count]) + suffix
        if inches(text) <= _END - _FINDINGS:
            return text
    return "none" if not codes else fit(codes[0], _END - _FINDINGS)


def _by_name(audits: Sequence[AuditRecord]) -> dict[str, AuditRecord]:
    """Returns the audits by loss name; a number is added if a loss was audited twice."""
    audit_of: dict[str, AuditRecord] = {}
    for audit in audits:
        name = audit.loss
        number = 2
        while name in audit_of:
            name = f"{audit.loss} ({number})"
            number += 1
        audit_of[name] = audit
    return audit_of

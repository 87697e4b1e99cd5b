"""Draws one audit on a page: curves per target, contours, limit, properties, findings."""

from matplotlib.ticker import MaxNLocator

from landscape.report import words
from landscape.report.escapes import figure_text
from landscape.report.figures import audit_panels, audit_text
from landscape.report.figures.audit_curves import Curve, curves
from landscape.report.figures.audit_panels import LABEL, LEFT, RIGHT, CurvePanels
from landscape.report.figures.audit_planes import (
    GradientField,
    arrows_sentence,
    draw_gradient_field,
    draw_limit,
    gradient_field,
)
from landscape.report.figures.audit_sheet import Sheet, fit, inches, one_line
from landscape.report.figures.style import WIDTH, color_scale, columns_for, styles
from landscape.report.figures.view import Picture, joined
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit, LimitTable

_MARGIN = 0.12
_HEADING = 0.5
# Sides of the pictures in a separate row, and of the one beside the curves of a single target.
_SIDE, _LARGE = 1.7, 2.2
_TITLE_HEIGHT, _LABEL_HEIGHT = 0.28, 0.72
_BESIDE_LEFT = 4.2
_LIMIT_WIDTH = 2.65
_SCALE_WIDTH = 0.55
_LEGEND_COLUMNS = 3


def draw(audit: AuditRecord) -> Picture:
    """Draws the page of one audit; of a failed one, its loss and the error."""
    lines, pictures = curves(audit), _pictures(audit)
    pictures_below = pictures[1:] if len(lines) == 1 else pictures
    beside = pictures[: len(pictures) - len(pictures_below)]
    style = styles([audit.loss])[audit.loss]
    handles = audit_panels.legend(lines, style.color)
    entries = audit_text.finding_texts(audit, WIDTH - 2 * _MARGIN)
    curves_end = _HEADING + audit_panels.height(len(lines))
    band_top = curves_end + 0.2 * -(-len(handles) // _LEGEND_COLUMNS) + 0.08
    findings_top = band_top + _band_height(audit, pictures_below) + 0.08
    sheet = Sheet(findings_top + sum(entry.height for entry in entries) + 0.1)
    audit_text.heading(sheet, audit, _MARGIN, WIDTH - _MARGIN)
    quantity = "loss" if isinstance(audit, FailedAudit) or audit.kind == "loss" else "value"
    targets = audit_panels.curves_by_target({audit.loss: lines})
    end = _BESIDE_LEFT - 0.8 if beside else WIDTH - RIGHT
    panels = audit_panels.curve_panels(sheet, _HEADING, targets, quantity, end=end)
    for target_panels in panels:
        audit_panels.draw_single_loss(target_panels, style)
    for picture in beside:
        _draw_picture(sheet, picture, (_BESIDE_LEFT, _HEADING + audit_panels.TOP), _LARGE)
    if handles:
        sheet.figure.legend(
            handles=handles,
            loc="upper center",
            ncols=columns_for(len(handles), _LEGEND_COLUMNS),
            bbox_to_anchor=(0.5, 1 - (curves_end - 0.04) / sheet.height),
            handlelength=1.8,
            columnspacing=1.6,
            labelspacing=0.35,
            borderaxespad=0,
        )
    _draw_band(sheet, audit, pictures_below, band_top)
    audit_text.draw_findings(sheet, entries, _MARGIN, findings_top)
    name = one_line(audit.loss)
    alternative = f"{name}, value and gradient against the prediction: {audit_text.verdict(audit)}."
    caption = _caption(audit, lines, panels)
    return Picture("audit", f"Shape of {name}", caption, alternative, sheet.figure)


def _caption(audit: AuditRecord, lines: list[Curve], panels: list[CurvePanels]) -> str:
    if isinstance(audit, FailedAudit):
        return "The function could not be audited."
    drawn_spans = {name for curve in lines for name, spans in curve.spans.items() if spans}
    plane, limit = gradient_field(audit), audit.shapes and audit.shapes.limit
    return joined(
        bool(panels)
        and "Value and gradient against one prediction, one column per target, in the loss's own "
        "units. Marks on the axes are suspect points; the line is broken at those without a "
        "two-sided limit.",
        "dead" in drawn_spans
        and "Hatched: the gradient is exactly zero although the loss is above its minimum.",
        "idle" in drawn_spans
        and "Pale blue: the gradient is zero at the minimum, which is harmless.",
        "saturated" in drawn_spans
        and "Yellow: the gradient is below 1 % of its maximum although the prediction is wrong, so "
        "training is slow there.",
        audit_panels.cut_sentence(panels),
        plane is not None
        and f"Contours: the value over two predictions. {arrows_sentence([plane])}",
        limit is not None
        and "Limit: difference quotients from both sides as the step shrinks, and the gradient "
        "that automatic differentiation returns at the point.",
    )


def _pictures(audit: AuditRecord) -> list[GradientField | LimitTable]:
    """Returns what is drawn beside or below the curves."""
    limit = audit.shapes.limit if isinstance(audit, Audit) and audit.shapes else None
    return [picture for picture in (gradient_field(audit), limit) if picture is not None]


def _band_height(audit: AuditRecord, pictures: list[GradientField | LimitTable]) -> float:
    """Returns the height of the pictures and properties; these are beside a single picture."""
    row = (_TITLE_HEIGHT + _SIDE + _LABEL_HEIGHT) * bool(pictures)
    rows = -(-len(audit_text.properties(audit)) // 3)
    return row + (0.0 if len(pictures) == 1 else audit_text.ROW_HEIGHT * rows)


def _draw_band(
    sheet: Sheet, audit: AuditRecord, pictures: list[GradientField | LimitTable], top: float
) -> None:
    left, end = LEFT, WIDTH - _MARGIN
    for picture in pictures:
        left += _draw_picture(sheet, picture, (left, top + _TITLE_HEIGHT), _SIDE)
    if len(pictures) == 1:
        start = max(left + 0.3, end - 3.2)
        audit_text.draw_properties(sheet, audit, start, top + _TITLE_HEIGHT - 0.05, end - start, 1)
    else:
        below = top + (_TITLE_HEIGHT + _SIDE + _LABEL_HEIGHT) * bool(pictures)
        audit_text.draw_properties(sheet, audit, _MARGIN, below, end - _MARGIN, 3)


def _draw_picture(
    sheet: Sheet, picture: GradientField | LimitTable, corner: tuple[float, float], side: float
) -> float:
    """Draws contours or the limit; returns the width used, with space for the next axis."""
    if isinstance(picture, GradientField):
        _draw_plane(sheet, picture, corner, side)
        return side + _SCALE_WIDTH + 0.75
    _draw_limit(sheet, picture, corner, side)
    return _LIMIT_WIDTH


def _draw_limit(
    sheet: Sheet, limit: LimitTable, corner: tuple[float, float], height: float
) -> None:
    panel = sheet.axes(*corner, _LIMIT_WIDTH, height, label="limit")
    draw_limit(panel, limit)
    panel.set_title(figure_text(fit(limit.label, _LIMIT_WIDTH, size=8.5)), loc="left")
    panel.set_xlabel("shrinking step")
    panel.set_ylabel("difference quotient")
    panel.yaxis.set_label_coords((LABEL - LEFT) / _LIMIT_WIDTH, 0.5)
    panel.legend(
        loc="upper center",
        ncols=3,
        bbox_to_anchor=(0.5, -0.42 / height),
        handlelength=1.6,
        handletextpad=0.5,
        columnspacing=1.1,
        borderaxespad=0,
    )


def _draw_plane(
    sheet: Sheet, plane: GradientField, corner: tuple[float, float], side: float
) -> None:
    panel = sheet.axes(*corner, side, side, label="plane")
    filled, height = draw_gradient_field(panel, plane, 10)
    scale = ", logarithmic" if height.logarithmic else ""
    scale = f", {words.percent(height.share)} % cut" if height.share else scale
    title_width = side + _SCALE_WIDTH - inches(scale, size=8.5)
    panel.set_title(figure_text(fit(plane.label, title_width, size=8.5) + scale), loc="left")
    panel.set_xlabel(figure_text(fit(plane.x_label, side)))
    panel.set_ylabel(figure_text(fit(plane.y_label, side)))
    panel.yaxis.set_label_coords(-0.46 / side, 0.5)
    if filled is not None:
        axes = sheet.axes(corner[0] + side + 0.08, corner[1], 0.09, side, label="scale")
        ticks = MaxNLocator(4, integer=height.logarithmic)
        color_scale(axes, filled, ticks=ticks, format=height.ticks)

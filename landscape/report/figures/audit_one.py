"""Draws one audit on a page: curves per target, contours, limit, properties, findings."""

from matplotlib.ticker import MaxNLocator

from landscape.report import words
from landscape.report.figures import audit_panels
from landscape.report.figures.audit_curves import Curve, curves
from landscape.report.figures.audit_panels import LABEL, LEFT, CurvePanels
from landscape.report.figures.audit_planes import (
    GradientField,
    draw_gradient_field,
    draw_limit,
    gradient_field,
    limit_title,
)
from landscape.report.figures.audit_sheet import Sheet, fit, inches
from landscape.report.figures.audit_text import (
    ROW,
    draw_findings,
    draw_properties,
    finding_texts,
    heading,
    properties,
)
from landscape.report.figures.style import WIDTH, Style, columns_for, plain, styles
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit, LimitTable

_MARGIN = 0.12
_HEADING = 0.5
# Sides of the pictures in a separate row, and of the one beside the curves of a single target.
_SIDE, _LARGE = 1.7, 2.2
_ABOVE, _BELOW = 0.28, 0.72
_BESIDE = 4.2
_LIMIT = 2.65
_SCALE = 0.55
_KEYS = 3


def draw(audit: AuditRecord) -> tuple[Sheet, list[CurvePanels]]:
    """Draws the page; returns it with the panels of curves."""
    lines = curves(audit) if isinstance(audit, Audit) else []
    style = styles([audit.loss])[audit.loss]
    keys = audit_panels.keys(lines, style.color)
    pictures = _pictures(audit) if isinstance(audit, Audit) else []
    picture_beside = pictures.pop(0) if len(lines) == 1 and pictures else None
    entries = finding_texts(audit, WIDTH - 2 * _MARGIN)
    curves_end = _HEADING + audit_panels.height(len(lines))
    band_top = curves_end + 0.2 * -(-len(keys) // _KEYS) + 0.08
    findings_top = band_top + _band_height(audit, pictures) + 0.08
    sheet = Sheet(findings_top + sum(entry.height for entry in entries) + 0.1)
    heading(sheet, audit, _MARGIN, WIDTH - _MARGIN)
    curve_panels = _draw_curves(
        sheet, audit, lines, style, _BESIDE - 0.8 if picture_beside else None
    )
    if picture_beside and isinstance(audit, Audit):
        _draw_picture(sheet, audit, picture_beside, (_BESIDE, _HEADING + audit_panels.TOP), _LARGE)
    if keys:
        sheet.figure.legend(
            handles=keys,
            loc="upper center",
            ncols=columns_for(len(keys), _KEYS),
            bbox_to_anchor=(0.5, 1 - (curves_end - 0.04) / sheet.height),
            handlelength=1.8,
            columnspacing=1.6,
            labelspacing=0.35,
            borderaxespad=0,
        )
    if isinstance(audit, Audit):
        _draw_band(sheet, audit, pictures, band_top)
    draw_findings(sheet, entries, _MARGIN, findings_top)
    return sheet, curve_panels


def _draw_curves(
    sheet: Sheet, audit: AuditRecord, lines: list[Curve], style: Style, end: float | None
) -> list[CurvePanels]:
    quantity = "loss" if isinstance(audit, FailedAudit) or audit.kind == "loss" else "value"
    shown = audit_panels.curves_by_target({style.name: lines})
    curve_panels = audit_panels.curve_panels(sheet, _HEADING, shown, quantity, end=end)
    for panels in curve_panels:
        audit_panels.draw_single_loss(panels, style)
    return curve_panels


def _pictures(audit: Audit) -> list[str]:
    """Returns the pictures besides the curves: `plane` and `limit`, if the audit has them."""
    limit = None if audit.shapes is None else audit.shapes.limit
    present = {"plane": gradient_field(audit) is not None, "limit": limit is not None}
    return [name for name, is_present in present.items() if is_present]


def _band_height(audit: AuditRecord, pictures: list[str]) -> float:
    """Returns the height of the pictures and properties; these are beside a single picture."""
    row = (_ABOVE + _SIDE + _BELOW) * bool(pictures)
    return row + (0.0 if len(pictures) == 1 else ROW * -(-len(properties(audit)) // 3))


def _draw_band(sheet: Sheet, audit: Audit, pictures: list[str], top: float) -> None:
    left, end = LEFT, WIDTH - _MARGIN
    for name in pictures:
        left += _draw_picture(sheet, audit, name, (left, top + _ABOVE), _SIDE)
    if len(pictures) == 1:
        start = max(left + 0.3, end - 3.2)
        draw_properties(sheet, audit, start, top + _ABOVE - 0.05, end - start, 1)
    else:
        below = top + (_ABOVE + _SIDE + _BELOW) * bool(pictures)
        draw_properties(sheet, audit, _MARGIN, below, end - _MARGIN, 3)


def _draw_picture(
    sheet: Sheet, audit: Audit, name: str, corner: tuple[float, float], side: float
) -> float:
    """Draws contours or the limit; returns the width used, with space for the next axis."""
    plane = gradient_field(audit)
    if name == "plane" and plane is not None:
        _draw_plane(sheet, plane, corner, side)
        return side + _SCALE + 0.75
    assert audit.shapes is not None and audit.shapes.limit is not None
    _draw_limit(sheet, audit.shapes.limit, corner, (_LIMIT, side))
    return _LIMIT


def _draw_limit(
    sheet: Sheet,
    limit: LimitTable,
    corner: tuple[float, float],
    size: tuple[float, float],
) -> None:
    width, height = size
    panel = sheet.axes(*corner, width, height, label="limit")
    draw_limit(panel, limit)
    panel.set_title(plain(fit(limit_title(limit), width, size=8.5)), loc="left")
    panel.set_xlabel("shrinking step")
    panel.set_ylabel("difference quotient")
    panel.yaxis.set_label_coords((LABEL - LEFT) / width, 0.5)
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
    title_width = side + _SCALE - inches(scale, size=8.5)
    panel.set_title(plain(fit(plane.label, title_width, size=8.5) + scale), loc="left")
    panel.set_xlabel(plain(fit(plane.x_label, side)))
    panel.set_ylabel(plain(fit(plane.y_label, side)))
    panel.yaxis.set_label_coords(-0.46 / side, 0.5)
    if filled is not None:
        axes = sheet.axes(corner[0] + side + 0.08, corner[1], 0.09, side, label="scale")
        axes.grid(visible=False)
        bar = sheet.figure.colorbar(filled, cax=axes)
        bar.set_ticks(MaxNLocator(4, integer=height.logarithmic))
        bar.formatter = height.ticks
        bar.update_ticks()
        axes.tick_params(width=0.5, length=2, pad=2)
        bar.outline.set_linewidth(0.5)

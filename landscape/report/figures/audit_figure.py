"""Draws the shapes of audited losses from their audits."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from landscape.errors import UserError
from landscape.report import words
from landscape.report.figures import audit_one, audit_several
from landscape.report.figures.audit_curves import curves
from landscape.report.figures.audit_panels import CurvePanels
from landscape.report.figures.audit_planes import GradientField, gradient_field, zero_gradient
from landscape.report.figures.audit_sheet import one_line
from landscape.report.figures.audit_text import verdict
from landscape.report.figures.view import Picture
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit


def shapes(audits: Sequence[AuditRecord]) -> Picture:
    """Draws one audit on a page, or several on common axes; call within `report_style()`.

    Failed audits are listed and not drawn. Raises UserError if there is no audit.
    """
    if not audits:
        raise UserError("there is no audit to draw", hint="name at least one loss")
    if len(audits) == 1:
        return _single_audit(audits[0])
    audit_of = audit_several.by_name(audits)
    sheet, curve_panels = audit_several.draw(audit_of)
    verdicts = "; ".join(f"{one_line(name)}: {verdict(audit)}" for name, audit in audit_of.items())
    return Picture(
        "audit",
        "Shapes of the losses",
        _joined(_caption_of_several(audit_of, curve_panels)),
        f"Losses and their gradients on the same axes. {verdicts}.",
        sheet.figure,
    )


def _single_audit(audit: AuditRecord) -> Picture:
    sheet, curve_panels = audit_one.draw(audit)
    name = one_line(audit.loss)
    return Picture(
        "audit",
        f"Shape of {name}",
        _joined(_caption(audit, curve_panels)),
        f"{name}, value and gradient against the prediction: {verdict(audit)}.",
        sheet.figure,
    )


def _joined(sentences: Iterable[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _caption(audit: AuditRecord, curve_panels: Sequence[CurvePanels]) -> Iterable[str]:
    if isinstance(audit, FailedAudit):
        yield "The function could not be audited."
        return
    lines = curves(audit)
    if curve_panels:
        yield (
            "Value and gradient against one prediction, one column per target, in the loss's own "
            "units. Marks on the axes are suspect points; the line is broken at those without a "
            "two-sided limit."
        )
    if any(curve.spans["dead"] for curve in lines):
        yield "Hatched: the gradient is exactly zero although the loss is above its minimum."
    if any(curve.spans["idle"] for curve in lines):
        yield "Pale blue: the gradient is zero at the minimum, which is harmless."
    if any(curve.spans["saturated"] for curve in lines):
        yield (
            "Yellow: the gradient is below 1 % of its maximum although the prediction is wrong, so "
            "training is slow there."
        )
    yield _cut(curve_panels)
    if (plane := gradient_field(audit)) is not None:
        yield f"Contours: the value over two predictions. {_arrows([plane])}"
    if audit.shapes is not None and audit.shapes.limit is not None:
        yield (
            "Limit: difference quotients from both sides as the step shrinks, and the gradient "
            "that "
            "automatic differentiation returns at the point."
        )


def _cut(curve_panels: Sequence[CurvePanels]) -> str:
    """Describes the shares that the frames cut; the data is not cut."""
    shares = [
        f"{words.percent(share)} % of the {quantity} at {column.label}"
        for column in curve_panels
        for share, quantity in zip(column.cut, ("value", "gradient"), strict=True)
        if share
    ]
    return f"The frame cuts {', '.join(shares)}: points far out or infinite." if shares else ""


def _arrows(planes: Sequence[GradientField]) -> str:
    text = "Arrows point down the gradient, the direction of training; longer means steeper."
    if any(zero_gradient(plane).any() for plane in planes):
        text += " Dotted: the gradient is exactly zero."
    if not all(np.isfinite(plane.value).all() for plane in planes):
        text += " Gray: the value is not finite."
    return text


def _caption_of_several(
    audit_of: Mapping[str, AuditRecord], curve_panels: Sequence[CurvePanels]
) -> Iterable[str]:
    if curve_panels:
        yield (
            "Value and gradient against one prediction, one column per target, all losses on the "
            "same "
            "axes, each in its own units. Lines are broken at jumps, gradients also at kinks."
        )
    drawn = [audit for audit in audit_of.values() if isinstance(audit, Audit)]
    if any(curve.spans["dead"] for audit in drawn for curve in curves(audit)):
        yield (
            "Bars at the bottom of a gradient panel: the gradient of that loss is exactly zero "
            "although "
            "the loss is above its minimum."
        )
    yield _cut(curve_panels)
    planes = [plane for audit in drawn if (plane := gradient_field(audit)) is not None]
    if planes:
        labels = ", ".join(dict.fromkeys(plane.label for plane in planes))
        yield (
            f"Contours: each loss over two predictions ({labels}), each on its own scale, lighter "
            f"is higher. {_arrows(planes)}"
        )
    missing = [one_line(name) for name, audit in audit_of.items() if isinstance(audit, FailedAudit)]
    if missing:
        yield f"Not audited and not drawn: {', '.join(missing)}."

"""The shapes of audited losses, drawn from the plain JSON of their audits alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from landscape.errors import UserError
from landscape.report import words
from landscape.report.figures import audit_one, audit_several
from landscape.report.figures.audit_curves import curves
from landscape.report.figures.audit_panels import CurvePanels
from landscape.report.figures.audit_planes import GradientField, field, still
from landscape.report.figures.audit_sheet import one_line
from landscape.report.figures.audit_text import NOT_AUDITED, Audit, verdict
from landscape.report.figures.view import Picture


def shapes(audits: Sequence[Mapping[str, Any]]) -> Picture:
    """One audit as a page of its own, several on the same axes; use inside `report_style()`.

    Each is the plain dict that an audit writes as JSON, with its `shapes`; one with an `error`
    is listed and not drawn. UserError where there is none.
    """
    if not audits:
        raise UserError("there is no audit to draw", hint="give at least one loss")
    if len(audits) == 1:
        return _one(audits[0])
    named = audit_several.names(audits)
    sheet, made = audit_several.draw(named)
    told = "; ".join(f"{one_line(name)}: {verdict(audit)}" for name, audit in named.items())
    return Picture(
        "audit",
        "Shapes of the losses",
        _join(_several(named, made)),
        f"Losses and their gradients on the same axes. {told}.",
        sheet.figure,
    )


def _one(audit: Audit) -> Picture:
    sheet, made = audit_one.draw(audit)
    name = one_line(audit["loss"])
    return Picture(
        "audit",
        f"Shape of {name}",
        _join(_caption(audit, made)),
        f"{name}, value and gradient against the prediction: {verdict(audit)}.",
        sheet.figure,
    )


def _join(sentences: Iterable[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _caption(audit: Audit, made: Sequence[CurvePanels]) -> Iterable[str]:
    if verdict(audit) == NOT_AUDITED:
        yield "The function could not be audited."
        return
    lines = curves(audit)
    if made:
        yield (
            "Value and gradient against one prediction, a column a target, in the loss's own "
            "units. Marks on the axes are suspect points; there the line is broken where no limit "
            "from both sides exists."
        )
    if any(curve.spans["dead"] for curve in lines):
        yield "Hatched: the gradient is exactly zero although the loss is above its minimum."
    if any(curve.spans["idle"] for curve in lines):
        yield "Pale blue: the gradient is zero at the minimum, which is harmless."
    if any(curve.spans["saturated"] for curve in lines):
        yield (
            "Yellow: the gradient is under 1 % of its largest although the prediction is wrong, so "
            "training is slow there."
        )
    yield _cut(made)
    if (plane := field(audit)) is not None:
        yield f"Contours: the value over two predictions. {_arrows([plane])}"
    if (audit.get("shapes") or {}).get("limit"):
        yield (
            "Limit: difference quotients from both sides as the step shrinks, and what automatic "
            "differentiation returns at the point."
        )


def _cut(made: Sequence[CurvePanels]) -> str:
    """How much the frames cut; never anything in the data."""
    told = [
        f"{words.percent(share)} % of the {what} at {column.label}"
        for column in made
        for share, what in zip(column.cut, ("value", "gradient"), strict=True)
        if share
    ]
    return f"The frame cuts {', '.join(told)}: points far out or infinite." if told else ""


def _arrows(planes: Sequence[GradientField]) -> str:
    told = "Arrows point down the gradient, where training pushes, the longer the steeper."
    if any(still(plane).any() for plane in planes):
        told += " Dotted: the gradient is exactly zero."
    if not all(np.isfinite(plane.value).all() for plane in planes):
        told += " Grey: the value is not finite."
    return told


def _several(named: Mapping[str, Audit], made: Sequence[CurvePanels]) -> Iterable[str]:
    if made:
        yield (
            "Value and gradient against one prediction, a column a target, all losses on the same "
            "axes, each in its own units. Lines are broken at jumps, gradients at kinks too."
        )
    drawn = [audit for audit in named.values() if verdict(audit) != NOT_AUDITED]
    if any(curve.spans["dead"] for audit in drawn for curve in curves(audit)):
        yield (
            "Bars at the foot of a gradient: where that loss's gradient is exactly zero although "
            "the loss is above its minimum."
        )
    yield _cut(made)
    planes = [plane for audit in drawn if (plane := field(audit)) is not None]
    if planes:
        labels = ", ".join(dict.fromkeys(plane.label for plane in planes))
        yield (
            f"Contours: each loss over two predictions ({labels}), on a scale of its own, the "
            f"lighter the higher. {_arrows(planes)}"
        )
    missing = [one_line(name) for name, audit in named.items() if verdict(audit) == NOT_AUDITED]
    if missing:
        yield f"Not audited and not drawn: {', '.join(missing)}."

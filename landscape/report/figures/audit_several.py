"""Several audits side by side: all losses on the same axes, their verdicts as a table."""

from collections.abc import Mapping, Sequence

from landscape.report.figures import audit_panels
from landscape.report.figures.audit_curves import curves
from landscape.report.figures.audit_panels import LABEL, LEFT, RIGHT, CurvePanels, Group, draw_line
from landscape.report.figures.audit_planes import GradientField, draw_field, field
from landscape.report.figures.audit_sheet import Sheet, fit, inches
from landscape.report.figures.audit_text import (
    NOT_AUDITED,
    ROW,
    Audit,
    gravest_first,
    loss_name,
    property_value,
    sign,
    verdict,
)
from landscape.report.figures.style import GREY, WIDTH, Style, columns_for, plain, styles

_MARGIN = 0.12
# Where each column of the table starts, in inches from the margin.
_KEY, _LOSS, _VERDICT = 0.0, 0.45, 2.28
_PROPERTIES = {
    "smoothness": ("smoothness", 3.22),
    "convex": ("convex", 4.1),
    "lipschitz": ("Lipschitz", 4.72),
    "dead_fraction": ("dead", 5.37),
}
_FINDINGS = 5.8
_END = WIDTH - 2 * _MARGIN
# The height of a bar below a gradient, as a share of the panel.
_LANE = 0.05
_PLANE, _ACROSS = 1.85, 0.42
_ABOVE, _BELOW = 0.28, 0.3


def draw(audits: Mapping[str, Audit]) -> tuple[Sheet, list[CurvePanels]]:
    """The page of several audits, by name; the panels with the shares that they cut."""
    looks = styles(list(audits))
    audited = {name: audit for name, audit in audits.items() if verdict(audit) != NOT_AUDITED}
    shown = audit_panels.groups({name: curves(audit) for name, audit in audited.items()})
    planes = {name: plane for name, audit in audited.items() if (plane := field(audit))}
    bars = _bars(shown)
    panels = audit_panels.height(len(shown))
    table = panels + _planes_height(len(planes)) + 0.05
    sheet = Sheet(table + ROW * (len(audits) + 1 + bool(bars)) + 0.12)
    kinds = {str(audit.get("kind")) for audit in audited.values()}
    quantity = "loss" if kinds <= {"loss"} else "value"
    made = audit_panels.columns(sheet, 0.0, shown, quantity, foot=min(bars * _LANE, 0.5))
    for column in made:
        _draw_lines(column, looks)
    _draw_planes(sheet, planes, looks, panels)
    _draw_table(sheet, audits, looks, table)
    if bars:
        told = "Bars below a gradient: dead, gradient 0 although the loss is above its minimum."
        sheet.text(_MARGIN, sheet.height - 0.1, told, color=GREY)
    return sheet, made


def _draw_lines(column: CurvePanels, looks: Mapping[str, Style]) -> None:
    dead = {name: curve for name, curve in column.curves.items() if curve.spans["dead"]}
    for panel, what in ((column.value, "value"), (column.gradient, "gradient")):
        for index, (name, curve) in enumerate(column.curves.items()):
            every = max(len(curve.x) // 5, 1)
            first = int(every * (index + 0.5) / len(column.curves))
            look = looks[name].marked(0, len(curve.x)) | {"markevery": (first, every)}
            draw_line(panel, curve, what, **look)
    for lane, (name, curve) in enumerate(dead.items()):
        for low, high in curve.spans["dead"]:
            column.gradient.axvspan(
                low,
                high,
                lane * _LANE + 0.005,
                (lane + 1) * _LANE - 0.005,
                gid=f"dead {name}",
                facecolor=looks[name].color,
                linewidth=0,
            )


def _bars(shown: Sequence[Group]) -> int:
    """The most losses that are dead somewhere at one target: all targets leave the same room."""
    dead = [[bool(curve.spans["dead"]) for curve in group.curves.values()] for group in shown]
    return max(map(sum, dead), default=0)


def _size(count: int) -> tuple[int, float]:
    """The number of planes in a row, and the side of each."""
    across = columns_for(count, 4)
    free = WIDTH - LEFT - RIGHT - _ACROSS * (across - 1)
    return across, min(free / across, _PLANE)


def _planes_height(count: int) -> float:
    if not count:
        return 0.0
    across, side = _size(count)
    return -(-count // across) * (_ABOVE + side + _BELOW) + 0.2


def _draw_planes(
    sheet: Sheet, planes: Mapping[str, GradientField], looks: Mapping[str, Style], top: float
) -> None:
    """Small contours, a panel a loss; labels on the outer axes."""
    if not planes:
        return
    across, side = _size(len(planes))
    for index, (name, plane) in enumerate(planes.items()):
        row, column = divmod(index, across)
        left = LEFT + column * (side + _ACROSS)
        upper = top + row * (_ABOVE + side + _BELOW) + _ABOVE
        panel = sheet.axes(left, upper, side, side, label=f"plane: {name}")
        draw_field(panel, plane, 9)
        title = plain(loss_name(name, side, size=8.5))
        panel.set_title(title, loc="left", color=looks[name].color)
        if index + across >= len(planes):
            panel.set_xlabel(plain(fit(plane.x_label, side)))
        if column == 0:
            panel.set_ylabel(plain(fit(plane.y_label, side)))
            panel.yaxis.set_label_coords((LABEL - LEFT) / side, 0.5)


def _draw_table(
    sheet: Sheet, audits: Mapping[str, Audit], looks: Mapping[str, Style], top: float
) -> None:
    heads = [("loss", _LOSS), ("verdict", _VERDICT), *_PROPERTIES.values(), ("findings", _FINDINGS)]
    for title, left in heads:
        sheet.text(_MARGIN + left, top + 0.12, title, color=GREY)
    for row, (name, audit) in enumerate(audits.items()):
        line = top + 0.12 + ROW * (row + 1)
        sheet.stroke(_MARGIN, _MARGIN + _END, line - 0.135, color="#e3e3e3", linewidth=0.6)
        sheet.text(_MARGIN + _LOSS, line, loss_name(name, _VERDICT - _LOSS - 0.08))
        sign(sheet, _MARGIN + _VERDICT, line, verdict(audit))
        if verdict(audit) == NOT_AUDITED:
            left = _PROPERTIES["smoothness"][1]
            sheet.text(_MARGIN + left, line, fit(str(audit["error"]), _END - left), color=GREY)
        else:
            _key(sheet, looks[name], line - 0.04)
            _cells(sheet, audit, line)


def _key(sheet: Sheet, look: Style, line: float) -> None:
    """The loss's line as it is drawn above, for the table stands for a legend."""
    sheet.stroke(_MARGIN, _MARGIN + 0.36, line, **look.line(linewidth=1.5))
    sheet.mark(_MARGIN + 0.18, line, look.marker, look.color, 4.5)


def _cells(sheet: Sheet, audit: Audit, line: float) -> None:
    _, *ends = [*(left for _, left in _PROPERTIES.values()), _FINDINGS]
    for (name, (_, left)), end in zip(_PROPERTIES.items(), ends, strict=True):
        sheet.text(_MARGIN + left, line, fit(property_value(audit, name), end - left - 0.05))
    sheet.text(_MARGIN + _FINDINGS, line, _codes(audit))


def _codes(audit: Audit) -> str:
    """The codes of the findings, the gravest first, as many as there is room for."""
    codes = list(dict.fromkeys(str(one.get("code")) for one in gravest_first(audit)))
    for kept in range(len(codes), 0, -1):
        more = f" +{len(codes) - kept}" if kept < len(codes) else ""
        text = " ".join(codes[:kept]) + more
        if inches(text) <= _END - _FINDINGS:
            return text
    return "none" if not codes else fit(codes[0], _END - _FINDINGS)


def names(audits: Sequence[Audit]) -> dict[str, Audit]:
    """The audits by the name of their loss, numbered where a loss was audited twice."""
    found: dict[str, Audit] = {}
    for audit in audits:
        name = str(audit["loss"])
        number = 2
        while name in found:
            name = f"{audit['loss']} ({number})"
            number += 1
        found[name] = audit
    return found

"""Draws the verdict, the properties and the findings of an audit as text."""

import math
from typing import Any, NamedTuple

from matplotlib.path import Path

from landscape.report import words
from landscape.report.figures.audit_sheet import LINE_HEIGHT, Sheet, fit, inches, one_line, wrap
from landscape.report.figures.style import GRAY
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit, Finding, Where

_CHECK = Path(
    [(-1, 0.05), (-0.62, 0.42), (-0.3, 0.1), (0.62, 1), (1, 0.62), (-0.3, -0.7), (-1, 0.05)]
)


class Sign(NamedTuple):
    """The marker and the color of a verdict or severity; always next to its word."""

    marker: Any
    color: str


NOT_AUDITED = "not audited"
VERDICTS = {
    "trainable": Sign(_CHECK, "#009E73"),
    "care": Sign("^", "#E69F00"),
    "untrainable": Sign("X", "#D55E00"),
    NOT_AUDITED: Sign("s", GRAY),
}
SEVERITIES = {
    "error": Sign("X", "#D55E00"),
    "warning": Sign("^", "#E69F00"),
    "note": Sign("o", "#56B4E9"),
}
_UNKNOWN = Sign("s", GRAY)
_PROPERTIES = {
    "smoothness": "smoothness",
    "convex": "convex",
    "lipschitz": "Lipschitz",
    "curvature": "curvature",
    "range": "range",
    "dead_fraction": "dead",
    "coverage": "coverage",
}
_PERCENT = ("dead_fraction", "coverage")
# Limits on findings and on lines per message; the terminal shows all of them.
_MAX_FINDINGS = 12
_MAX_LINES = 4
_GAP = 0.05
ROW_HEIGHT = 0.19


def verdict(audit: AuditRecord) -> str:
    """Returns the verdict of an audit, or `not audited`."""
    return NOT_AUDITED if isinstance(audit, FailedAudit) else audit.verdict


def draw_verdict(sheet: Sheet, left: float, top: float, word: str, **font: Any) -> None:
    """Draws a verdict: its marker, then its word on the baseline `top`."""
    size = font.get("size", 8)
    sign = VERDICTS.get(word, _UNKNOWN)
    sheet.mark(left + 0.05, top - 0.0042 * size, sign.marker, sign.color, 0.8 * size)
    sheet.text(left + 0.16, top, one_line(word), **font)


def loss_name(name: str, width: float, **font: Any) -> str:
    """Shortens the name of a loss to `width` inches, first the file before the colon."""
    short = one_line(name, **font)
    if ":" in short and inches(short, **font) > width:
        short = "…" + short[short.rindex(":") :]
    return fit(short, width, **font)


def heading(sheet: Sheet, audit: AuditRecord, left: float, right: float) -> None:
    """Draws the loss and its verdict on one line, and kind, task and domain below."""
    word = verdict(audit)
    bold = {"size": 10.5, "weight": "bold"}
    verdict_width = inches(word, **bold) + 0.16
    draw_verdict(sheet, right - verdict_width, 0.22, word, **bold)
    name = loss_name(audit.loss, right - left - verdict_width - 0.25, **bold)
    sheet.text(left, 0.22, name, **bold)
    if isinstance(audit, Audit):
        through = f" through {audit.head}" if audit.head else ""
        facts = (audit.kind, audit.task, f"{audit.domain} predictions{through}")
        text = " · ".join(filter(None, facts))
        sheet.text(left, 0.4, fit(text, right - left), color=GRAY)


def properties(audit: AuditRecord) -> list[tuple[str, str, str]]:
    """Returns name, value and basis (proved or measured) of each property."""
    stored = audit.properties if isinstance(audit, Audit) else {}
    return [
        (label, _value(name, stored[name].value), stored[name].how)
        for name, label in _PROPERTIES.items()
        if name in stored
    ]


def property_value(audit: Audit, name: str) -> str:
    """Formats one property for a table."""
    stored = audit.properties.get(name)
    return words.MISSING if stored is None else _value(name, stored.value)


def _value(name: str, value: Any) -> str:
    if value is None:
        return words.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value('', entry) for entry in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else words.decimal(value)
    if isinstance(value, int | float):
        return f"{words.percent(value)} %" if name in _PERCENT else words.scientific(float(value))
    return one_line(value)


def draw_properties(
    sheet: Sheet, audit: AuditRecord, left: float, top: float, width: float, columns: int
) -> None:
    """Draws the properties as a small table."""
    shown = properties(audit)
    rows = -(-len(shown) // columns)
    column_width = (width - 0.25 * (columns - 1)) / columns
    for index, (label, value, basis) in enumerate(shown):
        column, row = divmod(index, rows)
        start, line = left + column * (column_width + 0.25), top + 0.12 + ROW_HEIGHT * row
        sheet.text(start, line, label, color=GRAY)
        basis_width = inches(basis)
        sheet.text(start + 0.74, line, fit(value, column_width - 0.8 - basis_width))
        sheet.text(start + column_width - basis_width, line, basis, color=GRAY)
        sheet.stroke(start, start + column_width, line + 0.055, color="#e3e3e3", linewidth=0.6)


class FindingText(NamedTuple):
    """A finding formatted for the figure: lines of text, code, severity, source line."""

    lines: list[str]
    code: str = ""
    severity: str = ""
    place: str = ""

    @property
    def height(self) -> float:
        return LINE_HEIGHT * (len(self.lines) + bool(self.place)) + _GAP


_CODE_LEFT, _SEVERITY_LEFT, _MESSAGE_LEFT = 0.16, 0.58, 1.16


def finding_texts(audit: AuditRecord, width: float) -> list[FindingText]:
    """Returns the findings, most severe first, wrapped; the last entry counts the rest."""
    if isinstance(audit, FailedAudit):
        return [FindingText(wrap(audit.error, width, 12))]
    ordered = most_severe_first(audit)
    entries = [
        FindingText(
            wrap(finding.message, width - _MESSAGE_LEFT, _MAX_LINES),
            finding.code,
            finding.severity,
            _source_line(finding.where, width - _MESSAGE_LEFT),
        )
        for finding in ordered[:_MAX_FINDINGS]
    ]
    if not ordered:
        entries.append(FindingText(["No findings."]))
    if len(ordered) > _MAX_FINDINGS:
        rest = f"… and {len(ordered) - _MAX_FINDINGS} more findings, none more severe."
        entries.append(FindingText([rest]))
    return entries


def most_severe_first(audit: Audit) -> list[Finding]:
    """Returns the findings by severity, otherwise in the order of the audit."""
    order = {name: rank for rank, name in enumerate(SEVERITIES)}
    return sorted(audit.findings, key=lambda finding: order[finding.severity])


def _source_line(where: Where | None, width: float) -> str:
    if where is None:
        return ""
    name = where.file.replace("\\", "/").rpartition("/")[2]
    line = f"{name}:{where.line} | {where.text}"
    return fit(line, width, family="monospace")


def draw_findings(sheet: Sheet, entries: list[FindingText], left: float, top: float) -> None:
    """Draws marker, code, severity and message of each finding, with its source line in gray."""
    for entry in entries:
        line = top + 0.12
        start = left
        if entry.severity:
            start += _MESSAGE_LEFT
            sign = SEVERITIES.get(entry.severity, _UNKNOWN)
            sheet.mark(left + 0.05, line - 0.035, sign.marker, sign.color)
            sheet.text(left + _CODE_LEFT, line, entry.code, weight="bold")
            sheet.text(left + _SEVERITY_LEFT, line, entry.severity, color=GRAY)
        for text in entry.lines:
            sheet.text(start, line, text)
            line += LINE_HEIGHT
        sheet.text(start, line, entry.place, color=GRAY, family="monospace")
        top += entry.height

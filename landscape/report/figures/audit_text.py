"""The verdict, the properties and the findings of an audit as text beside its pictures."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.path import Path

from landscape.report import words
from landscape.report.figures.audit_sheet import LINE, Sheet, fit, inches, one_line, wrap
from landscape.report.figures.style import GREY

Audit = Mapping[str, Any]
_CHECK = Path(
    [(-1, 0.05), (-0.62, 0.42), (-0.3, 0.1), (0.62, 1), (1, 0.62), (-0.3, -0.7), (-1, 0.05)]
)


class Sign(NamedTuple):
    """A marker and a color; the word beside it says the same."""

    marker: Any
    color: str


NOT_AUDITED = "not audited"
VERDICTS = {
    "trainable": Sign(_CHECK, "#009E73"),
    "care": Sign("^", "#E69F00"),
    "untrainable": Sign("X", "#D55E00"),
    NOT_AUDITED: Sign("s", GREY),
}
SEVERITIES = {
    "error": Sign("X", "#D55E00"),
    "warning": Sign("^", "#E69F00"),
    "note": Sign("o", "#56B4E9"),
}
_UNKNOWN = Sign("s", GREY)
_PROPERTIES = {
    "smoothness": "smoothness",
    "convex": "convex",
    "lipschitz": "Lipschitz",
    "curvature": "curvature",
    "range": "range",
    "dead_fraction": "dead",
    "coverage": "coverage",
}
_SHARES = ("dead_fraction", "coverage")
# More findings than this, and longer messages, belong in the terminal.
_MOST = 12
_LINES = 4
_GAP = 0.05
ROW = 0.19


def verdict(audit: Audit) -> str:
    """The word for an audit's outcome."""
    return NOT_AUDITED if "error" in audit else str(audit.get("verdict", ""))


def sign(sheet: Sheet, left: float, top: float, word: str, **font: Any) -> None:
    """A verdict: its marker, then its word on the baseline `top`."""
    size = font.get("size", 8)
    shown = VERDICTS.get(word, _UNKNOWN)
    sheet.mark(left + 0.05, top - 0.0042 * size, shown.marker, shown.color, 0.8 * size)
    sheet.text(left + 0.16, top, one_line(word), **font)


def loss_name(name: str, room: float, **font: Any) -> str:
    """A loss's name in some inches: what stands before `:` is left out before the end is."""
    short = one_line(name, **font)
    if ":" in short and inches(short, **font) > room:
        short = "…" + short[short.rindex(":") :]
    return fit(short, room, **font)


def heading(sheet: Sheet, audit: Audit, left: float, right: float) -> None:
    """The loss and its verdict on one line, what was audited below it."""
    word = verdict(audit)
    bold = {"size": 10.5, "weight": "bold"}
    wide = inches(word, **bold) + 0.16
    sign(sheet, right - wide, 0.22, word, **bold)
    sheet.text(
        left, 0.22, loss_name(str(audit["loss"]), right - left - wide - 0.25, **bold), **bold
    )
    asked = [audit.get("kind"), audit.get("task"), _where(audit)]
    told = " · ".join(str(part) for part in asked if part)
    sheet.text(left, 0.4, fit(told, right - left), color=GREY)


def _where(audit: Audit) -> str:
    domain, head = audit.get("domain"), audit.get("head")
    through = f" through {head}" if head else ""
    return f"{domain} predictions{through}" if domain else through.strip()


def properties(audit: Audit) -> list[tuple[str, str, str]]:
    """Name, value and how it is known, in the order of the audit's own list."""
    found = audit.get("properties") or {}
    return [
        (label, _value(name, found[name].get("value")), str(found[name].get("how", "")))
        for name, label in _PROPERTIES.items()
        if name in found
    ]


def property_value(audit: Audit, name: str) -> str:
    """One property for a table."""
    found = (audit.get("properties") or {}).get(name)
    return words.MISSING if found is None else _value(name, found.get("value"))


def _value(name: str, value: Any) -> str:
    if value is None:
        return words.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value('', entry) for entry in value)}]"
    if value in ("inf", "-inf", "nan"):
        return "NaN" if value == "nan" else words.decimal(float(value))
    if isinstance(value, int | float):
        return f"{words.percent(value)} %" if name in _SHARES else words.scientific(float(value))
    return one_line(value)


def draw_properties(
    sheet: Sheet, audit: Audit, left: float, top: float, width: float, columns: int
) -> float:
    """The properties as a small table in some columns; the height it takes."""
    shown = properties(audit)
    rows = -(-len(shown) // columns)
    each = (width - 0.25 * (columns - 1)) / columns
    for index, (label, value, how) in enumerate(shown):
        column, row = divmod(index, rows)
        start, line = left + column * (each + 0.25), top + 0.12 + ROW * row
        sheet.text(start, line, label, color=GREY)
        known = inches(how)
        sheet.text(start + 0.74, line, fit(value, each - 0.8 - known))
        sheet.text(start + each - known, line, how, color=GREY)
        sheet.stroke(start, start + each, line + 0.055, color="#e3e3e3", linewidth=0.6)
    return ROW * rows


class FindingText(NamedTuple):
    """A finding ready to set: its sign, code, severity and lines of text."""

    code: str
    severity: str
    lines: list[str]
    place: str

    @property
    def height(self) -> float:
        return LINE * (len(self.lines) + bool(self.place)) + _GAP


_CODE, _SEVERITY, _MESSAGE = 0.16, 0.58, 1.16


def findings(audit: Audit, width: float) -> list[FindingText]:
    """The findings, the gravest first, wrapped to this width; the last says what is left out."""
    if "error" in audit:
        return [FindingText("", "", wrap(str(audit["error"]), width, 12), "")]
    room = width - _MESSAGE
    found = gravest_first(audit)
    entries = [
        FindingText(
            str(one.get("code", "")),
            str(one.get("severity", "")),
            wrap(str(one.get("message", "")), room, _LINES),
            _place(one.get("where"), room),
        )
        for one in found[:_MOST]
    ]
    if not found:
        entries.append(FindingText("", "", ["Nothing was found that hinders training."], ""))
    if len(found) > _MOST:
        entries.append(FindingText("", "", [f"… and {len(found) - _MOST} more, none graver."], ""))
    return entries


def gravest_first(audit: Audit) -> list[Mapping[str, Any]]:
    """The findings by severity, otherwise in the order of the audit."""
    order = {name: rank for rank, name in enumerate(SEVERITIES)}
    found: Sequence[Mapping[str, Any]] = audit.get("findings") or ()
    return sorted(found, key=lambda one: order.get(str(one.get("severity")), len(order)))


def _place(where: Mapping[str, Any] | None, room: float) -> str:
    if not where:
        return ""
    name = str(where.get("file", "")).replace("\\", "/").rpartition("/")[2]
    told = f"{name}:{where.get('line')} | {where.get('text') or ''}"
    return fit(told, room, family="monospace")


def draw_findings(sheet: Sheet, entries: list[FindingText], left: float, top: float) -> None:
    """A marker, code, severity and message for each, the line of the source below in grey."""
    for entry in entries:
        line = top + 0.12
        start = left
        if entry.severity:
            start += _MESSAGE
            shown = SEVERITIES.get(entry.severity, _UNKNOWN)
            sheet.mark(left + 0.05, line - 0.035, shown.marker, shown.color)
            sheet.text(left + _CODE, line, entry.code, weight="bold")
            sheet.text(left + _SEVERITY, line, entry.severity, color=GREY)
        for text in entry.lines:
            sheet.text(start, line, text)
            line += LINE
        sheet.text(start, line, entry.place, color=GREY, family="monospace")
        top += entry.height

"""Formats an audit for a terminal: the verdict, the properties, each finding at its source line."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landscape.errors import printable
from landscape.report import audits, words
from landscape.storage.audit_records import Audit, Finding, Suspect, Where

COLORS = {"trainable": "green", "care": "yellow", "untrainable": "red"}
_SEVERITIES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
# Values that are not worth printing.
_UNREMARKABLE = dict.fromkeys(("smoothness", "convex", "lipschitz", "curvature", "range"))
_UNREMARKABLE |= {"dead_fraction": 0.0, "coverage": 1.0}
_NAMES = {
    "lipschitz": "steepest slope",
    "curvature": "curvature",
    "range": "range",
    "dead_fraction": "no gradient for",
    "coverage": "gradient reaches",
}


def audit_lines(audit: Audit, *, verbose: bool = False) -> RenderableType:
    """Returns the whole audit; `verbose` adds every suspect operation and how it was judged."""
    blocks: list[RenderableType] = [heading(audit)]
    if audit.library:
        blocks.append(Padding(_text(audit.library, "dim"), (0, 0, 0, 2)))
    blocks.append(Padding(_properties(audit), (0, 0, 0, 2)))
    blocks += [Padding(_finding(finding, verbose), (0, 0, 0, 2)) for finding in audit.findings]
    if not audit.findings:
        blocks.append(Text("  no findings", style="dim"))
    blocks += [Padding(_text(f"note: {note}", "dim"), (0, 0, 0, 2)) for note in audit.notes]
    if verbose:
        blocks.append(Padding(_suspects(audit.suspects), (0, 0, 0, 2)))
    return Group(*blocks, Text())


def not_audited(loss: str, error: str) -> RenderableType:
    """Returns the entry of a loss that could not be audited, with the reason."""
    head = _text(loss, "bold") + Text.assemble("  ", (audits.NOT_AUDITED, "bold red"))
    return Group(head, Padding(_text(error), (0, 0, 0, 2)), Text())


def _text(text: str, style: str = "") -> Text:
    """Returns a text that cannot control the terminal and that is not read as markup."""
    return Text(printable(text), style=style)


def heading(audit: Audit) -> Text:
    """Returns the line with the name, the task and the verdict."""
    verdict = audit.verdict
    subject = [audit.task or audit.kind]
    if audit.domain != "real":
        subject.append(f"on {audit.domain}")
    if audit.head:
        subject.append(f"through {audit.head}")
    if audit.aim in ("order", "distribution", "none"):
        subject.append(f"with the aim {audit.aim}")
    return Text.assemble(
        _text(audit.loss, "bold"),
        _text(f"  {' '.join(subject)}  ", "dim"),
        (verdict, f"bold {COLORS[verdict]}"),
        _text(_batch(audit), "dim"),
    )


def _batch(audit: Audit) -> str:
    """Returns how the examples of a loss that mixes them were audited, for the heading."""
    if audit.rows == 1:
        return ""
    first = np.asarray(next(iter(audit.targets.values())))
    labels = first.argmax(-1) if first.ndim == 2 and audit.task == "multiclass" else first
    text = f"  mixes the examples of a batch: looked at {audit.rows} at a time"
    if labels.ndim == 1:
        text += f", targets {', '.join(f'{v:g}' for v in labels)}"
    return text


def _properties(audit: Audit) -> Table:
    """Returns two lines: the proved properties and the measured ones."""
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", width=9)
    table.add_column()
    for basis, texts in property_texts(audit).items():
        table.add_row(basis, _text(", ".join(texts)))
    return table


def property_texts(audit: Audit) -> dict[str, list[str]]:
    """Returns the remarkable properties, those that are `proved` and those that are `measured`."""
    texts: dict[str, list[str]] = {"proved": [], "measured": []}
    for name, entry in audit.properties.items():
        if entry.value is not None and entry.value != _UNREMARKABLE[name]:
            texts[entry.how].append(_property(name, entry.value))
    return {basis: listed for basis, listed in texts.items() if listed}


def _property(name: str, value: Any) -> str:
    if name == "smoothness":
        return str(value)
    if name == "convex":
        return "convex" if value else "not convex"
    if name == "range":
        return f"range {number(value[0])} to {number(value[1])}"
    if name in ("dead_fraction", "coverage"):
        noun = "predictions" if name == "dead_fraction" else "components"
        return f"{_NAMES[name]} {words.percent(value)} % of {noun}"
    return f"{_NAMES[name]} {number(value)}"


def number(value: float) -> str:
    """Formats a number of an audit, which may be infinite or NaN."""
    if math.isinf(value):
        return "∞" if value > 0 else f"{words.MINUS}∞"
    return "nan" if math.isnan(value) else words.tick(float(value))


def _finding(finding: Finding, verbose: bool) -> Table:
    severity = finding.severity
    table = Table.grid(padding=(0, 1))
    table.add_column(style=_SEVERITIES[severity], width=7)
    table.add_column(style="bold", width=4)
    table.add_column(overflow="fold")
    table.add_row(severity, _text(finding.code), _text(finding.message))
    for line in _source_lines(finding.where):
        table.add_row("", "", line)
    if finding.suggestion and (verbose or severity != "note"):
        table.add_row("", "", _text(f"instead: {finding.suggestion}", "green"))
    return table


def _source_lines(where: Where | None) -> Iterator[Text]:
    """Yields the file and line, the source line, and a caret under the operation."""
    if where is None:
        return
    yield _text(f"{_short_path(where.file)}:{where.line}", "dim")
    text = where.text
    if not text:
        return
    first, last, width = where.column, where.end_column, 58
    start = 0
    if first is not None and last is not None and first > width // 2 and len(text) > width:
        start = min(first - 1, len(text) - width)
    shown = text[start : start + width]
    yield _text(f"  {'…' if start else ''}{shown}{'…' if start + width < len(text) else ''}")
    if first is not None and last is not None:
        caret_width = max(1, min(last - first, width - (first - 1 - start)))
        yield Text(" " * (first + 1 - start + bool(start)) + "^" * caret_width, style="bold")


def _short_path(file: str) -> str:
    """Shortens a path within the working directory or site-packages to its relative part."""
    path = Path(file)
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    installed = [i for i, part in enumerate(path.parts) if part == "site-packages"]
    return str(Path(*path.parts[installed[-1] + 1 :])) if installed else file


def _suspects(suspects: Sequence[Suspect]) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(overflow="fold")
    table.add_row(*(Text(t, style="dim") for t in ("suspect", "fate", "line", "why")))
    for suspect in suspects:
        line = str(suspect.where.line) if suspect.where else ""
        table.add_row(*map(_text, (suspect.operation, suspect.fate, line, suspect.detail)))
    return table if suspects else Table.grid()

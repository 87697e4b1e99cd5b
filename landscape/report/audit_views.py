"""What a notebook shows of an audit: its figure, and the words of the terminal as HTML."""

import pandas as pd
from matplotlib.figure import Figure

from landscape.report import audits, notebook_html, terminal
from landscape.report.figures import audit_figure, rendering
from landscape.storage.audit_records import Audit, Finding


def figure(audit: Audit) -> Figure:
    """Returns the figure of an audit: value and gradient with all marks."""
    with rendering.report_style():
        return audit_figure.shapes([audit]).figure


def audit_html(audit: Audit) -> str:
    """Returns the verdict, the properties and one row per finding."""
    html = [notebook_html.heading(terminal.heading(audit).plain)]
    lines = [audit.library] if audit.library else []
    lines += [f"{how} {', '.join(texts)}" for how, texts in terminal.property_texts(audit).items()]
    html += map(notebook_html.paragraph, lines)
    if audit.findings:
        rows = pd.DataFrame([_row(finding) for finding in audit.findings])
        html.append(notebook_html.table(rows, prose=True))
    else:
        html.append(notebook_html.paragraph("no findings"))
    html += [notebook_html.paragraph(f"note: {note}") for note in audit.notes]
    return "".join(html)


def _row(finding: Finding) -> dict[str, str]:
    """Returns severity, code, and the message with source line and replacement below it."""
    lines = [finding.message]
    if finding.where is not None:
        lines.append(f"{audits.place(finding.where)}: {finding.where.text.strip()}")
    if finding.suggestion:
        lines.append(f"instead: {finding.suggestion}")
    return {"severity": finding.severity, "code": finding.code, "finding": "\n".join(lines)}

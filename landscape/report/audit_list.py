"""Formats the audits of a whole file: one line per function."""

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from landscape.errors import counted, printable
from landscape.report import audits
from landscape.report.terminal import COLORS
from landscape.storage.audit_records import AuditRecord, FailedAudit


def audit_line(record: AuditRecord, width: int, *, guessed: bool) -> Text:
    """Returns name, task, verdict, and the codes of errors and warnings, the most severe first.

    `width` is that of the column of names; `guessed` marks the task with a question mark.
    """
    name = printable(record.loss).ljust(width)
    if isinstance(record, FailedAudit):
        reason = printable(audits.first_line(record))
        return Text.assemble(f"{name}  {'':13}  ", (audits.NOT_AUDITED, "bold red"), f"  {reason}")
    codes = ", ".join(dict.fromkeys(finding.code for finding in audits.serious(record)))
    verdict = record.verdict.ljust(11 if codes else 0)
    mark = "?" if guessed and record.task else ""
    task = f"{record.task or record.kind}{mark}".ljust(13)
    color = f"bold {COLORS[record.verdict]}"
    return Text.assemble(
        f"{name}  ", (task, "dim"), "  ", (verdict, color), f"  {codes}" if codes else ""
    )


def audit_tally(records: Sequence[AuditRecord], skipped: Sequence[str]) -> str:
    """Returns how many have each verdict, and the functions that are not audited."""
    order = ("trainable", "care", "untrainable", audits.NOT_AUDITED)
    verdicts = Counter(map(audits.verdict, records))
    shown = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in order if verdicts[verdict])
    text = f"{counted(len(records), 'function')}: {shown}"
    return f"{text}; other arguments: {', '.join(skipped)}" if skipped else text

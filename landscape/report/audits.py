"""The audits of runs: verdicts, findings, and their texts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple, get_args

from landscape.storage import schema
from landscape.storage.audit_records import (
    Audit,
    AuditRecord,
    FailedAudit,
    Finding,
    Severity,
    Where,
)

# The name of the figure of the shapes of the losses, in the section on the audit.
FIGURE = "audit"
NOT_AUDITED = "not audited"


class AuditAnswer(NamedTuple):
    """The verdict of an audit, the codes behind it, and whether training agrees with it."""

    verdict: str
    findings: str
    agrees: str = ""

    @property
    def line(self) -> str:
        """The answer as a line: `audit: untrainable (D101, G201)`; empty without an audit."""
        if not self.verdict or self.verdict == NOT_AUDITED:
            return self.verdict and f"{self.verdict}: {self.findings}"
        return f"audit: {self.verdict}" + (f" ({self.findings})" if self.findings else "")


@lru_cache(maxsize=256)
def parse(text: str) -> AuditRecord:
    """Returns the audit in the text of audit.json, one object for equal texts.

    Raises ValueError if the text is not an audit.
    """
    return schema.from_text(text, AuditRecord)


def of(audits: Iterable[AuditRecord | None]) -> AuditRecord | None:
    """Returns the audit of runs of one loss: the first with a verdict, else the first."""
    present = (audit for audit in audits if audit is not None)
    return min(present, key=lambda audit: isinstance(audit, FailedAudit), default=None)


def answer(audit: AuditRecord | None) -> AuditAnswer:
    """Returns the verdict and the codes behind it: `untrainable` and `D101, G201`."""
    if audit is None:
        return AuditAnswer("", "")
    if isinstance(audit, FailedAudit):
        return AuditAnswer(NOT_AUDITED, first_line(audit))
    codes = {finding.code for finding in serious(audit)}
    return AuditAnswer(audit.verdict, ", ".join(sorted(codes)))


def first_line(audit: FailedAudit) -> str:
    """Returns the first line of the error of an audit that is not blank."""
    return next(filter(None, (line.strip() for line in audit.error.splitlines())), "")


def verdict(audit: AuditRecord) -> str:
    """Returns the verdict of an audit, or `not audited`."""
    return NOT_AUDITED if isinstance(audit, FailedAudit) else audit.verdict


def serious(audit: Audit) -> list[Finding]:
    """Returns the findings behind the verdict, errors and warnings, in the order of the audit."""
    return [finding for finding in audit.findings if finding.severity != "note"]


def short_name(loss: str) -> str:
    """Returns the name of a loss without its file: `:focal` for `losses/mine.py:focal`."""
    return loss[loss.rindex(":") :] if ":" in loss else loss


def most_severe_first(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the findings by severity, otherwise in their order."""
    severities = get_args(Severity)
    return sorted(findings, key=lambda finding: severities.index(finding.severity))


def place(where: Where | None) -> str:
    """Returns the source line of a finding as `losses.py:12`; empty if it is unknown.

    A cell of a notebook has no name, but a file of its process.
    """
    if where is None or not where.file or not where.line:
        return ""
    path = PurePath(where.file)
    name = "cell" if path.parent.name.startswith("ipykernel_") else path.name
    return f"{name}:{where.line}"


def caption(name: str, audit: AuditRecord) -> str:
    """Returns a sentence for the caption of a figure: the verdict and the findings behind it."""
    if isinstance(audit, FailedAudit):
        return ""
    findings = [
        f"{finding.code} {place(finding.where)}".strip()
        for finding in most_severe_first(serious(audit))
    ]
    reasons = f" ({', '.join(dict.fromkeys(findings))})" if findings else ""
    return f"{name}: {audit.verdict}{reasons}."


def drawn(runs: Mapping[str, Sequence[Any]]) -> list[AuditRecord]:
    """Returns the audits to draw, named as in the comparison; empty if none has shapes.

    One audit stands for all points of a sweep that does not change it. Failed audits are included,
    since the figure names them.
    """
    by_loss: dict[str, dict[str, AuditRecord]] = {}
    for name, group in runs.items():
        audit = of(run.audit for run in group)
        if audit is not None:
            by_loss.setdefault(group[0].loss, {})[name] = audit
    audits: list[AuditRecord] = []
    for loss, named in by_loss.items():
        first, *others = named.values()
        if others and all(other == first for other in others):
            named = {loss: first}
        audits += [replace(audit, loss=name) for name, audit in named.items()]
    shaped = any(isinstance(audit, Audit) and audit.shapes is not None for audit in audits)
    return audits if shaped else []

"""The verdicts of the audits beside what training showed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple, get_args

import pandas as pd

from landscape.report import words
from landscape.report.sentences import learns
from landscape.storage import schema
from landscape.storage.audit_records import (
    Audit,
    AuditRecord,
    FailedAudit,
    Finding,
    Severity,
    Verdict,
)

# The name of the figure that shows the shapes of the losses, in the audit's own section.
FIGURE = "audit"
# The verdict on a loss that could not be audited.
NONE = "not audited"
VERDICTS = get_args(Verdict)
SEVERITIES = get_args(Severity)
# Whether training agrees with the audit.
YES, NO, NO_CLAIM, NO_RUNS = "yes", "no", "no claim", "not trained"
COLUMNS = ("audit_verdict", "audit_findings", "audit_agrees")
RULE = (
    "an untrainable loss is predicted not to learn and a trainable one to learn, by the rule of "
    "the finding; care predicts nothing"
)


class AuditRow(NamedTuple):
    """A loss or point of a sweep: its audit beside what training showed."""

    loss: str
    verdict: str
    findings: tuple[tuple[str, str, str], ...]
    error: str
    training: str
    agrees: str

    @property
    def text(self) -> str:
        """All findings as one text."""
        found = "; ".join(f"{code} ({severity}): {said}" for code, severity, said in self.findings)
        return self.error or found or words.MISSING


@lru_cache(maxsize=256)
def parse(text: str) -> AuditRecord:
    """Returns the audit that audit.json holds, one object for equal texts; raises ValueError."""
    return schema.from_text(text, AuditRecord)


def of(audits: Iterable[AuditRecord | None]) -> AuditRecord | None:
    """Returns the audit of runs of one loss: the first with a verdict, else the first."""
    present = [audit for audit in audits if audit is not None]
    judged = (audit for audit in present if isinstance(audit, Audit))
    return next(judged, present[0] if present else None)


def columns(audit: AuditRecord | None) -> dict[str, str]:
    """Returns the verdict and the codes behind it: `untrainable` and `D101, G201`."""
    if audit is None:
        return {"audit_verdict": "", "audit_findings": ""}
    if isinstance(audit, FailedAudit):
        return {"audit_verdict": NONE, "audit_findings": _first_line(audit.error)}
    codes = {finding.code for finding in audit.findings if finding.severity != "note"}
    return {"audit_verdict": audit.verdict, "audit_findings": ", ".join(sorted(codes))}


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def agrees(verdict: str, row: Mapping[str, Any]) -> str:
    """Whether training showed what the audit predicts, by `RULE`; empty without a verdict."""
    if verdict not in VERDICTS:
        return ""
    if verdict == "care":
        return NO_CLAIM
    if row["seeds"] == 0:
        return NO_RUNS
    return YES if learns(row) == (verdict == "trainable") else NO


def line(row: Mapping[str, Any]) -> str:
    """`audit: untrainable (D101, G201)`; empty where there is no audit."""
    verdict, found = row.get("audit_verdict", ""), row.get("audit_findings", "")
    if not verdict:
        return ""
    if verdict == NONE:
        return f"{verdict}: {found}"
    return f"audit: {verdict} ({found})" if found else f"audit: {verdict}"


def audit_rows(runs: Mapping[str, Sequence[Any]], comparison: pd.DataFrame) -> list[AuditRow]:
    """A row for each row of the comparison that has an audit; `runs` by the name of the row."""
    rows = []
    for _, row in comparison.iterrows():
        audit = of(run.audit for run in runs.get(row["name"], ()))
        if audit is not None:
            verdict = columns(audit)["audit_verdict"]
            rows.append(
                AuditRow(
                    loss=str(row["name"]),
                    verdict=verdict,
                    findings=_findings(audit),
                    error=audit.error if isinstance(audit, FailedAudit) else "",
                    training=str(row["finding"]),
                    agrees=agrees(verdict, row) or words.MISSING,
                )
            )
    return rows


def _findings(audit: AuditRecord) -> tuple[tuple[str, str, str], ...]:
    """Code, severity and message with its place, the gravest first."""
    findings = audit.findings if isinstance(audit, Audit) else ()
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return tuple((finding.code, finding.severity, _message(finding)) for finding in ordered)


def _message(finding: Finding) -> str:
    where = finding.where
    if where is None or not where.file or not where.line:
        return finding.message
    return f"{finding.message} ({PurePath(where.file).name}:{where.line})"


def tally(rows: Sequence[AuditRow]) -> str:
    """How often the audit made a claim, and how often training agrees."""
    answers = [row.agrees for row in rows]
    claims = answers.count(YES) + answers.count(NO)
    if not claims:
        return "The audit makes no claim that these runs could test."
    what = "claim" if claims == 1 else "claims"
    return f"Training agrees with {answers.count(YES)} of {claims} {what} of the audit."


def table(rows: Sequence[AuditRow]) -> pd.DataFrame:
    """The rows as texts, for the files."""
    names = ["loss", "audit", "findings", "training", "agree"]
    cells = [(row.loss, row.verdict, row.text, row.training, row.agrees) for row in rows]
    return pd.DataFrame(cells, columns=names)


def drawn(runs: Mapping[str, Sequence[Any]]) -> list[AuditRecord]:
    """Returns the audits, named as in the comparison; one per loss that a sweep does not change.

    Empty if none has shapes. Audits that failed are in the list: a figure names them.
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

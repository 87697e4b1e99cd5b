"""Compares the verdicts of the audits with the results of training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple, get_args

import pandas as pd

from landscape.report import words
from landscape.storage import schema
from landscape.storage.audit_records import (
    Audit,
    AuditRecord,
    FailedAudit,
    Finding,
    Severity,
    Verdict,
    Where,
)

# The name of the figure of the shapes of the losses, in the section on the audit.
FIGURE = "audit"
NOT_AUDITED = "not audited"
# Answers to whether training agrees with the audit.
YES, _NO, _NO_CLAIM, _NO_RUNS = "yes", "no", "no claim", "not trained"
COLUMNS = ("audit_verdict", "audit_findings", "audit_agrees")
RULE = (
    "an untrainable loss is predicted not to learn and a trainable one to learn, by the rule of "
    "the finding; care predicts nothing"
)


class AuditRow(NamedTuple):
    """A row of the comparison: its audit beside the result of training.

    A finding consists of code, severity, and message with its source line.
    """

    loss: str
    verdict: str
    findings: tuple[tuple[str, str, str], ...]
    error: str
    training: str
    agrees: str

    @property
    def text(self) -> str:
        """All findings as one text."""
        findings = "; ".join(
            f"{code} ({severity}): {text}" for code, severity, text in self.findings
        )
        return words.or_missing(self.error or findings)


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


def columns(audit: AuditRecord | None) -> dict[str, str]:
    """Returns the verdict and the codes behind it: `untrainable` and `D101, G201`."""
    if audit is None:
        return {"audit_verdict": "", "audit_findings": ""}
    if isinstance(audit, FailedAudit):
        lines = (line.strip() for line in audit.error.splitlines())
        first_line = next(filter(None, lines), "")
        return {"audit_verdict": NOT_AUDITED, "audit_findings": first_line}
    codes = {finding.code for finding in audit.findings if finding.severity != "note"}
    return {"audit_verdict": audit.verdict, "audit_findings": ", ".join(sorted(codes))}


def agrees(verdict: str, row: Mapping[str, Any]) -> str:
    """Returns whether training agrees with the audit, by `RULE`; empty without a verdict."""
    if verdict not in get_args(Verdict):
        return ""
    if verdict == "care":
        return _NO_CLAIM
    if row["seeds"] == 0:
        return _NO_RUNS
    return YES if row["learns"] == (verdict == "trainable") else _NO


def line(row: Mapping[str, Any]) -> str:
    """Returns `audit: untrainable (D101, G201)`; empty without an audit."""
    verdict, findings = row.get("audit_verdict", ""), row.get("audit_findings", "")
    if not verdict or verdict == NOT_AUDITED:
        return verdict and f"{verdict}: {findings}"
    return f"audit: {verdict} ({findings})" if findings else f"audit: {verdict}"


def audit_rows(runs: Mapping[str, Sequence[Any]], comparison: pd.DataFrame) -> list[AuditRow]:
    """Returns one row per row of the comparison that has an audit; `runs` by name of the row."""
    rows = []
    for _, row in comparison.iterrows():
        audit = of(run.audit for run in runs.get(row["name"], ()))
        if audit is not None:
            verdict = columns(audit)["audit_verdict"]
            rows.append(
                AuditRow(
                    loss=str(row["name"]),
                    verdict=verdict,
                    findings=_findings(audit) if isinstance(audit, Audit) else (),
                    error=audit.error if isinstance(audit, FailedAudit) else "",
                    training=str(row["finding"]),
                    agrees=words.or_missing(agrees(verdict, row)),
                )
            )
    return rows


def verdict(audit: AuditRecord) -> str:
    """Returns the verdict of an audit, or `not audited`."""
    return NOT_AUDITED if isinstance(audit, FailedAudit) else audit.verdict


def short_name(loss: str) -> str:
    """Returns the name of a loss without its file: `:focal` for `losses/mine.py:focal`."""
    return loss[loss.rindex(":") :] if ":" in loss else loss


def most_severe_first(audit: Audit) -> list[Finding]:
    """Returns the findings by severity, otherwise in the order of the audit."""
    severities = get_args(Severity)
    return sorted(audit.findings, key=lambda finding: severities.index(finding.severity))


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
        for finding in most_severe_first(audit)
        if finding.severity != "note"
    ]
    reasons = f" ({', '.join(dict.fromkeys(findings))})" if findings else ""
    return f"{name}: {audit.verdict}{reasons}."


def _findings(audit: Audit) -> tuple[tuple[str, str, str], ...]:
    """Returns the findings, the most severe first."""
    ordered = most_severe_first(audit)
    return tuple((finding.code, finding.severity, _message(finding)) for finding in ordered)


def _message(finding: Finding) -> str:
    source = place(finding.where)
    return f"{finding.message} ({source})" if source else finding.message


def tally(rows: Sequence[AuditRow]) -> str:
    """Returns a sentence on how many claims the audit makes, and how many training confirms."""
    answers = Counter(row.agrees for row in rows)
    claims = answers[YES] + answers[_NO]
    if not claims:
        return "The audit makes no claim that these runs could test."
    noun = "claim" if claims == 1 else "claims"
    return f"Training agrees with {answers[YES]} of {claims} {noun} of the audit."


def table(rows: Sequence[AuditRow]) -> pd.DataFrame:
    """Returns the rows as texts, for the files."""
    names = ["loss", "audit", "findings", "training", "agree"]
    cells = [(row.loss, row.verdict, row.text, row.training, row.agrees) for row in rows]
    return pd.DataFrame(cells, columns=names)


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

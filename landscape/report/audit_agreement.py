"""Compares the verdicts of the audits with the results of training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

import pandas as pd

from landscape.report import audits, words
from landscape.report.comparison_row import Row
from landscape.report.stored_run import StoredRun
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit, Finding, Verdict

# Answers to whether training agrees with the audit.
YES, _NO, _NO_CLAIM, _NO_RUNS = "yes", "no", "no claim", "not trained"
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


def agrees(verdict: str, *, learns: bool, runs: int) -> str:
    """Returns whether training agrees with the audit, by `RULE`; empty without a verdict.

    `runs` is the number of runs with a result.
    """
    if verdict not in get_args(Verdict):
        return ""
    if verdict == "care":
        return _NO_CLAIM
    if runs == 0:
        return _NO_RUNS
    return YES if learns == (verdict == "trainable") else _NO


def look_rows(runs: Mapping[str, Sequence[StoredRun]]) -> list[AuditRow]:
    """Returns one row per look that has an audit; nothing was trained to compare it with."""
    by_look = {name: audits.of(run.audit for run in group) for name, group in runs.items()}
    return [_row(name, audit, "", "") for name, audit in by_look.items() if audit is not None]


def audit_rows(rows: Sequence[Row]) -> list[AuditRow]:
    """Returns one row per row of the comparison that has an audit."""
    answers = []
    for row in rows:
        audit = audits.of(run.audit for run in row.runs.counted)
        if audit is not None:
            verdict = audits.verdict(audit)
            agreement = agrees(verdict, learns=row.gain.learns, runs=row.estimate.seeds)
            answers.append(_row(row.name, audit, row.finding, words.or_missing(agreement)))
    return answers


def _row(name: str, audit: AuditRecord, training: str, agreement: str) -> AuditRow:
    return AuditRow(
        loss=name,
        verdict=audits.verdict(audit),
        findings=_findings(audit) if isinstance(audit, Audit) else (),
        error=audit.error if isinstance(audit, FailedAudit) else "",
        training=training,
        agrees=agreement,
    )


def _findings(audit: Audit) -> tuple[tuple[str, str, str], ...]:
    """Returns the findings, the most severe first."""
    ordered = audits.most_severe_first(audit.findings)
    return tuple((finding.code, finding.severity, _message(finding)) for finding in ordered)


def _message(finding: Finding) -> str:
    source = audits.place(finding.where)
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
    """Returns the rows as texts, for the files; without training if nothing was trained."""
    names = ["loss", "audit", "findings", "training", "agree"]
    cells = [(row.loss, row.verdict, row.text, row.training, row.agrees) for row in rows]
    texts = pd.DataFrame(cells, columns=names)
    return texts if texts["agree"].any() or texts.empty else texts[names[:3]]

"""Formats audits as SARIF 2.1.0, which code hosts show at the lines of a file.

OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, 2020.
"""

import linecache
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from landscape import __version__
from landscape.report.code_pages import CodePage, code_pages
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit, Finding, Where

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "%SRCROOT%"


def sarif_log(records: Sequence[AuditRecord], folder: Path) -> dict[str, Any]:
    """Returns the log of one run, as values of JSON: a rule per code, a result per finding.

    Paths inside `folder`, the root of the source, are relative to it. A loss that could not be
    audited is a notification of the tool.
    """
    audits = [record for record in records if isinstance(record, Audit)]
    failures = [record for record in records if isinstance(record, FailedAudit)]
    driver = {
        "name": "landscape",
        "semanticVersion": __version__,
        "rules": [_rule(page) for page in code_pages().values()],
    }
    invocation: dict[str, Any] = {"executionSuccessful": not failures}
    if failures:
        invocation["toolExecutionNotifications"] = [_notification(f) for f in failures]
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": [result for audit in audits for result in _results(audit, folder)],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(page: CodePage) -> dict[str, Any]:
    return {
        "id": page.code,
        "name": "".join(word.capitalize() for word in page.name.replace("-", " ").split()),
        "shortDescription": {"text": page.what},
        "fullDescription": {"text": _one_line(f"{page.what} {page.why}")},
        "help": {"text": _one_line(f"{page.why} {page.instead}"), "markdown": page.markdown},
        "defaultConfiguration": {"level": page.severities[0]},
    }


def _notification(failure: FailedAudit) -> dict[str, Any]:
    return {"level": "error", "message": {"text": f"{failure.loss}: {failure.error}"}}


def _results(audit: Audit, folder: Path) -> Iterator[dict[str, Any]]:
    codes = list(code_pages())
    evidence = [finding["evidence"] for finding in audit.to_json()["findings"]]
    for finding, numbers in zip(audit.findings, evidence, strict=True):
        result: dict[str, Any] = {
            "ruleId": finding.code,
            "ruleIndex": codes.index(finding.code),
            "level": finding.severity,
            "message": {"text": _message(audit, finding)},
            "properties": {"loss": audit.loss, "verdict": audit.verdict, "evidence": numbers},
        }
        if finding.where is not None:
            result["locations"] = [{"physicalLocation": _location(finding.where, folder)}]
        yield result


def _message(audit: Audit, finding: Finding) -> str:
    text = f"{audit.loss}: {finding.message}"
    return f"{text}. Instead: {finding.suggestion}" if finding.suggestion else text


def _location(where: Where, folder: Path) -> dict[str, Any]:
    path = Path(where.file).absolute()
    artifact = {"uri": path.as_uri()}
    if path.is_relative_to(folder.absolute()):
        relative = path.relative_to(folder.absolute())
        artifact = {"uri": quote(relative.as_posix()), "uriBaseId": _ROOT}
    return {"artifactLocation": artifact, "region": _region(where)}


def _region(where: Where) -> dict[str, Any]:
    """Returns the line; with columns if the source line is as it was audited.

    Columns of a record count from the first character that is not a space, those of SARIF from the
    start of the line.
    """
    region: dict[str, Any] = {"startLine": where.line}
    line = linecache.getline(where.file, where.line)
    if where.text and line.strip() == where.text and where.column and where.end_column:
        indent = len(line) - len(line.lstrip())
        region |= {"startColumn": where.column + indent, "endColumn": where.end_column + indent}
    return region


def _one_line(text: str) -> str:
    return " ".join(text.split())

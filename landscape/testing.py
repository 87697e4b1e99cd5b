"""Helpers for the tests of a project that defines losses."""

from collections.abc import Callable, Collection
from typing import Any, Literal

from landscape.audit import Audit, Finding, audit
from landscape.audit.judge import finders
from landscape.audit.measure.signature import check_choice
from landscape.numerics.loss_arguments import name_of


def assert_trainable(
    loss: Callable[..., Any],
    *,
    fail_on: Literal["care", "untrainable"] = "care",
    allow: Collection[str] = (),
    **options: Any,
) -> Audit:
    """Raises AssertionError if the audit of a loss has an error or a warning; returns the audit.

    With `fail_on="untrainable"` warnings pass; findings with a code in `allow` pass as well.
    `options` are those of `landscape.audit.audit`, such as `task="binary"`.

    Raises UserError if the loss cannot be audited, or if `allow` has an unknown code.
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    check_choice(fail_on, ("care", "untrainable"), "fail_on")
    for code in allow:
        check_choice(code, tuple(finders()), "code")
    judged = audit(loss, **{"name": name_of(loss)} | options)
    severities = ("error",) if fail_on == "untrainable" else ("error", "warning")
    failures = [
        finding
        for finding in judged.findings
        if finding.severity in severities and finding.code not in allow
    ]
    if failures:
        heading = f"{judged.loss} ({judged.task or judged.kind}) is {judged.verdict}"
        raise AssertionError("\n".join([heading, *map(_text, failures)]))
    return judged


def _text(finding: Finding) -> str:
    where = finding.where
    lines = [f"  {finding.severity} {finding.code} {finding.message}"]
    lines += [f"    {where.file}:{where.line}: {where.text}"] if where else []
    lines += [f"    instead: {finding.suggestion}"] if finding.suggestion else []
    return "\n".join(lines)

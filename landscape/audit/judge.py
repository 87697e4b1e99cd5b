"""Judges a loss without training it: problems of autodiff and gradient descent, with evidence.

Two halves need each other. The rules of composition, applied to the traced program, prove the good
cases and list suspect operations in the others; measurement at exactly those operations decides.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from landscape.audit.code_menu import finders
from landscape.audit.findings import SEVERITIES, Audit, Finding, verdict_of
from landscape.audit.measure.build_subject import build
from landscape.audit.measure.domains import CLASSES
from landscape.audit.measure.halves import HALVES, half_precision
from landscape.audit.measure.shapes import shapes
from landscape.audit.measure.subject import Subject, SubjectOptions
from landscape.audit.measure.survey import Survey
from landscape.audit.properties import properties
from landscape.audit.rewrites import rewrites
from landscape.audit.static import reader
from landscape.audit.static.abstract import AbstractValue
from landscape.audit.static.intervals import AFFINE
from landscape.audit.suspects import suspects

# The codes that a change of the program is meant to remove.
_MENDED = {"D101", "G201", "G202", "G204", "G205", "N301", "N302"}
_SQUASHING = {"logistic", "exp", "tanh", "erf"}


def audit(
    loss: Callable[..., Any],
    *,
    task: str | None = None,
    kind: str = "loss",
    domain: str | None = None,
    head: str | None = None,
    order: str = "auto",
    targets: str = "auto",
    outputs: int | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Audit:
    """Returns the audit of a function, as it would be trained in float32.

    `loss(predictions, targets)`, or `f(x)` with `kind` "activation" or "function". `task` is
    regression, binary, multiclass or segmentation (None: guessed from names and shapes); `domain`
    is the domain of predictions: real, unit, simplex or positive (None: real, unless the function
    has `from_logits=False`); `head` puts a sigmoid or softmax before the loss; `order` is auto,
    predictions-first or targets-first; `targets` is auto, onehot, labels, signed or zero_one;
    `outputs` is the number of classes, 4 by default. The same arguments give the same audit.
    Raises UserError if the function cannot be audited, and names its line at fault.
    """
    outputs, name = outputs or CLASSES, name or ""
    options = SubjectOptions(kind, task, domain, head, order, targets, outputs, name)
    subject = build(loss, options)
    with np.errstate(all="ignore"):
        return _judge(_survey(subject, seed))


def _survey(subject: Subject, seed: int) -> Survey:
    inputs = [_prediction(subject), _target(subject)]
    reading = reader.read(subject.value, inputs)
    slopes = reader.read(subject.gradient, inputs)
    survey = Survey(subject, reading, slopes, seed)
    survey.probe.prepare([*HALVES, "float32"])
    return survey


def _prediction(subject: Subject) -> AbstractValue:
    domain = subject.domain
    return AbstractValue(range=(domain.low, domain.high), varies=True, convexity=AFFINE)


def _target(subject: Subject) -> AbstractValue:
    if subject.form == "signed":
        return AbstractValue(range=(-1.0, 1.0), uses_target=True)
    if subject.form == "labels":
        return AbstractValue(range=(0.0, math.inf), uses_target=True)
    if subject.task == "regression" and subject.domain.name != "real":
        return AbstractValue(range=(subject.domain.low, subject.domain.high), uses_target=True)
    bounded = subject.task in ("binary", "multiclass", "segmentation")
    bounds = (0.0, 1.0) if bounded else (-math.inf, math.inf)
    return AbstractValue(range=bounds, uses_target=subject.task is not None)


def _judge(survey: Survey) -> Audit:
    subject = survey.subject
    findings = _with_rewrites(survey, _findings(survey))
    return Audit(
        loss=subject.name,
        kind=subject.kind,
        task=subject.task,
        domain=subject.domain.name,
        head=subject.head,
        verdict=verdict_of(findings),
        properties=properties(survey, findings),
        findings=tuple(sorted(findings, key=_rank)),
        suspects=tuple(suspects(survey)),
        targets={target.name: target.value for target in subject.targets},
        notes=(
            *subject.notes,
            *half_precision(survey).refusals,
            *_doubts(survey, findings),
        ),
        shapes=shapes(survey),
    )


def _findings(survey: Survey) -> list[Finding]:
    """Returns the findings of every code."""
    return [finding for find in finders().values() for finding in find(survey)]


def _rank(finding: Finding) -> tuple[int, str]:
    """A sort key: most severe first, then by code."""
    return SEVERITIES.index(finding.severity), finding.code


def _doubts(survey: Survey, findings: list[Finding]) -> list[str]:
    """Returns a note if predictions may be probabilities that were taken for logits."""
    subject = survey.subject
    if subject.domain.name != "real" or subject.task in (None, "regression"):
        return []
    if survey.operations() & _SQUASHING or verdict_of(findings) != "untrainable":
        return []
    return [
        "no operation turns logits into probabilities: if it expects probabilities, audit it with "
        "--domain unit (or simplex), or with the --head before it"
    ]


def _with_rewrites(survey: Survey, findings: list[Finding]) -> list[Finding]:
    """Returns the findings; suggestions name the findings that a rewrite was measured to remove."""
    if survey.subject.kind != "loss":
        return findings
    codes = {finding.code for finding in findings}
    for change, loss in rewrites(survey, codes):
        after = _findings_after(survey, loss)
        if after is None:
            continue
        gone = (codes & _MENDED) - {finding.code for finding in after}
        if not gone:
            continue
        effect = (
            f"{change}, it is {verdict_of(after)}: {', '.join(sorted(gone))} gone (audited as well)"
        )
        worst = min((f for f in findings if f.code in gone), key=lambda f: _rank(f)[0])
        extended = replace(worst, suggestion=f"{worst.suggestion}; {effect}")
        findings = [extended if finding is worst else finding for finding in findings]
    return findings


def _findings_after(survey: Survey, loss: Callable[..., Any]) -> list[Finding] | None:
    """Returns the findings of the rewritten loss; None if it cannot be audited."""
    try:
        return _findings(_survey(survey.subject.replaced(loss), survey.seed))
    except Exception:  # the rewrite does not fit this program, so no effect is claimed
        return None

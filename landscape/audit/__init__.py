"""A judgement of a loss without training it: what autodiff and descent will meet, with evidence.

Two halves need each other. The rules of composition, read off the traced program, prove the good
cases and list the suspects of the others; measurement at exactly those suspects decides.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from landscape.audit import batch, floats, gradients, minima, smoothness
from landscape.audit.findings import (
    PROPERTIES,
    Audit,
    Finding,
    Property,
    Suspect,
    Where,
    judge,
)
from landscape.audit.measure.shapes import shapes
from landscape.audit.measure.subject import Subject, build
from landscape.audit.measure.survey import Survey
from landscape.audit.properties import properties
from landscape.audit.rewrites import rewrites
from landscape.audit.static import reader
from landscape.audit.static.abstract import AbstractValue
from landscape.audit.static.equations import equations
from landscape.audit.static.intervals import AFFINE

__all__ = ["PROPERTIES", "Audit", "Finding", "Property", "Suspect", "Where", "audit"]

# What a change of the program is made for.
_MENDED = {"D101", "G201", "G202", "G204", "G205", "N301", "N302"}
_ORDER = {"error": 0, "warning": 1, "note": 2}


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
    """The audit of a function, as it would be trained in float32.

    `loss(predictions, targets)`, or `f(x)` with `kind` "activation" or "function". `task` is
    regression, binary, multiclass or segmentation (None: guessed from names and shapes); `domain`
    says where predictions live: real, unit, simplex or positive (None: real, unless the function
    has `from_logits=False`); `head` puts a sigmoid or softmax
    before the loss; `order` is auto, predictions-first or targets-first; `targets` is auto,
    onehot, labels, signed or zero_one; `outputs` is the number of classes, 4 by default. The same
    arguments give the same audit. UserError where the function cannot be audited, with the line
    of it that is at fault.
    """
    subject = build(
        loss,
        kind=kind,
        task=task,
        domain=domain,
        head=head,
        order=order,
        form=targets,
        outputs=outputs,
        name=name,
    )
    with np.errstate(all="ignore"):
        return _judge(_survey(subject, seed))


def _survey(subject: Subject, seed: int) -> Survey:
    inputs = [_prediction(subject), _target(subject)]
    reading = reader.read(subject.value, inputs)
    slopes = reader.read(subject.gradient, inputs)
    survey = Survey(subject, reading, slopes, seed)
    survey.probe.prepare([*floats.HALVES, "float32"])
    return survey


def _prediction(subject: Subject) -> AbstractValue:
    domain = subject.domain
    return AbstractValue(range=(domain.low, domain.high), varies=True, convexity=AFFINE)


def _target(subject: Subject) -> AbstractValue:
    bounds = {"binary": (0.0, 1.0), "multiclass": (0.0, 1.0), "segmentation": (0.0, 1.0)}
    if subject.form == "signed":
        return AbstractValue(range=(-1.0, 1.0), uses_target=True)
    if subject.form == "labels":
        return AbstractValue(range=(0.0, math.inf), uses_target=True)
    if subject.task == "regression" and subject.domain.name != "real":
        return AbstractValue(range=(subject.domain.low, subject.domain.high), uses_target=True)
    known = bounds.get(str(subject.task), (-math.inf, math.inf))
    return AbstractValue(range=known, uses_target=subject.task is not None)


def _judge(survey: Survey) -> Audit:
    subject = survey.subject
    found, notes = _findings(survey)
    found = _with_rewrites(survey, found)
    return Audit(
        loss=subject.name,
        kind=subject.kind,
        task=subject.task,
        domain=subject.domain.name,
        head=subject.head,
        verdict=judge(found),
        properties=properties(survey, found),
        findings=tuple(sorted(found, key=lambda f: (_ORDER[f.severity], f.code))),
        suspects=tuple(smoothness.suspects(survey)),
        targets={target.name: target.value for target in subject.targets},
        notes=(*subject.notes, *notes, *_doubts(subject, found)),
        shapes=shapes(survey),
    )


def _doubts(subject: Subject, found: list[Finding]) -> list[str]:
    """A note where predictions may be probabilities that were taken for logits."""
    names = {eqn.primitive.name for _, eqn, _ in equations(subject.value)}
    if subject.domain.name != "real" or subject.task in (None, "regression"):
        return []
    if names & {"logistic", "exp", "tanh", "erf"} or judge(found) != "untrainable":
        return []
    return [
        "nothing in it turns logits into probabilities: if it is made for probabilities, audit it "
        "with --domain unit (or simplex), or with the --head that feeds it"
    ]


def _findings(survey: Survey) -> tuple[list[Finding], list[str]]:
    """Everything that was found, and notes on what could not be tried."""
    wrong = gradients.disagreement(survey)
    survey.trusted = not wrong
    smoothness.cross(survey, trusted=not wrong)
    broken, notes = floats.findings(survey)
    found = [
        *smoothness.findings(survey, trusted=not wrong),
        *gradients.findings(survey, wrong),
        *broken,
        *minima.findings(survey),
        *batch.findings(survey),
    ]
    return found, notes


def _with_rewrites(survey: Survey, found: list[Finding]) -> list[Finding]:
    """The findings, those that a change was made for with what the change brings."""
    if survey.subject.kind != "loss":
        return found
    codes = {finding.code for finding in found}
    for what, changed in rewrites(survey, codes):
        after = _after(survey, changed)
        if after is None:
            continue
        verdict, left = after
        gone = {code for code in codes - left if code in _MENDED}
        if not gone:
            continue
        text = f"{what}, it is {verdict}: {', '.join(sorted(gone))} gone (audited as well)"
        first = min((f for f in found if f.code in gone), key=lambda f: _ORDER[f.severity])
        told = replace(first, suggestion=f"{first.suggestion}; {text}")
        found = [told if f is first else f for f in found]
    return found


def _after(survey: Survey, changed: Callable[..., Any]) -> tuple[str, set[str]] | None:
    """Verdict and codes of the loss with a change made; None where it cannot be audited."""
    try:
        again = survey.subject.replaced(changed)
        found, _ = _findings(_survey(again, survey.seed))
    except Exception:  # the change does not fit this program, so nothing is claimed of it
        return None
    return judge(found), {finding.code for finding in found}

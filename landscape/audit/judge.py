"""Judges a loss without training it: problems of autodiff and gradient descent, with evidence.

Two halves need each other. The rules of composition, applied to the traced program, prove the good
cases and list suspect operations in the others; measurement at exactly those operations decides.
"""

import functools
import importlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from landscape.audit.measure.aims import aim as aim_of
from landscape.audit.measure.batches import batch_notes
from landscape.audit.measure.build_subject import build
from landscape.audit.measure.crossings import CODES, SMOOTH, UNCLEAR
from landscape.audit.measure.flatness import flatness_notes
from landscape.audit.measure.halves import HALVES, half_precision, has_sensitive_constants
from landscape.audit.measure.shapes import shapes
from landscape.audit.measure.subject import Subject, SubjectOptions
from landscape.audit.measure.survey import Survey
from landscape.audit.measure.switching import crossings, switching
from landscape.audit.properties import properties
from landscape.audit.rewrites import rewrites
from landscape.audit.static import reader
from landscape.audit.static.abstract import AbstractValue
from landscape.audit.static.intervals import AFFINE
from landscape.audit.static.reader import OPEN, Site
from landscape.errors import UserError
from landscape.interop.libraries import described, in_its_words, learn_targets
from landscape.storage.audit_records import Audit, Finding, Severity, Suspect, Verdict

_CODES = Path(__file__).parent / "codes"
_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
# The codes that a rewrite is meant to remove.
_REWRITABLE = {"B502", "D101", "G201", "G202", "G204", "G205", "N301", "N302"}
_NON_FINITE = {"N301", "N302"}
_HALF = "N303"
_ATTEMPTS = 3  # at a loss of PyTorch that is recorded again for targets that occur in the audit
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
    aim: str = "auto",
    outputs: int | None = None,
    target_range: tuple[float, float] | None = None,
    example: Mapping[str, np.ndarray] | None = None,
    call: str = "predictions-targets",
    result: str | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Audit:
    """Returns the audit of a function, as it would be trained in float32.

    `loss(predictions, targets)`, or `f(x)` with `kind` "activation" or "function". `task` is one of
    the tasks (None: guessed from names and shapes); `domain` is the domain of predictions: real,
    unit, simplex, positive, symmetric (-1 to 1), log_simplex or sphere (None: real, unless the
    function has `from_logits=False`); `head` puts a layer before the loss: sigmoid, softmax,
    log_softmax, tanh, softplus, exp or normalize; `order` is auto, predictions-first or
    targets-first; `targets` is auto, onehot, labels, signed or zero_one; `aim` is auto, target,
    order, distribution, decision or none (`measure.aims`); `outputs` is the number of outputs or
    classes; `target_range` has the least and the largest target of a regression; `example` has
    arrays of some examples, by the names of the arguments. `call` is predictions-targets,
    model-inputs-targets or params-batch; `result` the entry of a returned dictionary that is the
    loss. The same arguments give the same audit.
    Raises UserError if the function cannot be audited, and names its line at fault.
    """
    options = SubjectOptions(
        kind=kind,
        task=task,
        domain=domain,
        head=head,
        order=order,
        form=targets,
        outputs=outputs,
        name=name or "",
        aim=aim,
        target_range=None if target_range is None else _range(target_range),
        example=example,
        call=call,
        result=result,
    )
    for _ in range(_ATTEMPTS):
        judged, function = _audited(loss, options, seed)
        if not learn_targets(function):
            return judged
    raise UserError(
        f"`{judged.loss}` does something else for each of its targets",
        hint="compute with torch operations on the targets, such as sums of masks and torch.where",
    )


def _audited(loss: Callable, options: SubjectOptions, seed: int) -> tuple[Audit, Callable]:
    """Returns the audit, and the function that it called."""
    subject = build(loss, options)
    with np.errstate(all="ignore"):
        survey = _survey(subject, seed)
        # Compiled in the background.
        survey.probe.prepare(["float32", *(HALVES if has_sensitive_constants(survey) else ())])
        return _judge(survey), subject.function


def _range(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = map(float, ends)
    if not low < high:
        raise UserError(
            f"the range of the targets is {low:g} to {high:g}",
            hint="state the least target first, such as (0, 100)",
        )
    return low, high


def _survey(subject: Subject, seed: int) -> Survey:
    domain = subject.domain
    prediction = AbstractValue(range=(domain.low, domain.high), varies=True, convexity=AFFINE)
    target = AbstractValue(range=_target_range(subject), uses_target=subject.task is not None)
    fields = [AbstractValue(uses_target=True)] * (len(subject.value.jaxpr.invars) - 2)
    reading = reader.read(subject.value, [prediction, target, *fields])
    slopes = reader.read(subject.gradient, [prediction, target, *fields])
    return Survey(subject, reading, slopes, seed)


def _target_range(subject: Subject) -> tuple[float, float]:
    if subject.form == "signed":
        return -1.0, 1.0
    if subject.form == "labels":
        return 0.0, math.inf
    if subject.goal == "numbers" and subject.domain.name != "real":
        return subject.domain.low, subject.domain.high
    if subject.target_range is not None:
        return subject.target_range
    return (0.0, 1.0) if subject.goal in ("sides", "classes") else (-math.inf, math.inf)


def _judge(survey: Survey) -> Audit:
    subject = survey.subject
    findings = _with_rewrites(survey, _findings(survey))
    words = functools.partial(in_its_words, subject.function)
    findings = [
        replace(f, message=words(f.message), suggestion=f.suggestion and words(f.suggestion))
        for f in findings
    ]
    return Audit(
        loss=subject.name,
        kind=subject.kind,
        task=subject.task,
        domain=subject.domain.name,
        head=subject.head,
        aim=aim_of(survey).name if subject.kind == "loss" else None,
        rows=subject.rows if subject.kind == "loss" else 1,
        library=described(subject.function, subject.kind),
        verdict=_verdict_of(findings),
        properties=properties(survey),
        findings=tuple(sorted(findings, key=_rank)),
        suspects=tuple(_suspects(survey)),
        targets={target.name: target.value for target in subject.targets},
        notes=tuple(map(words, _notes(survey, findings))),
        shapes=shapes(survey),
    )


def _notes(survey: Survey, findings: list[Finding]) -> list[str]:
    return [
        *survey.subject.notes,
        *_aim_notes(survey),
        *batch_notes(survey),
        *flatness_notes(survey),
        *half_precision(survey).refusals,
        *_doubts(survey, findings),
    ]


def _findings(survey: Survey) -> list[Finding]:
    return [finding for find in finders().values() for finding in find(survey)]


@functools.cache
def finders() -> dict[str, Callable[[Survey], list[Finding]]]:
    """Returns the function `find` per code; the folder `codes` has one module per code."""
    names = sorted(path.stem for path in _CODES.glob("[!_]*.py"))
    modules = {name: importlib.import_module(f"landscape.audit.codes.{name}") for name in names}
    return {name.partition("_")[0].upper(): module.find for name, module in modules.items()}


def _rank(finding: Finding) -> tuple[int, int, str]:
    """A sort key: most severe first, then what ends training for certain, then by code."""
    urgency = 2 - (finding.code in _NON_FINITE)
    if finding.evidence.get("right_predictions"):
        urgency = 0
    return _SEVERITIES.index(finding.severity), urgency, finding.code


def _verdict_of(findings: Iterable[Finding]) -> Verdict:
    severities = {finding.severity for finding in findings}
    if "error" in severities:
        return "untrainable"
    return "care" if "warning" in severities else "trainable"


def _aim_notes(survey: Survey) -> list[str]:
    """Returns a note on an aim that is unusual for the task."""
    aim = aim_of(survey)
    subject = survey.subject
    if subject.kind != "loss" or aim.has_right_predictions or aim.name == subject.usual_aim:
        return []
    return [f"its aim is {aim.name}: {aim.reason} (--aim decides)"]


def _doubts(survey: Survey, findings: list[Finding]) -> list[str]:
    """Returns a note if predictions may be probabilities that were taken for logits."""
    subject = survey.subject
    if subject.domain.name != "real" or subject.goal not in ("sides", "classes"):
        return []
    if survey.operations() & _SQUASHING or _verdict_of(findings) != "untrainable":
        return []
    return [
        "no operation turns logits into probabilities: if the loss expects them, audit it with "
        "--domain unit (or simplex), or with the --head before it"
    ]


def _with_rewrites(survey: Survey, findings: list[Finding]) -> list[Finding]:
    """Returns the findings; suggestions name the findings that a rewrite was measured to remove.

    Notes are not part of a verdict, so rewritten losses are not compared in half precision.
    """
    if survey.subject.kind != "loss":
        return findings
    codes = {finding.code for finding in findings}
    if _verdict_of(findings) == "trainable":
        codes -= {"B502"}  # a sum over the batch is not a reason to audit another loss
    for change, loss in rewrites(survey, codes).items():
        try:
            rewritten = _survey(survey.subject.replaced(loss), survey.seed)
            after = [
                f for code, find in finders().items() if code != _HALF for f in find(rewritten)
            ]
        except Exception:
            after = findings  # the rewrite does not fit this program, so it removes nothing
        removed = (codes & _REWRITABLE) - {finding.code for finding in after}
        if removed:
            effect = f"{change}, the verdict is {_verdict_of(after)}, without "
            effect += f"{', '.join(sorted(removed))} (audited as well)"
            worst = min((f for f in findings if f.code in removed), key=lambda f: _rank(f)[0])
            extended = replace(worst, suggestion=f"{worst.suggestion}; {effect}")
            findings = [extended if finding is worst else finding for finding in findings]
    return findings


def _suspects(survey: Survey) -> list[Suspect]:
    """Returns the operations that can switch, with the result of measuring at their switches."""
    positions = {site.number: i for i, site in enumerate(survey.probe.sites)}
    return [_suspect(survey, site, positions.get(site.number)) for site in survey.reading.sites]


def _suspect(survey: Survey, site: Site, position: int | None) -> Suspect:
    if site.status != OPEN:
        fate, detail = site.status, site.reason
    elif position is None:
        fate, detail = "inconclusive", "no rule and no measurement applies to it"
    else:
        orders = [c.order for c in crossings(survey) if c.site == position]
        fate, detail = _fate(orders, position in switching(survey).moved)
    return Suspect(site.operation, fate, detail, survey.place_of(site))


def _fate(orders: Sequence[int], moved: bool) -> tuple[str, str]:
    """Returns the fate of a site with crossings of these orders, and the reason."""
    broken = [order for order in orders if order in CODES]
    if broken:
        codes = sorted({CODES[order] for order in broken})
        return "confirmed", f"{', '.join(codes)} at {len(broken)} of {len(orders)} switches"
    smooth = sum(order == SMOOTH for order in orders)
    if smooth:
        return "cancelled", f"smooth across {smooth} switches to the third derivative"
    if any(order == UNCLEAR for order in orders):
        return "inconclusive", "between a jump and a steep slope"
    if orders:
        return "unreachable", "only at the edge of the region where the function is finite"
    if moved:
        return "inconclusive", "it switches, but its switches could not be separated"
    return "unreachable", "never switched on any line"

"""S403, a wrong minimizer: the loss is lower somewhere else than at its target.

In classification, the lowest value lies on the wrong side. In regression, predictions of equal
targets, or predictions near varied targets, cost less than the targets themselves. Of embeddings,
equal ones of all examples cost less than any others.

## Why

Training leads elsewhere.

## Severity

Error in classification, for embeddings, and in regression if predictions are not led to their
targets. Warning if all targets are missed by the same amount or only some are missed, if descent
ends near the targets, or if the loss takes further arrays that may decide where predictions go.
Note if the minimizer grows with the target, as under a link such as the logarithm.

## Instead

Check the sign, the order of arguments, and the form of targets.

## Example (--task binary)

    import jax


    def logistic(logits, labels):
        margins = (2 * labels - 1) * logits
        return jax.nn.softplus(margins)

## Fixed

    import jax


    def logistic(logits, labels):
        margins = (2 * labels - 1) * logits
        return jax.nn.softplus(-margins)
"""

import numpy as np

from landscape.audit.codes import _minima
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.measure.descent import descend
from landscape.audit.measure.domains import EXTREME, Target
from landscape.audit.measure.survey import Path, Survey
from landscape.audit.measure.targets import learns_nothing
from landscape.storage.audit_records import Finding, Severity

UNDIRECTED = ("weights", "mask")  # fields that leave the minimizer where it is
TOLERANCE = 1e-6  # of differences of values, relative to their spread
NEIGHBORS = 120  # random points around varied targets, at each of two distances
STARTS = 16  # of descent, plausible predictions
NEARER = 0.5  # the distance of the ends of descent, relative to that of the mean
DISTANCES = (0.03, 0.3)


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding."""
    if survey.subject.task == "embedding":
        return _collapse(survey)
    is_order = survey.subject.goal == "order"
    if not (is_order or _minima.judges_single_targets(survey)) or learns_nothing(survey):
        return []
    if survey.subject.goal == "numbers":
        finding = _regression(survey) or _lower_nearby(survey)
        return [] if finding is None else [finding]
    findings = (_wrong_side(survey, path) for path in survey.judged_paths)
    return [finding for finding in findings if finding is not None][:1]


def _collapse(survey: Survey) -> list[Finding]:
    """Returns a finding if no embeddings of two classes cost less than equal ones."""
    sample = survey.plausible[0]
    if survey.subject.rows == 1 or survey.gradient_is_zero:
        return []
    equal = np.broadcast_to(sample.points[:, :1], sample.points.shape)
    _, values = descend(survey, sample.target, sample.points[:STARTS] / 3, lowest=-np.inf)
    collapsed = survey.probe.values(equal, sample.target)
    if not (np.isfinite(values).any() and np.isfinite(collapsed).all()):
        return []
    if collapsed.max() > np.nanmin(values):
        return []
    return [
        Finding(
            code="S403",
            severity="error",
            message=(
                f"equal embeddings of all examples cost {collapsed.max():.4g}, and no others less: "
                f"training leads to one embedding for all classes ({sample.target.name})"
            ),
            where=_minima.result_place(survey),
            evidence={
                "target": sample.target.name,
                "lower": quote(equal[0]),
                "value": quote(collapsed.max()),
                "least_of_others": quote(np.nanmin(values)),
            },
            suggestion="push examples of different classes apart, up to a margin or by a softmax",
        )
    ]


def _wrong_side(survey: Survey, path: Path) -> Finding | None:
    """Returns a finding if a classification loss is lower for wrong predictions than for right."""
    middle = 0.5 if survey.subject.domain.bounded else 0.0
    inside = np.isfinite(path.value) & (np.abs(path.steps) <= EXTREME)
    wrong, right = inside & (path.steps > middle), inside & (path.steps < middle)
    if not wrong.any() or not right.any():
        return None
    best_wrong, best_right = path.value[wrong].min(), path.value[right].min()
    tolerance = TOLERANCE * max(np.ptp(path.value[inside]), abs(best_right) * 1e-6)
    if best_wrong >= best_right - tolerance:
        return None
    point = path.points[np.flatnonzero(wrong)[np.argmin(path.value[wrong])]]
    return Finding(
        code="S403",
        severity="error",
        message=(
            f"the minimum is on the wrong side: {best_wrong:.4g} at {brief(point)}, but no less "
            f"than {best_right:.4g} for right predictions ({path.target.name}): training moves "
            "predictions away from their targets"
        ),
        where=_minima.result_place(survey),
        evidence={
            "target": path.target.name,
            "wrong": quote(point),
            "value": quote(best_wrong),
            "best_right": quote(best_right),
        },
        suggestion="check the sign, the order of arguments (--order) and the form of targets",
    )


def _regression(survey: Survey) -> Finding | None:
    """Returns a finding if predictions of equal targets are lowest elsewhere."""
    minimizers = _minima.regression_minimizers(survey)
    if not minimizers.missed:
        return None
    severity, effect = _severity(minimizers)
    first = minimizers.missed[0]
    further = [name for name in first.path.target.fields if name not in UNDIRECTED]
    if severity == "error" and further:
        severity, effect = "warning", f"unless {', '.join(further)} decide where predictions go"
    return Finding(
        code="S403",
        severity=severity,
        message=(
            f"the target is not the minimizer: {first.value:.4g} at {first.minimizer:.4g}, but "
            f"{first.value_at_target:.4g} at the target ({first.path.target.name}); {effect}"
        ),
        where=_minima.result_place(survey),
        evidence={
            "targets": quote(minimizers.targets),
            "minimizers": quote(minimizers.points),
            "value": quote(first.value),
            "value_at_target": quote(first.value_at_target),
        },
        suggestion="check the sign of the error and constants added to it",
    )


def _severity(minimizers: _minima.Minimizers) -> tuple[Severity, str]:
    """Returns the severity, and the effect on training."""
    if minimizers.linked:
        return "note", "it grows with the target, as for a link such as the logarithm"
    if minimizers.increase:
        return "warning", "predictions will be off by as much"
    never_decrease = (np.diff(minimizers.points) >= -1e-9).all()
    if never_decrease and len(minimizers.missed) < len(minimizers.targets):
        return "warning", "predictions are not led to some of the targets"
    return "error", "predictions are not led to their targets"


def _ends_near(survey: Survey, target: Target) -> bool:
    """Whether descent ends nearer to varied targets than their mean is."""
    ends, _ = descend(survey, target, survey.plausible[0].points[:STARTS] / 3, lowest=-np.inf)
    missed = np.abs(ends - target.value).reshape(len(ends), -1).mean(1)
    spread = np.abs(target.value - target.value.mean()).mean()
    return bool(np.median(missed) < NEARER * spread)


def _lower_nearby(survey: Survey) -> Finding | None:
    """Returns a finding if predictions near varied targets, or at their mean, cost less."""
    subject = survey.subject
    if subject.size == 1 or subject.domain.name != "real":
        return None
    target = subject.targets[0]
    rng = np.random.default_rng([survey.seed, 403])
    offsets = rng.normal(size=(NEIGHBORS, *subject.shape))
    to_mean = (target.value.mean() - target.value)[None]
    moved = np.concatenate([*(distance * offsets for distance in DISTANCES), to_mean])
    points = np.concatenate([target.value[None], target.value + moved])
    values = survey.probe.values(points, target)
    if not np.isfinite(values).any():
        return None
    low = int(np.nanargmin(values))
    if not values[0] > values[low] + TOLERANCE * np.nanmedian(np.abs(values - values[0])):
        return None
    severity: Severity = "error"
    effect = "predictions are not led to their targets"
    if _ends_near(survey, target):
        severity, effect = "warning", "predictions are led near their targets, not to them"
    elif subject.rows > 1:  # a ranking may intend it
        severity = "warning"
    return Finding(
        code="S403",
        severity=severity,
        message=(
            f"the targets are not the minimizer: {values[0]:.4g} at the targets, but "
            f"{values[low]:.4g} at {brief(points[low])}: {effect}"
        ),
        where=_minima.result_place(survey),
        evidence={
            "targets": quote(target.value),
            "lower": quote(points[low]),
            "value": quote(values[low]),
            "value_at_target": quote(values[0]),
        },
        suggestion="compare each prediction with its target only",
    )

"""Predictions at which float32 gives NaN or infinity: for N301 (the value) and N302 (the gradient).

All predictions up to 30 count; of those beyond, up to 1e4, only those at which the result is NaN or
the true value is at most 1e37: overflow of a squared error of 1e30 is expected.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from landscape.audit.codes._advice import GUARD, advice
from landscape.audit.codes._minima import judges_single_targets
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.codes._origins import (
    Origin,
    first_broken,
    first_singular,
    weight_is_infinite,
)
from landscape.audit.measure import domains
from landscape.audit.measure.domains import FAR, Target, is_degenerate
from landscape.audit.measure.survey import Path, Survey, component_paths, once
from landscape.audit.measure.switching import special_points
from landscape.storage.audit_records import Severity, Where

Array = np.ndarray
Part = Literal["value", "gradient"]
REPRESENTABLE = 1e37  # a true value up to this is within float32
COMMON = 0.01  # an error above this share of the plausible predictions of one target
_REFINEMENTS, _STEPS = 3, 65  # of the search for the smallest step of a path that fails


class NonFiniteResult(NamedTuple):
    """A failure at the smallest prediction: the fields of a finding, without its code."""

    severity: Severity
    message: str
    where: Where | None
    evidence: dict[str, Any]
    suggestion: str


@once
def non_finite_value(survey: Survey) -> NonFiniteResult | None:
    """Returns the smallest prediction at which the value is not finite, if any."""
    return _non_finite(survey, "value")


@once
def non_finite_gradient(survey: Survey) -> NonFiniteResult | None:
    """Returns the smallest prediction at which the gradient is not finite, if any."""
    return _non_finite(survey, "gradient")


def _non_finite(survey: Survey, part: Part) -> NonFiniteResult | None:
    failures = [f for target in survey.subject.targets for f in _failures(survey, target, part)]
    if survey.subject.rows > 1:  # a failure for any other batch is worse than one for equal targets
        failures = [f for f in failures if not is_degenerate(f.target)] or failures
    if not failures:
        return None
    common = [failure for failure in failures if failure.share > COMMON]
    worst = min(common or failures, key=lambda failure: failure.distance)
    share = max(failure.share for failure in failures)
    origin = _origin(survey, part, worst)
    kind = "NaN" if any(failure.nan for failure in common or [worst]) else "infinite"
    extent = f"for {share:.0%} of plausible predictions, such as" if common else "at"
    point = f"{brief(worst.point)} ({worst.target.name or 'input'})"
    right = any(failure.right for failure in failures)
    effect = (
        "training that goes well gets there" if right else "one such example spoils the whole batch"
    )
    message = f"the {part} is {kind} {extent} {point}: {effect}"
    severity: Severity = "error" if common else "warning"
    if common and _is_degenerate(survey, [failure.target for failure in common]):
        name = worst.target.name.removesuffix(" only")
        message = f"the {part} is {kind} for a batch of {name} only: one such batch ends training"
        severity = _severity_of_batch(survey, worst)
    elif common and _needs_equal_numbers(survey, common):
        effect = "an example whose targets are all equal spoils its batch"
        message, severity = f"the {part} is {kind} {extent} {point}: {effect}", "warning"
    return NonFiniteResult(
        severity=severity,
        message=message,
        where=(origin and origin.where) or survey.definition,
        evidence={
            "target": worst.target.name,
            "at": quote(worst.point),
            part: "nan" if worst.nan else worst.shown,
            "float64": quote(worst.float64),
            "share": round(share, 4),
            "dtype": "float32",
            "right_predictions": right,
        },
        suggestion=advice(survey, origin.operation, origin.number) if origin else GUARD,
    )


def _origin(survey: Survey, part: Part, failure: "_Failure") -> Origin | None:
    """Returns the operation of the value's program at fault; for a gradient, else of its own."""
    point, target = failure.point, failure.target
    if part == "value":
        return first_broken(survey, survey.subject.value, point, target, np.float32)
    origin = first_singular(survey, point, target)
    if origin is not None:
        return origin
    origin = first_broken(survey, survey.subject.gradient, point, target, np.float32)
    return origin and origin._replace(number=None)


def _is_degenerate(survey: Survey, targets: Iterable[Target]) -> bool:
    """Whether a loss that mixes a batch fails for batches of equal targets only."""
    return survey.subject.rows > 1 and all(map(is_degenerate, targets))


def _needs_equal_numbers(survey: Survey, failures: list["_Failure"]) -> bool:
    """Whether several outputs fail only for targets that are all equal, which data rarely has."""
    subject = survey.subject
    if subject.goal != "numbers" or subject.size == 1 or subject.domain.name == "simplex":
        return False
    return all(np.ptp(failure.target.value) == 0 for failure in failures)


def _severity_of_batch(survey: Survey, failure: "_Failure") -> Severity:
    """Returns how bad it is that batches of equal targets fail.

    Numbers are hardly ever all equal, or all masked. A class that the batch lacks may get an
    infinite weight.
    """
    if survey.subject.goal == "numbers":
        return "note"
    return "error" if weight_is_infinite(survey, failure.point, failure.target) else "warning"


class _Failure(NamedTuple):
    """The failing prediction nearest to its target, of a group.

    `share` of the plausible ones fails; `right`: a right prediction fails.
    """

    target: Target
    point: Array
    distance: float
    nan: bool
    shown: Any
    float64: float
    share: float
    right: bool


class _Float32Results(NamedTuple):
    """Predictions of one kind with value and gradient in float32, and the value in float64."""

    target: Target
    points: Array
    value: Array
    gradient: Array
    wide_value: Array
    plausible: bool = False
    path: Path | None = None


def _results(survey: Survey, target: Target) -> Iterator[_Float32Results]:
    probe, points = survey.probe, special_points(survey, target)
    native = probe.native(points, target, np.float32)
    yield _Float32Results(target, points, *native, probe.values(points, target))
    for sample in survey.samples:
        if sample.target.name == target.name:
            native = probe.native(sample.points, target, np.float32)
            arrays = sample.points, *native, sample.derivatives.value
            yield _Float32Results(target, *arrays, plausible=not sample.wide)
    for path in (*survey.paths, *component_paths(survey)):
        if path.target.name == target.name:
            arrays = path.points, path.value32, path.gradient32, path.value
            yield _Float32Results(target, *arrays, path=path)


def _failures(survey: Survey, target: Target, part: Part) -> list[_Failure]:
    pairs = [(results, _counted(results, part)) for results in _results(survey, target)]
    share = sum(float(failing.mean()) for results, failing in pairs if results.plausible)
    failing_pairs = [pair for pair in pairs if pair[1].any()]
    return [_nearest_failure(survey, part, *pair, share) for pair in failing_pairs]


def _counted(results: _Float32Results, part: Part) -> Array:
    """Returns which predictions fail, without those whose overflow is expected."""
    bad, nan = _bad(results.value, results.gradient, part)
    near = np.abs(results.points).reshape(len(results.points), -1).max(1) <= FAR
    beyond = ~np.isfinite(results.wide_value) | (np.abs(results.wide_value) > REPRESENTABLE)
    counted = bad & (near | nan | ~beyond)
    return counted & (np.isfinite(results.value) | near | nan) if part == "gradient" else counted


def _bad(values: Array, slopes: Array, part: Part) -> tuple[Array, Array]:
    """Returns which results are not finite, and which are NaN."""
    rows = values[:, None] if part == "value" else slopes.reshape(len(slopes), -1)
    return ~np.isfinite(rows).all(1), np.isnan(rows).any(1)


def _nearest_failure(
    survey: Survey, part: Part, results: _Float32Results, failing: Array, share: float
) -> _Failure:
    center = results.target.center if survey.subject.goal == "numbers" else 0.0
    distance = np.abs(results.points - center).reshape(len(results.points), -1).max(1)
    i = int(np.flatnonzero(failing)[np.argmin(distance[failing])])
    point = results.points[i]
    if results.path and distance[i] != 0:
        point = _refined(survey, results.path, part, i)
    return _Failure(
        target=results.target,
        point=point,
        distance=float(distance[i]),
        nan=bool(_bad(results.value, results.gradient, part)[1][i]),
        shown=quote(results.value[i] if part == "value" else results.gradient[i]),
        float64=results.wide_value[i],
        share=share,
        right=_fails_if_right(survey, results, failing, distance),
    )


def _fails_if_right(
    survey: Survey, results: _Float32Results, failing: Array, distance: Array
) -> bool:
    """Whether a right prediction fails: one at its target, or on the right side."""
    subject = survey.subject
    if subject.kind != "loss" or not judges_single_targets(survey):
        return False
    if subject.goal == "numbers":
        return bool(np.any(failing & (distance == 0)))
    wrong = domains.wrong(subject.goal, subject.domain, results.points, results.target)
    return bool(np.any(failing & ~wrong & (distance > 0)))


def _refined(survey: Survey, path: Path, part: Part, i: int) -> Array:
    """Returns the smallest failing step of a path, after the sample before `i`."""
    bad = _bad(path.value32, path.gradient32, part)[0]
    inner = i - int(np.sign(path.steps[i])) if 0 < i < len(path.steps) - 1 else i
    low, high = path.steps[inner], path.steps[i]
    if bad[inner] or not np.isfinite([low, high]).all():
        return path.points[i]
    for _ in range(_REFINEMENTS):
        steps = np.linspace(low, high, _STEPS)
        points = path.points_at(steps)
        native = survey.probe.native(points, path.target, np.float32)
        first = int(np.argmax(_bad(*native, part)[0]))
        if first == 0:
            break
        low, high = steps[first - 1], steps[first]
    return path.points_at(np.array([high]))[0]

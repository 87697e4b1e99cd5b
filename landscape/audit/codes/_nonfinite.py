"""Predictions at which float32 gives NaN or infinity: for N301 (the value) and N302 (the gradient).

Counted are predictions up to 30, and beyond them, up to 1e4, those at which the result is NaN or
the true value is no larger than 1e37: overflow of a squared error of 1e30 is expected.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from landscape.audit.codes._numbers import brief, quote
from landscape.audit.codes._origins import Origin, first_broken
from landscape.audit.findings import Severity, Where
from landscape.audit.measure.domains import FAR, Target
from landscape.audit.measure.survey import Path, Survey, once
from landscape.audit.measure.switching import special_points
from landscape.audit.static.equations import equations
from landscape.audit.static.source import locate

Array = np.ndarray
Part = Literal["value", "gradient"]
REPRESENTABLE = 1e37  # a true value up to here is within float32
COMMON = 0.01  # share of the plausible predictions of one target from which on it is an error
_REFINEMENTS, _STEPS = 3, 65  # of the search for the smallest step of a path at which it happens


_FROM_LOGITS = "compute from logits: jax.nn.log_sigmoid(z), or optax.sigmoid_binary_cross_entropy"
_LOGARITHM = "keep the argument of the logarithm away from 0, or compute it from logits"
_ROOT = "a double where: jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0); or + epsilon"
_DIVISION = "add a small constant to the denominator, or choose the case with a double jnp.where"
_EXPONENT = "subtract the largest exponent first, as jax.nn.softmax and jax.nn.logsumexp do"
_GUARD = "guard the operation with a double jnp.where, so that the branch not taken is finite too"
_SUGGESTIONS = {
    **dict.fromkeys(("log", "log1p"), _LOGARITHM),
    **dict.fromkeys(("sqrt", "rsqrt"), _ROOT),
    "div": _DIVISION,
    **dict.fromkeys(("exp", "exp2", "expm1", "cosh", "sinh"), _EXPONENT),
}


@dataclass(frozen=True)
class Failure:
    """The smallest prediction at which it happens, and the largest `share` over all targets."""

    part: Part
    target: Target
    point: Array
    shown: Any
    float64: float
    nan: bool
    share: float
    origin: Origin | None

    @property
    def severity(self) -> Severity:
        return "error" if self.share > COMMON else "warning"

    def message(self) -> str:
        kind, name = "NaN" if self.nan else "infinite", self.target.name
        if self.share > COMMON:
            return (
                f"the {self.part} is {kind} for {self.share:.0%} of plausible predictions of "
                f"{name or 'any input'}, the smallest such prediction being {brief(self.point)} "
                f"({name or 'input'}): one such example turns the whole batch into NaN"
            )
        return (
            f"the {self.part} is {kind} at {brief(self.point)} ({name or 'input'}): one such "
            "example spoils the whole batch"
        )

    def evidence(self) -> dict[str, Any]:
        return {
            "target": self.target.name,
            "at": quote(self.point),
            self.part: self.shown,
            "float64": quote(self.float64),
            "share": round(self.share, 4),
            "dtype": "float32",
        }

    def where(self, survey: Survey) -> Where | None:
        """The place of the operation that fails, or of the function's definition."""
        return (self.origin and self.origin.where) or survey.definition

    def suggestion(self, survey: Survey) -> str:
        """What to write instead, by the operation that fails."""
        advice = _SUGGESTIONS.get(_failing_operation(survey, self.origin), _GUARD)
        if advice != _LOGARITHM:
            return advice
        if survey.place_of_operation(("logistic",)):
            return _FROM_LOGITS
        if survey.subject.domain.name == "real" and survey.subject.head is None:
            return f"{advice}; if predictions are probabilities, audit with --domain unit"
        return advice


def _failing_operation(survey: Survey, origin: Origin | None) -> str:
    """The primitive that fails; for one of autodiff's, the user's that it comes from, if known."""
    if origin is None:
        return ""
    primitives = {
        eqn.primitive.name
        for _, eqn, calls in equations(survey.subject.value)
        if locate(eqn, calls, survey.source_file) == origin.where
    }
    if origin.primitive in primitives:
        return origin.primitive
    return next((name for name in _SUGGESTIONS if name in primitives), "")


@once
def value_failure(survey: Survey) -> Failure | None:
    """Where the value is not finite."""
    return _failure(survey, "value")


@once
def gradient_failure(survey: Survey) -> Failure | None:
    """Where the gradient is not finite."""
    return _failure(survey, "gradient")


def _failure(survey: Survey, part: Part) -> Failure | None:
    hits = [hit for target in survey.subject.targets for hit in _hits(survey, target, part)]
    if not hits:
        return None
    common = [hit for hit in hits if hit.share > COMMON]
    worst = min(common or hits, key=lambda hit: hit.distance)
    program = survey.subject.value if part == "value" else survey.subject.gradient
    return Failure(
        part=part,
        target=worst.target,
        point=worst.point,
        shown="nan" if worst.nan else worst.shown,
        float64=worst.float64,
        nan=any(hit.nan for hit in common or [worst]),
        share=max(hit.share for hit in hits),
        origin=first_broken(survey, program, worst.point, worst.target, np.float32),
    )


class _Group(NamedTuple):
    """Predictions with value and gradient in float32, and the value in float64."""

    kind: Literal["special", "plausible", "wide", "path"]
    points: Array
    value: Array
    gradient: Array
    wide_value: Array


class _Hit(NamedTuple):
    """The prediction nearest to the target of those of a group at which it happens."""

    target: Target
    point: Array
    distance: float
    nan: bool
    shown: Any
    float64: float
    share: float


def _groups(survey: Survey, target: Target) -> Iterator[_Group]:
    probe, points = survey.probe, special_points(survey, target)
    native = probe.native(points, target, np.float32)
    yield _Group("special", points, *native, probe.values(points, target))
    for sample in survey.samples:
        if sample.target.name == target.name:
            native = probe.native(sample.points, target, np.float32)
            kind: Literal["wide", "plausible"] = "wide" if sample.wide else "plausible"
            yield _Group(kind, sample.points, *native, sample.derivatives.value)
    for path in survey.paths:
        if path.target.name == target.name:
            yield _Group("path", path.points, path.value32, path.gradient32, path.value)


def _hits(survey: Survey, target: Target, part: Part) -> list[_Hit]:
    groups = list(_groups(survey, target))
    counted = [_counted(group, part) for group in groups]
    pairs = list(zip(groups, counted, strict=True))
    share = sum(float(which.mean()) for group, which in pairs if group.kind == "plausible")
    return [_hit(survey, target, part, group, which, share) for group, which in pairs if any(which)]


def _counted(group: _Group, part: Part) -> Array:
    """At which predictions it happens and is no expected overflow."""
    bad, nan = _bad(group.value, group.gradient, part)
    near = np.abs(group.points).reshape(len(group.points), -1).max(1) <= FAR
    beyond = ~np.isfinite(group.wide_value) | (np.abs(group.wide_value) > REPRESENTABLE)
    counted = bad & (near | nan | ~beyond)
    return counted & (np.isfinite(group.value) | near | nan) if part == "gradient" else counted


def _bad(values: Array, slopes: Array, part: Part) -> tuple[Array, Array]:
    """Which results are not finite, and which are NaN."""
    rows = values[:, None] if part == "value" else slopes.reshape(len(slopes), -1)
    return ~np.isfinite(rows).all(1), np.isnan(rows).any(1)


def _hit(
    survey: Survey, target: Target, part: Part, group: _Group, counted: Array, share: float
) -> _Hit:
    center = target.value if survey.subject.task == "regression" else 0.0
    distance = np.abs(group.points - center).reshape(len(group.points), -1).max(1)
    i = int(np.flatnonzero(counted)[np.argmin(distance[counted])])
    point = group.points[i]
    if group.kind == "path" and distance[i] != 0:
        point = _refined(survey, next(p for p in survey.paths if p.target is target), part, i)
    return _Hit(
        target=target,
        point=point,
        distance=float(distance[i]),
        nan=bool(_bad(group.value, group.gradient, part)[1][i]),
        shown=quote(group.value[i] if part == "value" else group.gradient[i]),
        float64=group.wide_value[i],
        share=share,
    )


def _refined(survey: Survey, path: Path, part: Part, i: int) -> Array:
    """The smallest step of a path at which it happens, after the sample before `i`."""
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

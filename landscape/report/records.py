"""What the files of a run and of an experiment say beside traces and slices, as frozen values.

Every `parse_…` takes what JSON held and raises ValueError where that is not as the program writes
it. A number that JSON could not hold (null) is NaN.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Check:
    """One comparison of two ways to the same number; `passed` is None where it is undecided."""

    name: str
    where: str
    passed: bool | None
    value: float
    expected: float
    tolerance: float
    message: str


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Density:
    """Spectral density over eigenvalues: mean over probes, and the ends of its band."""

    eigenvalue: Array
    mean: Array
    low: Array
    high: Array
    width: float


@dataclass(frozen=True, eq=False)
class Operator:
    """What is known of one matrix: `largest` falls, `smallest` rises; residuals are of both."""

    largest: Array
    smallest: Array
    residual: float
    trace: Estimate
    frobenius: Estimate
    density: Density


@dataclass(frozen=True, eq=False)
class Place:
    """Curvature at one point: `trained`, `initial` or a `checkpoint`; `reasons` of what is not."""

    place: str
    step: float
    parameters: float
    squared_norm: float
    risk: float
    drop: float
    operators: Mapping[str, Operator]
    reasons: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Curvature:
    """All of curvature.json."""

    twice_differentiable: bool | None
    note: str
    points: tuple[Place, ...]

    def at(self, place: str) -> Place | None:
        """The point of that name."""
        return next((point for point in self.points if point.place == place), None)


@dataclass(frozen=True, eq=False)
class Solution:
    """A trained point under the losses of all runs that share its seed and start, by run."""

    run: str
    seed: int
    metric: float
    risks: Mapping[str, float]
    initial: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Interpolation:
    """The straight way from one trained point to another, under the losses of both ends."""

    kind: str
    runs: tuple[str, str]
    coordinates: Array
    metric: Array
    risks: Mapping[str, Array]
    drops: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Across:
    """All of across.json."""

    metric: str
    solutions: tuple[Solution, ...]
    interpolations: tuple[Interpolation, ...]
    problems: tuple[str, ...]


def parse_checks(found: object) -> tuple[Check, ...]:
    """The `checks` of summary.json."""
    return tuple(_check(mapping(entry)) for entry in _list(found))


def _check(entry: Mapping[str, Any]) -> Check:
    passed = entry["passed"]
    if passed is not None and not isinstance(passed, bool):
        raise ValueError(f"a check neither passed nor failed: {passed!r}")
    return Check(
        name=_text(entry["name"]),
        where=_text(entry["where"]),
        passed=passed,
        value=_number(entry.get("value")),
        expected=_number(entry.get("expected")),
        tolerance=_number(entry.get("tolerance")),
        message=_text(entry["message"]),
    )


def parse_curvature(found: object) -> Curvature:
    """curvature.json."""
    entry = mapping(found)
    twice = entry.get("twice_differentiable")
    points = tuple(_place(mapping(point)) for point in _list(entry["points"]))
    return Curvature(
        twice if isinstance(twice, bool) else None, _text(entry.get("note") or ""), points
    )


def _place(entry: Mapping[str, Any]) -> Place:
    operators = {name: mapping(item) for name, item in mapping(entry["operators"]).items()}
    return Place(
        place=_text(entry["place"]),
        step=_number(entry.get("step")),
        parameters=_number(entry.get("parameters")),
        squared_norm=_number(entry.get("squared_norm")),
        risk=_number(entry.get("risk")),
        drop=_number(entry.get("drop")),
        operators={n: _operator(item) for n, item in operators.items() if "reason" not in item},
        reasons={n: _text(item["reason"]) for n, item in operators.items() if "reason" in item},
    )


def _operator(entry: Mapping[str, Any]) -> Operator:
    largest, smallest = _numbers(entry["largest"]), _numbers(entry["smallest"])
    if not len(largest) or not len(smallest):
        raise ValueError("an operator without eigenvalues")
    residuals = np.concatenate(
        [_numbers(entry.get(f"{end}_residuals") or []) for end in ("largest", "smallest")]
    )
    curve = mapping(entry["density"])
    eigenvalue, mean, low, high = (
        _numbers(curve[name]) for name in ("eigenvalue", "mean", "low", "high")
    )
    if len({len(grid) for grid in (eigenvalue, mean, low, high)}) > 1:
        raise ValueError("a density whose columns differ in length")
    known = residuals[np.isfinite(residuals)]
    return Operator(
        largest=largest,
        smallest=smallest,
        residual=float(known.max()) if len(known) else np.nan,
        trace=_estimate(entry["trace"]),
        frobenius=_estimate(entry["frobenius"]),
        density=Density(eigenvalue, mean, low, high, _number(curve.get("width"))),
    )


def _estimate(found: object) -> Estimate:
    entry = mapping(found)
    return Estimate(_number(entry.get("value")), _number(entry.get("error")))


def parse_across(found: object) -> Across:
    """across.json."""
    entry = mapping(found)
    return Across(
        metric=_text(entry["metric"]),
        solutions=tuple(_solution(mapping(item)) for item in _list(entry["solutions"])),
        interpolations=tuple(
            _interpolation(mapping(item)) for item in _list(entry["interpolations"])
        ),
        problems=tuple(_text(item) for item in _list(entry.get("problems") or [])),
    )


def _solution(entry: Mapping[str, Any]) -> Solution:
    return Solution(
        run=_text(entry["run"]),
        seed=int(entry["seed"]),
        metric=_number(entry.get("metric")),
        risks=_each(entry["risks"], _number),
        initial=_each(entry["initial"], _number),
    )


def _interpolation(entry: Mapping[str, Any]) -> Interpolation:
    found = Interpolation(
        kind=_text(entry["kind"]),
        runs=(_text(entry["from"]), _text(entry["to"])),
        coordinates=_numbers(entry["coordinates"]),
        metric=_numbers(entry["metric"]),
        risks=_each(entry["risks"], _numbers),
        drops=_each(entry["drops"], _number),
    )
    length = len(found.coordinates)
    if length < 2 or any(len(line) != length for line in (found.metric, *found.risks.values())):
        raise ValueError("an interpolation whose columns differ in length")
    return found


def _each(found: object, parse: Callable[[object], Value]) -> dict[str, Value]:
    return {key: parse(value) for key, value in mapping(found).items()}


def mapping(value: object) -> dict[str, Any]:
    """The value, if it has keys."""
    if not isinstance(value, dict):
        raise ValueError(f"expected keys and values, found {type(value).__name__}")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list, found {type(value).__name__}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, found {type(value).__name__}")
    return value


def _number(value: object) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, found {type(value).__name__}")
    return float(value)


def _numbers(value: object) -> Array:
    return np.array([_number(item) for item in _list(value)], dtype=np.float64)

"""The results of an audit: findings, properties, suspects; frozen values that convert to JSON."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
Verdict = Literal["trainable", "care", "untrainable"]
PROPERTIES = (
    "smoothness",
    "convex",
    "lipschitz",
    "curvature",
    "range",
    "dead_fraction",
    "coverage",
)


@dataclass(frozen=True)
class Where:
    """An operation in the user's source: columns count from 1 and are None if unknown."""

    file: str
    line: int
    text: str = ""
    column: int | None = None
    end_column: int | None = None


@dataclass(frozen=True)
class Finding:
    """One defect or fact.

    `message` says what it is and what it means for training; `evidence` holds plain numbers from
    which it can be recomputed; `suggestion` says what to write instead.
    """

    code: str
    severity: Severity
    message: str
    where: Where | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    suggestion: str | None = None


@dataclass(frozen=True)
class Property:
    """`proved`: follows from rules for every prediction of the domain; `measured`: sampled."""

    value: Any
    how: Literal["proved", "measured"]


@dataclass(frozen=True)
class Suspect:
    """An operation that can switch.

    `fate`, the outcome of the suspicion: confirmed, cancelled, unreachable, target only, or
    inconclusive.
    """

    operation: str
    fate: str
    detail: str
    where: Where | None = None


@dataclass(frozen=True)
class Audit:
    """The judgment of one loss, activation or function; see docs/audit.md for every code.

    `targets`: by name, those that the evidence refers to.
    """

    loss: str
    kind: str
    task: str | None
    domain: str
    head: str | None
    verdict: Verdict
    properties: Mapping[str, Property]
    findings: tuple[Finding, ...]
    suspects: tuple[Suspect, ...] = ()
    targets: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    shapes: Mapping[str, Any] = field(default_factory=dict)

    def codes(self) -> set[str]:
        """The codes of the findings."""
        return {finding.code for finding in self.findings}

    def to_json(self, *, with_shapes: bool = False) -> dict[str, Any]:
        """Returns plain values for JSON; infinities and NaN are texts: "inf", "-inf" and "nan".

        `with_shapes` adds what a figure draws: curves, a plane, the limit table.
        """
        record: dict[str, Any] = plain(asdict(self if with_shapes else replace(self, shapes={})))
        for item in [*record["findings"], *record["suspects"]]:
            if item["where"] is not None:
                item["where"] = {k: v for k, v in item["where"].items() if v is not None}
        if not with_shapes:
            del record["shapes"]
        return record


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Returns `untrainable` with an error among the findings, `care` with a warning."""
    severities = {finding.severity for finding in findings}
    if "error" in severities:
        return "untrainable"
    return "care" if "warning" in severities else "trainable"


def plain(value: Any) -> Any:
    """Returns NumPy and infinite values as JSON can hold them."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value

"""The results of an audit: findings, properties, suspects; frozen values that convert to JSON."""

from collections.abc import Iterable

from landscape.storage.audit_records import (
    Audit,
    Finding,
    Property,
    Severity,
    Suspect,
    Verdict,
    Where,
)

__all__ = [
    "PROPERTIES",
    "Audit",
    "Finding",
    "Property",
    "Severity",
    "Suspect",
    "Where",
    "verdict_of",
]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
PROPERTIES = (
    "smoothness",
    "convex",
    "lipschitz",
    "curvature",
    "range",
    "dead_fraction",
    "coverage",
)


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Returns `untrainable` with an error among the findings, `care` with a warning."""
    severities = {finding.severity for finding in findings}
    if "error" in severities:
        return "untrainable"
    return "care" if "warning" in severities else "trainable"

"""What the audit of a loss means for its curvature: is there a Hessian, and a Gauss-Newton one?"""

from collections.abc import Iterable
from typing import NamedTuple

from landscape.storage.audit_records import AuditRecord, FailedAudit, Property
from landscape.storage.records import CurvaturePoint, CurvatureRecord, LossSmoothness

# Twice differentiable everywhere, by the audit's words.
TWICE = ("smooth", "C2")


class Smoothness(NamedTuple):
    """Of a loss in its prediction; None where the audit could not tell."""

    value: str | None
    how: str | None
    convex: bool | None

    @property
    def twice_differentiable(self) -> bool | None:
        return None if self.value is None else self.value in TWICE

    @property
    def note(self) -> str:
        """A sentence for a reader of the Hessian, empty where there is nothing to warn of."""
        if self.value is None:
            return "the audit could not tell whether the loss is twice differentiable"
        if self.twice_differentiable:
            return ""
        seen = {
            "C1": "its slope has corners, where the Hessian jumps",
            "C0": "it has kinks, and the Hessian, which is taken between them, misses their share",
        }.get(self.value, "it jumps, and neither gradient nor Hessian sees the jumps")
        return f"the loss is not twice differentiable ({self.value}, {self.how}): {seen}"

    @property
    def against_gauss_newton(self) -> str | None:
        """Why the Gauss-Newton matrix has no meaning, if it has none."""
        if self.convex:
            return None
        if self.convex is None:
            return "the audit could not tell whether the loss is convex in the prediction"
        return "the loss is not convex in the prediction"

    def record(self, points: Iterable[CurvaturePoint]) -> CurvatureRecord:
        """Returns the record of `curvature.json` with these points."""
        return CurvatureRecord(
            points=tuple(points),
            smoothness=LossSmoothness(self.value, self.how),
            convex=self.convex,
            twice_differentiable=self.twice_differentiable,
            note=self.note,
        )


def of_loss(audit: AuditRecord) -> Smoothness:
    """Returns the smoothness according to an audit; all unknown if the audit failed."""
    if isinstance(audit, FailedAudit):
        return Smoothness(None, None, None)
    unknown = Property(None, "measured")
    smoothness = audit.properties.get("smoothness", unknown)
    convex = audit.properties.get("convex", unknown)
    return Smoothness(smoothness.value, smoothness.how, convex.value)

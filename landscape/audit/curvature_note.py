"""Interprets an audit for curvature: whether the Hessian and the Gauss-Newton matrix exist."""

from collections.abc import Iterable
from typing import NamedTuple

from landscape.storage.audit_records import AuditRecord, FailedAudit, Property
from landscape.storage.curvature_records import CurvaturePoint, CurvatureRecord, LossSmoothness

TWICE = ("smooth", "C2")  # classes that are twice differentiable everywhere


class Smoothness(NamedTuple):
    """Smoothness and convexity of a loss in its prediction; None if the audit did not decide.

    `model` is whether the predictions are twice differentiable in the parameters; None if unknown.
    `of_risk`: a function of the parameters is the risk, without a loss that an audit could judge.
    """

    value: str | None
    how: str | None
    convex: bool | None
    model: bool | None = None
    of_risk: bool = False

    @property
    def twice_differentiable(self) -> bool | None:
        """Whether the Hessian of the risk exists everywhere; None if unknown.

        The risk is the loss of the predictions, so both must be twice differentiable.
        """
        answers = (None if self.value is None else self.value in TWICE, self.model)
        return False if False in answers else None if None in answers else True

    @property
    def note(self) -> str:
        """A warning about the Hessian; empty if loss and model are twice differentiable."""
        return "; ".join(text for text in (self._note_of_loss(), self._note_of_model()) if text)

    def _note_of_model(self) -> str:
        if self.of_risk:
            return ""
        if self.model is None:
            return "it is unknown whether the model is twice differentiable"
        if self.model:
            return ""
        return "the model is not twice differentiable: the Hessian misses its kinks"

    def _note_of_loss(self) -> str:
        if self.of_risk:
            return "it is unknown whether the risk is twice differentiable"
        if self.value is None:
            return "the audit leaves open whether the loss is twice differentiable"
        if self.value in TWICE:
            return ""
        consequence = {
            "C1": "its slope has corners, where the Hessian jumps",
            "C0": "it has kinks, whose curvature the Hessian, evaluated between them, misses",
        }.get(self.value, "it jumps, which neither the gradient nor the Hessian shows")
        return f"the loss is not twice differentiable ({self.value}, {self.how}): {consequence}"

    @property
    def against_gauss_newton(self) -> str | None:
        """The reason why the Gauss-Newton matrix is not meaningful; None if it is."""
        if self.convex:
            return None
        if self.convex is None:
            return "the audit leaves open whether the loss is convex in the prediction"
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


def of_loss(audit: AuditRecord, model: bool | None) -> Smoothness:
    """Returns the smoothness according to an audit; all unknown if the audit failed.

    `model` is whether the model is twice differentiable; None if unknown.
    """
    if isinstance(audit, FailedAudit):
        return Smoothness(None, None, None, model)
    unknown = Property(None, "measured")
    smoothness = audit.properties.get("smoothness", unknown)
    convex = audit.properties.get("convex", unknown)
    return Smoothness(smoothness.value, smoothness.how, convex.value, model)

"""What the audit of a loss means for its curvature: is there a Hessian, and a Gauss-Newton one?"""

from collections.abc import Mapping
from typing import Any, NamedTuple

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

    def to_json(self) -> dict[str, Any]:
        return {
            "smoothness": {"value": self.value, "how": self.how},
            "convex": self.convex,
            "twice_differentiable": self.twice_differentiable,
            "note": self.note,
        }


def of_loss(audit: Mapping[str, Any]) -> Smoothness:
    """From an audit as JSON; nothing is known where it could not be made."""
    properties = audit.get("properties", {})
    smooth, convex = properties.get("smoothness", {}), properties.get("convex", {})
    return Smoothness(smooth.get("value"), smooth.get("how"), convex.get("value"))

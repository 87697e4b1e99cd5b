"""What is true of a loss or an activation, written down from the literature and by hand.

Nothing here was read off an audit: every number was derived, then checked by brute force in
float64. The tables are `expected_losses`, `expected_optax` and `expected_activations`.

What the columns of a `Row` mean:

smoothness   class of the function of the prediction: `C0` has a kink, `C1` a jump of the second
             derivative, `C2` of the third. Several where the answer is a matter of definition.
convex       in the prediction, for each target of the task.
lipschitz    supremum of the Euclidean norm of the gradient of one example's loss (of one element,
             where the loss is elementwise) with respect to the prediction of that example; for
             multiclass losses, of four logits. inf for a jump.
curvature    supremum of the second derivative, or of the largest eigenvalue of the Hessian; of a
             kinked function over the points where it exists.
range        infimum and supremum of the value over predictions and the targets of the task.
finds        the codes that must be found. A bare code has its usual severity, the others are
             written `G202:warning`; `:any` leaves the severity open.
maybe        codes that are a matter of taste, as notes or warnings unless a severity is given.
             Where G205 is a warning, so is a warning of G202: float32 rounds such a gradient to
             exactly 0 sooner or later (that of brier beyond a logit of 17 or of -87).

A number in `lipschitz`, `curvature` or `range` may be replaced by FINITE, where it depends on the
size of the image, or by None, where it is neither simple nor of interest.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

INF = math.inf
FINITE = "finite"
Bound = float | str | None

# The severity of the codes that have one only; the others say it wherever they are expected.
USUAL = {
    "D101": "warning",
    "D102": "note",
    "D103": "note",
    "G201": "error",
    "G204": "note",
    "G206": "warning",
    "S401": "note",
}
# Notes that are statements of fact, so that a missing or an added one is wrong.
FACTS = {"D102", "D103", "G204", "G205", "S401"}
CLASSES = ("discontinuous", "C0", "C1", "C2", "smooth")


@dataclass(frozen=True)
class Row:
    """The truth about one function; see the head of this module."""

    function: str
    task: str | None
    smoothness: str | tuple[str, ...]
    convex: bool
    lipschitz: Bound
    curvature: Bound
    range: tuple[Bound, Bound] | None
    verdict: str
    finds: str = ""
    maybe: str = ""
    options: Mapping[str, float] = field(default_factory=dict)
    kind: str = "loss"

    @property
    def name(self) -> str:
        """The function and its options, short enough for the name of a test."""
        module, function = self.function.split(":")
        options = [f"{key}={value:g}" for key, value in self.options.items()]
        return ",".join([f"{module.removeprefix('landscape.parts.')}:{function}", *options])

    @property
    def expected(self) -> dict[str, str]:
        """Severity by code of what must be found; `any` where it is left open."""
        pairs = [token.split(":") for token in self.finds.split()]
        return {code: severity[0] if severity else USUAL[code] for code, *severity in pairs}

    @property
    def allowed(self) -> set[tuple[str, str]]:
        """Code and severity of what may be found beside it."""
        pairs = [token.split(":") for token in self.maybe.split()]
        return {
            (code, each) for code, *severity in pairs for each in (severity or ("note", "warning"))
        }


def verdict_of(severities: set[str]) -> str:
    """The verdict by the rule: the worst finding decides."""
    if "error" in severities:
        return "untrainable"
    return "care" if "warning" in severities else "trainable"

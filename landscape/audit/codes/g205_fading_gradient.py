"""G205, a fading gradient: the gradient fades where the prediction is most wrong.

On the path from right to most wrong, the gradient at the far end is below 1 % of the largest and
below half of its size a sixth of the way to 30, and the loss there is above its minimum.

## Why

Such examples are corrected slowly or never.

## Severity

Warning if the gradient at a prediction wrong by 30 (on bounded domains: at the far end, compared
with the median) is below 1e-3 of the largest. Note if it decreases more slowly, as for Cauchy's
loss, if it vanishes only within 1e-4 of the end of a bounded domain, if in classification it is
still a tenth of the largest at a logit wrong by 5, as for log(p + 1e-7), for activations and
functions, and for the aim `distribution`, as for a kernel of one width.

## Instead

Use a loss that grows at least linearly; cross entropy from logits.

## Example (--task binary)

    import jax
    import jax.numpy as jnp


    def probability_error(logits, labels):
        return jnp.square(jax.nn.sigmoid(logits) - labels)

## Fixed

    import optax


    def probability_error(logits, labels):
        return optax.sigmoid_binary_cross_entropy(logits, labels)
"""

from landscape.audit.codes._dead_regions import dead_regions
from landscape.audit.codes._fading import Fading, fading
from landscape.audit.measure.aims import aim
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding

SLOW = 1e-3  # a gradient that is still this share of the largest at 30 falls slowly
SATURATING = ("logistic", "tanh", "erf", "exp", "div", "log1p")
SUGGESTIONS = {
    "binary": "cross entropy from logits keeps its full gradient on confident mistakes",
    "multiclass": "cross entropy from logits keeps its full gradient on confident mistakes",
    "segmentation": "add a pixelwise cross entropy: it has a gradient where the overlap has none",
}
LINEAR = "a loss that grows at least linearly, such as huber, keeps its gradient"


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the side on which the gradient falls most."""
    if survey.gradient_is_zero:
        return []
    sides = fading(survey)
    if dead_regions(survey):
        sides = [side for side in sides if not side.cut]  # G202 reports the others
    if all(side.cut for side in sides):
        return []
    return [_finding(survey, min(sides, key=lambda side: (side.is_mild, side.at_30)))]


def _finding(survey: Survey, worst: Fading) -> Finding:
    is_loss, slow = survey.subject.kind == "loss", worst.at_30 >= SLOW
    is_distribution = is_loss and aim(survey).name == "distribution"
    is_mild = slow or worst.is_mild or not is_loss or is_distribution
    noun = "the most wrong predictions" if is_loss else "far inputs"
    zero = worst.zero_from
    exact = f", and is exactly zero in float32 from {zero:.4g} on" if zero is not None else ""
    return Finding(
        code="G205",
        severity="note" if is_mild else "warning",
        message=(
            f"the gradient {'falls' if slow else 'vanishes'} for {noun}: {worst.at_30:.2g} of its "
            f"largest at {worst.place:.4g} ({worst.target or 'any input'}){exact}; such examples "
            "are corrected slowly or never"
        ),
        where=survey.place_of_operation(SATURATING) or survey.definition,
        evidence=worst.evidence(),
        suggestion=SUGGESTIONS.get(survey.subject.task or "", LINEAR) if is_loss else None,
    )

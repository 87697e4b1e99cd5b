"""G202, a dead region: the gradient is exactly zero although the loss is above its minimum.

Judged for each target against the lowest value measured for it, so the flat side of a hinge, where
nothing is left to gain, is not a finding; nor are equal labels for a loss that ranks outputs. A
gradient that fades before it reaches zero is G205; G202 is an abrupt cut.

## Why

An example that starts there is never corrected.

## Severity

Warning: always for regression, and if the loss is constant for one kind of target, such as an empty
mask. Error in classification if more than 95 % of the mispredicted samples have no gradient, and
more than 95 % of predictions within 1 of 0, where an untrained model predicts. Note if the gradient
is cut only within 1e-4 of the end of a bounded domain, as by a clip of probabilities to 1e-7; and
for activations and functions: relu is flat on one side by design.

## Instead

Keep a nonzero slope; compute from logits; add a `smooth` term for empty masks.

## Example (--task regression)

    import jax.numpy as jnp


    def capped(predictions, targets):
        error = jnp.abs(predictions - targets)
        return jnp.minimum(jnp.square(error), 4.0)

## Fixed

    import jax.numpy as jnp


    def capped(predictions, targets):
        error = jnp.abs(predictions - targets)
        return jnp.where(error < 2, jnp.square(error), 4 * error - 4)
"""

from collections.abc import Sequence

import numpy as np

from landscape.audit.codes._dead_regions import DeadRegion, dead_place, dead_regions
from landscape.audit.codes._fading import END, Fading, fading
from landscape.audit.codes._numbers import brief
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding, Severity

NEARLY_ALL = 0.95  # of the mispredicted samples, and of predictions before training, for an error
UNTRAINED = 1.0  # predictions of an untrained model are within this distance of 0
UNTRAINED_SAMPLES = 64


def find(survey: Survey) -> list[Finding]:
    """Returns one finding for all constant targets, and one for all others with dead regions.

    Without any, one if every fading gradient is cut at the far end of its path, a part of the
    domain that is too small for samples.
    """
    if survey.gradient_is_zero:
        return []
    regions = dead_regions(survey)
    groups = [[r for r in regions if r.everywhere is everywhere] for everywhere in (True, False)]
    if regions:
        return [_finding(survey, group) for group in groups if group]
    faded = fading(survey)
    if not faded or not all(side.cut for side in faded):
        return []
    return [_far_end(survey, min(faded, key=lambda side: side.at_end_only))]


def _finding(survey: Survey, regions: Sequence[DeadRegion]) -> Finding:
    worst = max(regions, key=lambda region: (region.of_mispredicted, region.share))
    message, severity, suggestion = _judge(survey, worst, [region.target for region in regions])
    return Finding(
        code="G202",
        severity=severity,
        message=message,
        where=dead_place(survey, worst.target, everywhere=worst.everywhere),
        evidence=worst.evidence(),
        suggestion=suggestion,
    )


def _judge(survey: Survey, worst: DeadRegion, targets: Sequence[str]) -> tuple[str, Severity, str]:
    """Returns message, severity and suggestion."""
    low, high = worst.interval
    if survey.subject.kind != "loss":
        message = (
            f"the gradient is exactly zero for {worst.share:.0%} of plausible inputs ({low:.0%} to "
            f"{high:.0%}), such as {brief(worst.example)}: a unit that stays there is dead"
        )
        return message, "note", "use a leak: jax.nn.leaky_relu, jax.nn.elu or jax.nn.gelu"
    if worst.everywhere:
        message = (
            f"for {' and '.join(targets)} the loss is constant ({brief(worst.value)}): nothing is "
            "learned from such examples"
        )
        suggestion = "let it depend on the prediction: add a `smooth` term or a pixelwise loss"
        return message, "warning", suggestion
    message = (
        f"the gradient is exactly zero for {worst.share:.1%} of "
        f"{'predictions up to 30' if worst.wide else 'plausible predictions'} "
        f"({low:.1%} to {high:.1%}; {worst.of_mispredicted:.0%} of the mispredicted) although the "
        f"loss there, such as {brief(worst.value)} at {brief(worst.example)} ({worst.target}), is "
        f"above its minimum {brief(worst.lowest)}: an example that starts there is never corrected"
    )
    suggestion = "keep a slope there: let the loss grow linearly (Huber) instead of cutting it off"
    if survey.place_of_operation(("logistic",)) and survey.place_of_operation(("log",)):
        suggestion = (
            "compute from logits without clipping: optax.sigmoid_binary_cross_entropy(logits, "
            "targets)"
        )
    nearly_all = worst.of_mispredicted > NEARLY_ALL and survey.subject.goal != "numbers"
    return message, "error" if nearly_all and _dead_at_start(survey) else "warning", suggestion


def _dead_at_start(survey: Survey) -> bool:
    """Whether the predictions of an untrained model are dead as well."""
    if survey.subject.domain.name != "real":
        return True
    rng = np.random.default_rng([survey.seed, 202])
    dead = []
    for target in survey.subject.targets:
        shape = UNTRAINED_SAMPLES, *survey.subject.shape
        gradient = survey.probe.gradients(rng.uniform(-UNTRAINED, UNTRAINED, shape), target)[1]
        dead.append(~np.any(gradient.reshape(UNTRAINED_SAMPLES, -1), axis=1))
    return float(np.mean(dead)) > NEARLY_ALL


def _far_end(survey: Survey, side: Fading) -> Finding:
    is_loss = survey.subject.kind == "loss"
    where = f", but not at {END:.0e} from there" if side.at_end_only else ""
    return Finding(
        code="G202",
        severity="warning" if is_loss and not side.at_end_only else "note",
        message=(
            "the gradient is cut to exactly zero for the most wrong predictions, such as "
            f"{brief(side.end)} ({side.target or 'any input'}){where}: an example that gets there "
            "is never corrected"
        ),
        where=dead_place(survey, side.target),
        evidence=side.evidence(),
        suggestion="do not clip the prediction itself: compute from logits",
    )

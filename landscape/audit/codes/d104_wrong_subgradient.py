"""D104, a wrong slope at a tie: autodiff's slope is on neither side nor between them.

The slope at the tie lies outside the slopes of both sides by more than 1e-4 of the largest of the
three; with several components, outside all slopes at 512 points around it.

## Why

A step from the tie does not reduce the loss. With equal logits, or a perfect fit, ties occur
exactly, not with probability zero.

## Severity

Warning. Note in classification if the step for one of the classes reduces its loss, as at a logit
of 0 of a cross entropy: training leaves such a tie.

## Instead

Compute both sides by one formula, or write a `custom_jvp`.

## Example (--task binary)

    import jax.numpy as jnp


    def cross_entropy(logits, labels):
        correction = jnp.log1p(jnp.exp(-jnp.abs(logits)))
        return jnp.maximum(logits, 0) - logits * labels + correction

## Fixed

    import jax


    def cross_entropy(logits, labels):
        return jax.nn.softplus(logits) - logits * labels
"""

import numpy as np

from landscape.audit.codes._breaks import place_of, point_text
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.measure.crossings import EDGE, JUMP, UNCLEAR, Crossing
from landscape.audit.measure.quotients import is_trusted
from landscape.audit.measure.survey import Survey, norms
from landscape.audit.measure.switching import crossings
from landscape.storage.audit_records import Finding

TOLERANCE = 1e-4  # distance from the interval of slopes, relative to the largest of the three
NEIGHBORS = 512  # points around the tie at which slopes are sampled, for several components
STEP = 1e-3  # length of a step along the negative gradient
RADIUS = 1e-6  # standard deviation of those points
FINE = slice(5, 8)  # indices into STEPS of the steps at which slopes must be finite


def find(survey: Survey) -> list[Finding]:
    """Returns one finding per line, for the tie whose slope is farthest outside.

    Empty if autodiff is wrong between ties as well, which is G207.
    """
    if not is_trusted(survey):
        return []
    worst: dict[int | None, tuple[float, Finding]] = {}
    for crossing in crossings(survey):
        distance = _distance_outside(survey, crossing)
        if distance > 0:
            finding = _finding(survey, crossing)
            line = finding.where.line if finding.where else None
            if line not in worst or worst[line][0] < distance:
                worst[line] = distance, finding
    return [finding for _, finding in worst.values()]


def _distance_outside(survey: Survey, crossing: Crossing) -> float:
    """Returns how far the slope at a tie is outside of those around it; 0 within the tolerance."""
    if not crossing.tie or crossing.order in (JUMP, EDGE, UNCLEAR):
        return 0.0
    left, right, slope = crossing.left[1][FINE], crossing.right[1][FINE], crossing.center[1]
    if not np.isfinite([*left, *right, slope]).all():
        return 0.0
    low, high = sorted((left[-1], right[-1]))
    tolerance = TOLERANCE * max(abs(low), abs(high), abs(slope), survey.scale.levels[1])
    distance = float(max(low - slope, slope - high))
    if distance > tolerance and survey.subject.size > 1:
        nearby = _slopes_nearby(survey, crossing)
        low, high = min(low, nearby.min(initial=low)), max(high, nearby.max(initial=high))
        distance = float(max(low - slope, slope - high))
    return distance if distance > tolerance else 0.0


def _slopes_nearby(survey: Survey, crossing: Crossing) -> np.ndarray:
    """Returns the finite slopes in the same direction at points close by."""
    rng = np.random.default_rng([survey.seed, 104])
    near = crossing.point + RADIUS * rng.normal(size=(NEIGHBORS, *crossing.point.shape))
    directions = np.broadcast_to(crossing.unit, near.shape)
    slopes = survey.probe.derivatives(near, directions, crossing.target).first
    return slopes[np.isfinite(slopes)]


def _leaves(survey: Survey, crossing: Crossing) -> bool:
    """Whether the step from a tie reduces the loss of any class."""
    if survey.subject.kind != "loss" or survey.subject.goal not in ("sides", "classes"):
        return False
    point = crossing.point[None]
    for target in survey.subject.targets:
        values, gradients = survey.probe.gradients(point, target)
        size = norms(gradients)
        if not np.isfinite(size).all() or not size[0]:
            continue
        stepped = survey.probe.values(point - STEP * gradients / size[0], target)
        if stepped[0] < values[0]:
            return True
    return False


def _finding(survey: Survey, crossing: Crossing) -> Finding:
    low, high, slope = crossing.left[1][7], crossing.right[1][7], crossing.center[1]
    leaves = _leaves(survey, crossing)
    effect = "a step from there does not reduce the loss"
    if leaves:
        effect = "the step from there is wrong, but right for a class, so that training leaves it"
    return Finding(
        code="D104",
        severity="note" if leaves else "warning",
        message=(
            f"at {point_text(crossing)} autodiff gives the slope {brief(slope)}, but the function "
            f"has {brief(low)} on one side and {brief(high)} on the other: {effect}"
        ),
        where=place_of(survey, crossing),
        evidence={
            "target": crossing.target.name,
            "at": quote(crossing.point),
            "direction": quote(crossing.unit),
            "left": quote(low),
            "right": quote(high),
            "autodiff": quote(slope),
        },
        suggestion="compute the tie by one formula, or give the function a custom_jvp",
    )

"""D104, a wrong slope at a tie: autodiff returns one that is on neither side nor between them.

A subgradient lies between the slopes of both sides. With several components, it may also be any
slope that the function has close by. A step from the tie goes where the loss does not fall.
A warning.
"""

import numpy as np

from landscape.audit.codes import _breaks
from landscape.audit.codes._numbers import brief, quote
from landscape.audit.findings import Finding
from landscape.audit.measure.crossings import EDGE, JUMP, UNCLEAR, Crossing
from landscape.audit.measure.quotients import is_trusted
from landscape.audit.measure.survey import Survey
from landscape.audit.measure.switching import crossings

Array = np.ndarray
TOLERANCE = 1e-4  # how far outside, relative to the largest of the three slopes
NEIGHBORS = 512  # points at which a function of several components is looked at,
RADIUS = 1e-6  # with this standard deviation around the tie
FINE = slice(5, 8)  # indices into STEPS of the steps at which slopes must be finite


def find(survey: Survey) -> list[Finding]:
    """One finding for each line, for the tie at which the slope is farthest outside.

    None where autodiff is wrong between the ties as well, which is G207.
    """
    if not is_trusted(survey):
        return []
    worst: dict[int | None, tuple[float, Crossing]] = {}
    for crossing in crossings(survey):
        outside = _outside(survey, crossing)
        if outside > 0:
            place = _breaks.place_of(survey, crossing)
            line = place.line if place else None
            if line not in worst or worst[line][0] < outside:
                worst[line] = outside, crossing
    return [_finding(survey, crossing) for _, crossing in worst.values()]


def _outside(survey: Survey, crossing: Crossing) -> float:
    """How far the slope at a tie lies outside of those around it; 0 within the tolerance."""
    if not crossing.tie or crossing.order in (JUMP, EDGE, UNCLEAR):
        return 0.0
    left, right, slope = crossing.left[1][FINE], crossing.right[1][FINE], crossing.center[1]
    if not np.isfinite([*left, *right, slope]).all():
        return 0.0
    low, high = sorted((left[-1], right[-1]))
    tolerance = TOLERANCE * max(abs(low), abs(high), abs(slope), survey.scale.levels[1])
    if max(low - slope, slope - high) <= tolerance:
        return 0.0
    low, high = _extremes_nearby(survey, crossing, low, high)
    outside = float(max(low - slope, slope - high))
    return outside if outside > tolerance else 0.0


def _extremes_nearby(
    survey: Survey, crossing: Crossing, low: float, high: float
) -> tuple[float, float]:
    """The least and the largest slope in the same direction at points close by."""
    if survey.subject.size == 1:
        return low, high
    rng = np.random.default_rng([survey.seed, 104])
    near = crossing.point + RADIUS * rng.normal(size=(NEIGHBORS, *crossing.point.shape))
    directions = np.broadcast_to(crossing.unit, near.shape)
    slopes = survey.probe.derivatives(near, directions, crossing.target).first
    slopes = slopes[np.isfinite(slopes)]
    return min(low, slopes.min(initial=low)), max(high, slopes.max(initial=high))


def _finding(survey: Survey, crossing: Crossing) -> Finding:
    low, high, slope = crossing.left[1][7], crossing.right[1][7], crossing.center[1]
    return Finding(
        code="D104",
        severity="warning",
        message=(
            f"at {_breaks.point_text(crossing)} autodiff gives the slope {brief(slope)}, but the "
            f"function has {brief(low)} on one side and {brief(high)} on the other: a step from "
            "there goes where the loss does not fall"
        ),
        where=_breaks.place_of(survey, crossing),
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

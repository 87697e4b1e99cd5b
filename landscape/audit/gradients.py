"""What autodiff hands to the optimizer: zero, dead, sparse, vanishing, exploding, wrong (G2xx)."""

import numpy as np

from landscape.audit.findings import Finding
from landscape.audit.gradient_cuts import cutter
from landscape.audit.growth import explosion, saturation
from landscape.audit.measure.crossings import JUMP
from landscape.audit.measure.survey import Sample, Survey, norms, quote
from landscape.audit.reach import dead_regions, never_reached, sparse
from landscape.audit.smoothness import place_of_order

Array = np.ndarray
_CUSTOM = ("custom_vjp_call", "custom_jvp_call", "custom_vjp_call_jaxpr", "stop_gradient")


def findings(survey: Survey, wrong: list[Finding]) -> list[Finding]:
    """G201 to G207; `wrong` is what `disagreement` found."""
    zero = identically_zero(survey)
    if zero is not None:
        return [zero, *wrong]
    dead = dead_regions(survey)
    return [
        *dead,
        *never_reached(survey),
        *sparse(survey),
        *saturation(survey, dead),
        *explosion(survey),
        *wrong,
    ]


def identically_zero(survey: Survey) -> Finding | None:
    """G201: no prediction ever gets a gradient."""
    if any(np.any(s.found.gradient != 0) for s in survey.samples):
        return None
    if any(np.any(p.gradient != 0) for p in survey.paths):
        return None
    slope = survey.slopes.outputs[1]
    proved = not slope.varies and not slope.uses_target and slope.range == (0.0, 0.0)
    trials = sum(len(s.points) for s in survey.samples) + sum(len(p.points) for p in survey.paths)
    how = "whatever the prediction" if proved else f"at all {trials} predictions tried"
    message = f"the gradient is exactly zero {how}: no optimizer that follows it can learn anything"
    where = place_of_order(survey, [JUMP]) or cutter(survey) or survey.definition
    evidence = {"how": "proved" if proved else "measured", "trials": trials, "nonzero": 0}
    return Finding("G201", "error", message, where, evidence, _zero_suggestion(survey))


def _zero_suggestion(survey: Survey) -> str:
    if survey.reading.outputs[0].varies:
        return (
            "replace the hard decision by a soft one (sigmoid, softmax) in the loss, and report "
            "the hard one as a metric"
        )
    return "the loss does not depend on the prediction: use the prediction, not a copy of it"


def disagreement(survey: Survey) -> list[Finding]:
    """G207: where nothing switches, autodiff gives another slope than the difference quotient."""
    off, against, trials, example = 0, 0, 0, None
    for sample in survey.plausible:
        for ways in (sample.directions, _uphill(sample)):
            slopes, quotients, fine = _compare(survey, sample, ways)
            level = np.abs(slopes) + np.abs(quotients) + 1e-3 * survey.steepest
            rounding = 1e-9 * (np.abs(sample.found.value) + survey.scale.levels[0])
            bad = fine & (np.abs(slopes - quotients) > 1e-3 * level + rounding)
            trials += int(fine.sum())
            off += int(bad.sum())
            against += int((bad & (slopes * quotients < 0)).sum())
            if bad.any() and example is None:
                i = int(np.argmax(bad))
                example = (sample.target.name, sample.points[i], slopes[i], quotients[i], ways[i])
    if example is None or off < max(3, 0.005 * trials):
        return []
    name, point, slope, quotient, way = example
    opposed = against > 0.5 * off
    effect = (
        "it points the other way, so training moves away from the minimum"
        if opposed
        else "training follows another function than the one that is reported"
    )
    message = (
        f"autodiff disagrees with the limit of the difference quotient at {off} of {trials} points "
        f"(slope {slope:.4g} against {quotient:.4g}): {effect}"
    )
    where = cutter(survey, _CUSTOM) or cutter(survey) or survey.definition
    evidence = {
        "target": name,
        "at": quote(point),
        "direction": quote(way),
        "autodiff": quote(slope),
        "difference_quotient": quote(quotient),
        "points": off,
        "trials": trials,
    }
    suggestion = (
        "if it is meant (straight-through), say so beside it; else mend the derivative rule"
    )
    return [
        Finding("G207", "error" if opposed else "warning", message, where, evidence, suggestion)
    ]


def _uphill(sample: Sample) -> Array:
    """Unit vectors along the gradients, or the random directions where there is none."""
    sizes = sample.norms.reshape(-1, *(1,) * (sample.points.ndim - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        ways = sample.found.gradient / sizes
    return np.where(np.isfinite(ways) & (sizes > 0), ways, sample.directions)


def _compare(survey: Survey, sample: Sample, ways: Array) -> tuple[Array, Array, Array]:
    """Autodiff's slopes, central difference quotients, and where both can be compared.

    Only points with equal states on both sides count, and quotients that have settled.
    """
    rows = (-1, *(1,) * (sample.points.ndim - 1))
    ways = ways / norms(ways).reshape(rows)
    slopes = np.sum((sample.found.gradient * ways).reshape(len(ways), -1), axis=1)
    quotients, still = [], np.ones(len(ways), bool)
    for step in (1e-4, 1e-5):
        moves = step * np.maximum(1, np.abs(sample.points).reshape(len(ways), -1).max(1))
        left, right = (sample.points + s * moves.reshape(rows) * ways for s in (-1, 1))
        low, before = survey.probe.scan(left, sample.target)
        high, after = survey.probe.scan(right, sample.target)
        still &= np.all(before == after, axis=1)
        quotients.append((high - low) / (2 * moves))
    coarse, fine = quotients
    noise = 1e-9 * (1 + np.abs(sample.found.value))
    settled = np.abs(coarse - fine) <= 1e-3 * (np.abs(coarse) + np.abs(fine)) + noise
    good = still & settled & np.isfinite(slopes) & np.isfinite(fine)
    return slopes, fine, good

"""Convexity in the prediction: proved by rules, or refuted by a midpoint (S401)."""

import numpy as np

from landscape.audit.findings import Finding
from landscape.audit.measure.domains import EXTREME
from landscape.audit.measure.survey import Survey, brief, quote
from landscape.audit.measure.walks import Line, lines
from landscape.audit.static import intervals

Array = np.ndarray

TRIALS = 64


def proved_convex(survey: Survey) -> bool:
    """Whether the rules prove convexity in the prediction, for every target of the task."""
    (output,) = survey.reading.outputs
    return intervals.is_convex(output.convexity)


def midpoint(survey: Survey) -> tuple[dict | None, int]:
    """Two points and a midpoint that show the function not to be convex, if some were found."""
    rng = np.random.default_rng([survey.seed, 401])
    best, trials = None, 0
    for line in lines(survey.subject, rng, count=3):
        pairs = _pairs(line, rng)
        values = [
            survey.probe.values(line.at(s), line.target)
            for s in (pairs[0], pairs[1], pairs.mean(0))
        ]
        a, b, middle = values
        fine = np.isfinite(a) & np.isfinite(b) & np.isfinite(middle)
        trials += int(fine.sum())
        excess = middle - (a + b) / 2
        level = np.abs(a) + np.abs(b) + np.abs(middle) + survey.scale.levels[0]
        with np.errstate(invalid="ignore"):
            share = np.where(fine, excess / np.maximum(level, 1e-300), -1)
        i = int(np.argmax(share))
        if share[i] > 1e-9 and (best is None or share[i] > best["share"]):
            points = line.at(np.array([pairs[0, i], pairs[1, i], pairs[:, i].mean()]))
            best = {
                "share": float(share[i]),
                "target": line.target.name,
                "a": quote(points[0]),
                "b": quote(points[1]),
                "midpoint": quote(points[2]),
                "values": [quote(a[i]), quote(b[i]), quote(middle[i])],
            }
    return best, trials


def _pairs(line: Line, rng: np.random.Generator) -> Array:
    """Steps of pairs of points: near and far ones, also across a single gap of the line."""
    count = len(line.steps)
    first = rng.integers(count, size=3 * TRIALS)
    hops = np.concatenate([rng.integers(1, 4, TRIALS), rng.integers(1, count, 2 * TRIALS)])
    inner = np.abs(line.steps[first]) < 0.02 * EXTREME
    second = np.minimum(first + hops, count - 1)
    pairs = np.stack([line.steps[first], line.steps[second]])
    return pairs[:, inner & (first != second)] if (inner & (first != second)).any() else pairs


def not_convex(survey: Survey) -> Finding | None:
    """S401."""
    if proved_convex(survey):
        return None
    best, _ = midpoint(survey)
    if best is None:
        return None
    a, b, middle = best["values"]
    message = (
        f"not convex in the prediction: {middle:.4g} at the midpoint of {brief(best['a'])} and "
        f"{brief(best['b'])} ({best['target']}), above the mean {(a + b) / 2:.4g} of their values: "
        "there can be more than one minimum, and a bad start can be slow"
    )
    evidence = {k: v for k, v in best.items() if k != "share"}
    return Finding("S401", "note", message, survey.definition, evidence)

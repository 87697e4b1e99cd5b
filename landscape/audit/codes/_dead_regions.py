"""Predictions with exactly zero gradient and a loss above its minimum: for G202 and G205."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from landscape.audit.codes._cuts import cut_place
from landscape.audit.codes._numbers import interval, quote
from landscape.audit.measure.crossings import CODES, Crossing
from landscape.audit.measure.domains import Target, is_degenerate
from landscape.audit.measure.survey import Sample, Survey, norms, once
from landscape.audit.measure.switching import crossings, lowest_values
from landscape.storage.audit_records import Where

Array = np.ndarray
FADED = 1e-9  # a gradient below this share of the largest is underflowing, not cut
ABOVE = 1e-6  # how far above its minimum the loss must be, relative to its typical spread
CONSTANT = 1e-12  # relative spread of the values of a constant loss
SHIFT, SAME = 0.75, 1e-9  # added to all outputs; relative difference of values that are equal
FOLLOWED = 12  # dead points that are followed to the edge of their region
_ROUNDS, _PARTS = 8, 8  # of the search for the edge, which divides its interval in each round
_INSIDE = 0.05  # distance beyond the edge at which the gradient is read, relative to what remains


@dataclass(frozen=True)
class DeadRegion:
    """The dead predictions of one target in one sample.

    `share` of the sample with its 95 % `interval`, and the share `of_mispredicted`; `wide`: the
    sample is the wider one; an `example` with its `value`, above the `lowest`; `everywhere`: the
    loss of this target is constant.
    """

    target: str
    share: float
    interval: tuple[float, float]
    of_mispredicted: float
    wide: bool
    example: Any
    value: Any
    lowest: Any
    everywhere: bool

    def evidence(self) -> dict[str, Any]:
        """Returns the numbers by name, and the range of the sampled predictions."""
        numbers = asdict(self)
        del numbers["everywhere"]
        numbers["interval"] = [round(end, 4) for end in self.interval]
        return numbers | {"predictions": "up to 30" if self.wide else "plausible"}


@once
def dead_regions(survey: Survey) -> list[DeadRegion]:
    """Returns the dead region of each target that has one, in its narrowest sample."""
    regions = [_region_of(survey, target) for target in survey.subject.targets]
    return [region for region in regions if region is not None]


def dead_place(survey: Survey, target: str, *, everywhere: bool = False) -> Where | None:
    """Returns the place of the cut: a switch with a nonzero gradient on one side only.

    For a loss that is constant `everywhere`, returns the place of its last division or product.
    """
    if everywhere:
        where = survey.place_of_operation(("div",), last=True)
        where = where or survey.place_of_operation(("mul", "dot_general"), last=True)
        return where or survey.definition
    edges = [c for c in crossings(survey) if c.order in CODES and _ends_slope(c)]
    edges = [edge for edge in edges if edge.target.name == target] or edges
    if edges:
        return survey.place_of(survey.probe.sites[edges[0].site])
    return cut_place(survey) or survey.definition


def _ends_slope(crossing: Crossing) -> bool:
    left, right = (np.any(side[1][3:8] != 0) for side in (crossing.left, crossing.right))
    return bool(left != right)


def _region_of(survey: Survey, target: Target) -> DeadRegion | None:
    if target.ignored or (survey.subject.rows > 1 and is_degenerate(target)):
        return None  # a batch of equal targets leaves a ranking nothing to rank
    samples = [sample for sample in survey.samples if sample.target.name == target.name]
    constant = _is_constant(samples)
    if constant and _ranks_nothing(survey, samples[0]):
        return None
    for sample in samples:
        harmful = np.ones(len(sample.points), bool) if constant else _harmful(survey, sample)
        if harmful.any():
            break
    else:
        return None
    points, values = sample.points[harmful], sample.derivatives.value[harmful]
    wrong = harmful & sample.wrong
    return DeadRegion(
        target=target.name,
        share=float(harmful.mean()),
        interval=interval(int(harmful.sum()), len(harmful)),
        of_mispredicted=float(wrong.sum() / max(sample.wrong.sum(), 1)),
        wide=sample.wide,
        example=quote(points[np.argmin(np.abs(points).reshape(len(points), -1).max(1))]),
        value=quote(next((value for value in values if np.isfinite(value)), values[0])),
        lowest=quote(lowest_values(survey)[target.name]),
        everywhere=constant,
    )


def _ranks_nothing(survey: Survey, sample: Sample) -> bool:
    """Whether all labels of an example are equal for a loss that compares its outputs only."""
    subject, value = survey.subject, np.asarray(sample.target.value)
    if subject.task != "multilabel" or value.size < 2 or np.ptp(value):
        return False
    other = next((s for s in survey.plausible if np.ptp(np.asarray(s.target.value))), None)
    if other is None:
        return False
    values = other.derivatives.value
    moved = survey.probe.values(other.points + SHIFT, other.target)
    return bool(np.allclose(values, moved, rtol=SAME, atol=SAME * survey.scale.levels[0]))


def _harmful(survey: Survey, sample: Sample) -> Array:
    """Returns which points are dead, but neither at the minimum nor by a gradient that fades."""
    value = sample.derivatives.value
    alive = np.any(sample.derivatives.gradient.reshape(len(value), -1), axis=1)
    dead = ~alive & np.isfinite(value)
    if survey.subject.kind == "loss":
        lowest = lowest_values(survey)[sample.target.name]
        dead &= value > lowest + 1e-9 + ABOVE * max(survey.scale.levels[0], abs(lowest) * 1e-6)
    return dead & (dead.any() and alive.any() and _is_cut(survey, sample, dead, alive))


def _is_constant(samples: list[Sample]) -> bool:
    """Whether the loss is the same number for every prediction, to rounding."""
    values = np.concatenate([sample.derivatives.value for sample in samples])
    if not np.isfinite(values).any():
        return False  # NaN is not a constant; N301 reports it
    if not any(np.any(sample.derivatives.gradient) for sample in samples):
        return True
    values = values[np.isfinite(values)]
    return bool(np.ptp(values) <= CONSTANT * np.abs(values).max())


def _is_cut(survey: Survey, sample: Sample, dead: Array, alive: Array) -> bool:
    """Whether the gradient is cut at the edge of the dead region instead of fading toward it.

    Some dead points are followed toward the nearest living one: just before the edge, a gradient
    that fades is almost zero.
    """
    chosen, living = np.flatnonzero(dead)[:FOLLOWED], np.flatnonzero(alive)
    flat = sample.points.reshape(len(sample.points), -1)
    nearest = [living[np.argmin(norms(flat[living] - flat[i]))] for i in chosen]
    starts = sample.points[chosen]
    directions = sample.points[nearest] - starts
    edges = _edges(survey, sample.target, starts, directions)
    inside = edges + _INSIDE * (1 - edges)  # a gradient may be smooth at the edge and still be cut
    points = starts + inside.reshape(-1, *(1,) * (starts.ndim - 1)) * directions
    before = norms(survey.probe.gradients(points, sample.target)[1])
    return bool(np.mean(before > FADED * survey.steepest) >= 0.5)


def _edges(survey: Survey, target: Target, starts: Array, directions: Array) -> Array:
    """Returns the share of each direction, from dead to living, at which the gradient begins."""
    count, rows = len(starts), np.arange(len(starts))
    low, high = np.zeros(count), np.ones(count)
    for _ in range(_ROUNDS):
        shares = low + (high - low) * (np.arange(1, _PARTS) / _PARTS)[:, None]
        points = starts + shares.reshape(*shares.shape, *(1,) * (starts.ndim - 1)) * directions
        slopes = survey.probe.gradients(points.reshape(-1, *starts.shape[1:]), target)[1]
        living = np.any(slopes.reshape(_PARTS - 1, count, -1) != 0, axis=2)
        first = np.where(living.any(0), np.argmax(living, axis=0), _PARTS - 1)
        ends = np.concatenate([low[None], shares, high[None]])
        low, high = ends[first, rows], ends[first + 1, rows]
    return high

"""Finds the switches of a subject on lines through the domain, and those that no line meets.

A line meets a perfect prediction, two equal logits or a corner of the domain with probability zero,
so the search includes such special points.
"""

from typing import NamedTuple

import numpy as np

from landscape.audit.measure import singular_points
from landscape.audit.measure.crossings import (
    STEPS,
    Candidate,
    Crossing,
    classify,
    find_crossings,
)
from landscape.audit.measure.domains import Target
from landscape.audit.measure.quotients import is_trusted
from landscape.audit.measure.subject import Subject
from landscape.audit.measure.survey import Survey, norms, once
from landscape.audit.measure.walks import Line, lines

Array = np.ndarray
_DIRECTIONS_PER_TIE = 2  # random directions in which each tie is crossed
_TARGETS_SOLVED = 2  # targets for which singular points are solved for
_REACH = STEPS[3]  # how far the domain must extend on both sides of a crossing
_COUNTS_TIES = ("reduce_max", "reduce_min", "argmax", "argmin")  # their state is -1 at a tie
Solved = dict[str, list[tuple[int, Array]]]


class Switching(NamedTuple):
    """The crossings of a subject, those on lines first.

    `moved` are the positions in `probe.sites` of the sites that ever changed state. `solved` are,
    per target, sites and the points at which their arguments reach the limit of their domain.
    """

    crossings: list[Crossing]
    moved: set[int]
    solved: Solved


@once
def switching(survey: Survey) -> Switching:
    """Searches lines and special points for crossings inside the domain."""
    if not survey.probe.sites:
        return Switching([], set(), {})
    rng = np.random.default_rng([survey.seed, 101])
    walked = [Line(p.target, p.base, p.direction, p.steps) for p in survey.paths]
    walked += lines(survey.subject, rng)
    trusted = is_trusted(survey)
    on_lines, moved = find_crossings(survey.probe, walked, survey.scale, trusted=trusted)
    solved = _solve(survey, moved)
    at_points = _at_special_points(survey, solved, rng)
    at_points = [crossing for crossing in at_points if _is_inside(survey, crossing)]
    inside = [crossing for crossing in on_lines if _is_inside(survey, crossing)]
    return Switching(inside + at_points, moved | {c.site for c in at_points}, solved)


def crossings(survey: Survey) -> list[Crossing]:
    """Returns all crossings inside the domain, those on lines first."""
    return switching(survey).crossings


@once
def lowest_values(survey: Survey) -> dict[str, float]:
    """Returns, per target, the smallest value at any measured point."""
    values = [(s.target.name, s.derivatives.value) for s in survey.samples]
    values += [(p.target.name, p.value) for p in survey.paths]
    values += [(c.target.name, c.center[:1]) for c in crossings(survey)]
    lowest = {name: np.inf for name, _ in values}
    for name, row in values:
        lowest[name] = min(lowest[name], float(np.min(row[np.isfinite(row)], initial=np.inf)))
    return lowest


def special_points(survey: Survey, target: Target) -> Array:
    """Returns points that no random line meets.

    A perfect prediction, equal predictions, zeros, corners, and solved singular points.
    """
    return _special_points(survey.subject, target, switching(survey).solved)


def _special_points(subject: Subject, target: Target, solved: Solved) -> Array:
    shape, name = subject.shape, subject.domain.name
    points = [np.full(shape, fill) for fill in subject.domain.fills]
    alike = np.shape(target.value) == shape and np.asarray(target.value).dtype.kind == "f"
    if alike and (subject.goal == "numbers" or (name != "real" and subject.task)):
        points.append(np.clip(target.center, subject.domain.low, subject.domain.high))
    if name == "simplex":
        points += list(np.eye(shape[-1])[:, None] * np.ones(shape))
    if subject.size > 1 and 0.0 in subject.domain.fills:
        corner = np.zeros(shape)
        corner.flat[0] = 1.0
        points.append(corner)
    points += [point for _, point in solved.get(target.name, [])]
    points = points or [*subject.domain.sample(np.random.default_rng(0), 1, target)]
    return np.unique(np.stack(points), axis=0)


def _solve(survey: Survey, moved: set[int]) -> Solved:
    """Returns the singular points of the sites that no line switched, nor a special point."""
    probe, solved = survey.probe, {}
    unmoved = [i for i in range(len(probe.sites)) if i not in moved]
    for target in survey.subject.targets[:_TARGETS_SOLVED] if unmoved else []:
        states = probe.scan(_special_points(survey.subject, target, {}), target)[1]
        met = set(probe.owners[np.flatnonzero((states == 0).any(0))])
        unmet = [site for site in unmoved if site not in met]
        solved[target.name] = singular_points.solve(survey, target, unmet)
    return solved


def _at_special_points(survey: Survey, solved: Solved, rng: np.random.Generator) -> list[Crossing]:
    """Crosses each tie at a special point, and each singular point, in random directions."""
    subject, crossings = survey.subject, []
    for target in subject.targets:
        ties = _ties(survey, target, _special_points(subject, target, solved))
        points = [(*tie, True) for tie in ties]
        points += [(*solution, False) for solution in solved.get(target.name, [])]
        if not points:
            continue
        units = rng.normal(size=(len(points), *subject.shape))
        if subject.domain.name == "simplex":
            units -= units.mean(-1, keepdims=True)
        units /= norms(units).reshape(-1, *(1,) * len(subject.shape))
        candidates = [Candidate(*point, unit) for point, unit in zip(points, units, strict=True)]
        trusted = is_trusted(survey)
        crossings += classify(survey.probe, target, candidates, survey.scale, trusted=trusted)
    return crossings


def _ties(survey: Survey, target: Target, points: Array) -> list[tuple[int, Array]]:
    """Returns the sites that tie at each point, once per direction to cross them in."""
    probe = survey.probe
    counts_ties = np.array([site.operation in _COUNTS_TIES for site in probe.sites])
    states = probe.scan(points, target)[1]
    tied = (states == 0) | (states == -1) & counts_ties[probe.owners]
    return [
        (int(site), point)
        for point, ties in zip(points, tied, strict=True)
        for site in np.unique(probe.owners[np.flatnonzero(ties)])
        for _ in range(_DIRECTIONS_PER_TIE)
    ]


def _is_inside(survey: Survey, crossing: Crossing) -> bool:
    domain = survey.subject.domain
    sides = [crossing.point + sign * _REACH * crossing.unit for sign in (-1, 1)]
    return all(np.all((side >= domain.low) & (side <= domain.high)) for side in sides)

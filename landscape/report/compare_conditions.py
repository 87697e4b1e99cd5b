"""Robustness in a comparison at tuned points: the same losses under other conditions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from landscape.compare import profiles, time_to_target, tuning
from landscape.report.compare_measures import (
    budget,
    scale,
    steps_to_target,
    success,
)
from landscape.report.compare_results import Array, CompareResults
from landscape.report.statistics import SeedEstimate, Share, finite_mean, seed_estimate
from landscape.storage.compare_records import ComparedLoss, ConditionRecord

# The profiles are drawn, and integrated, up to this ratio.
TAUS = np.linspace(1.0, profiles.LONGEST, 301)


class ConditionNumbers(NamedTuple):
    """The numbers of a loss at one learning rate under a condition, over the judging seeds."""

    rate: float
    estimate: SeedEstimate
    gain: float
    success: Share


class Cell(NamedTuple):
    """A loss under one value of an axis: at its tuned rate, and retuned if it was."""

    loss: str
    axis: str
    key: str
    value: Any
    unchanged: bool
    tuned: ConditionNumbers
    retuned: ConditionNumbers | None


class Profiles(NamedTuple):
    """Performance profiles over conditions: shares of shape (losses, taus), and their scores.

    `times` are the expected running times to the target, shape (losses, conditions).
    """

    losses: tuple[str, ...]
    conditions: tuple[str, ...]
    times: Array
    shares: Array
    scores: Array


def cells(compared: CompareResults) -> list[Cell]:
    """Returns the cells of all axes, axis by axis, value by value, losses in the config's order."""
    reference = compared.entry(compared.record.reference)
    references = {_place(condition): condition for condition in reference.conditions}
    places = dict.fromkeys(
        _place(condition) for entry in compared.record.losses for condition in entry.conditions
    )
    by_loss = [
        (entry, {_place(condition): condition for condition in entry.conditions})
        for entry in compared.record.losses
    ]
    return [
        Cell(
            entry.loss,
            conditions[place].axis,
            conditions[place].key,
            conditions[place].value,
            _unchanged(entry, conditions[place]),
            _numbers(compared, entry.tuned_rate, conditions[place].runs, references[place].runs),
            _retuned(compared, conditions[place], references[place]),
        )
        for place in places
        if place in references
        for entry, conditions in by_loss
        if place in conditions
    ]


def _place(condition: ConditionRecord) -> tuple[str, str]:
    return condition.axis, str(condition.value)


def _unchanged(entry: ComparedLoss, condition: ConditionRecord) -> bool:
    """Returns whether the condition is that of the experiment: its runs are among the judged."""
    return set(condition.runs) <= set(entry.judged)


def _retuned(
    compared: CompareResults, condition: ConditionRecord, reference: ConditionRecord
) -> ConditionNumbers | None:
    """Returns the numbers at the retuned rate, relative to the retuned reference."""
    if not condition.retuned_runs:
        return None
    references = reference.retuned_runs or reference.runs
    return _numbers(compared, condition.retuned_rate, condition.retuned_runs, references)


def _numbers(
    compared: CompareResults, rate: float, names: Sequence[str], references: Sequence[str]
) -> ConditionNumbers:
    gains = scale(compared, references).gain(compared, names)
    estimate = seed_estimate(compared.outcomes(names))
    return ConditionNumbers(rate, estimate, finite_mean(gains), success(gains))


def performance_profiles(compared: CompareResults, target: float | None) -> Profiles | None:
    """Returns the profiles over all conditions at the tuned rates; None with fewer than two.

    The time of a loss under a condition is its expected running time to the target: `target`, that
    of the config, else 95 % of the gain of the reference under the same condition, on the
    evaluation split. The unchanged condition counts once.
    """
    by_place: dict[str, dict[str, tuple[str, ...]]] = {}
    for entry in compared.record.losses:
        if entry.judged:
            by_place.setdefault("unchanged", {})[entry.loss] = entry.judged
        for condition in entry.conditions:
            if not _unchanged(entry, condition):
                name = f"{condition.axis} {condition.value}"
                by_place.setdefault(name, {})[entry.loss] = condition.runs
    reference = compared.record.reference
    places = {name: runs for name, runs in by_place.items() if reference in runs}
    if len(places) < 2:
        return None
    losses = tuple(entry.loss for entry in compared.record.losses if entry.judged)
    times = np.array(
        [
            [
                _time(compared, runs.get(loss, ()), runs[reference], target)
                for runs in places.values()
            ]
            for loss in losses
        ]
    )
    shares, scores = profiles.profile(times, TAUS), profiles.profile_score(times)
    return Profiles(losses, tuple(places), times, shares, scores)


def _time(
    compared: CompareResults, names: Sequence[str], references: Sequence[str], target: float | None
) -> float:
    reached = _condition_target(compared, references) if target is None else target
    if np.isnan(reached):
        return np.inf
    times = steps_to_target(compared, names, reached)
    return time_to_target.expected_running_time(times, budget(compared, references))


def _condition_target(compared: CompareResults, references: Sequence[str]) -> float:
    """Returns the evaluation metric at 95 % of the mean gain of these runs of the reference."""
    start = np.nanmean(compared.starts(references))
    end = np.nanmean(compared.evaluations(references))
    better = compared.sign * (end - start) > 0
    return float(start + tuning.SUCCEEDS * (end - start)) if better else np.nan

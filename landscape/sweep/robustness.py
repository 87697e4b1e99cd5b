"""The stages `retuning` and `robustness`: each loss under conditions other than the config's."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from landscape.compare import grids, tuning
from landscape.config import Condition, Run
from landscape.sweep.compared_experiment import ComparedExperiment
from landscape.sweep.loss_trials import Point, TunedLosses, trial_results
from landscape.sweep.outcomes import Outcome

# A loss is tuned again half a decade below and above its tuned rate.
_RATES, _DECADES = 3, 1.0


class Case(NamedTuple):
    """A loss under a condition: its tuned point, and the points at which it is tuned again.

    The latter are empty if the condition is that of the config.
    """

    condition: Condition
    label: str
    point: Point
    candidates: tuple[Point, ...]


def cases(compared: ComparedExperiment, losses: TunedLosses) -> list[Case]:
    """Returns every loss under every condition, in the order of conditions and losses."""
    points = {label: losses.point(label) for label in losses.trials}
    return [
        Case(condition, label, point, _candidates(point) if condition.swept else ())
        for condition in compared.conditions
        for label, point in points.items()
    ]


def _candidates(point: Point) -> tuple[Point, ...]:
    rates = grids.learning_rates(point.rate, _RATES, _DECADES)
    return tuple(point._replace(rate=rate, stage="retuning") for rate in rates)


def retuning_runs(
    compared: ComparedExperiment, conditioned: Sequence[Case]
) -> Iterator[tuple[Run, ...]]:
    """Yields the trials of each loss under each condition."""
    for case in conditioned:
        for point in case.candidates:
            yield compared.trials(case.label, point.rate, point.options, case.condition.swept)


def retuned(compared: ComparedExperiment, case: Case, outcomes: Mapping[str, Outcome]) -> Point:
    """Returns the best point of a loss under a condition; of equal ones, the tuned point."""
    if not case.candidates:
        return case.point
    condition = case.condition.swept
    trials = trial_results(compared, case.label, case.candidates, outcomes, condition)
    return case.candidates[tuning.tuned(trials).index]


def runs_of(compared: ComparedExperiment, case: Case, point: Point) -> tuple[Run, ...]:
    """Returns the runs that judge a loss at a point under a condition."""
    return compared.under_condition(case.label, point.rate, point.options, case.condition.swept)


def judged_runs(
    compared: ComparedExperiment, conditioned: Sequence[Case], outcomes: Mapping[str, Outcome]
) -> Iterator[tuple[Run, ...]]:
    """Yields the runs of each loss under each condition: at its tuned rate, and tuned again."""
    for case in conditioned:
        yield runs_of(compared, case, case.point)
        yield runs_of(compared, case, retuned(compared, case, outcomes))

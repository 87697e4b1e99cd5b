"""The stages of a comparison: which runs are needed next, given the outcomes of earlier ones."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from landscape.compare import tuning
from landscape.config import Run
from landscape.errors import UserError
from landscape.sweep import robustness
from landscape.sweep.compared_experiment import ComparedExperiment
from landscape.sweep.loss_trials import (
    LossTrials,
    TunedLosses,
    all_failed,
    first_trials,
    grid_factor,
    trial_results,
)
from landscape.sweep.outcomes import Outcome, median_gradient_norm

EXTENSIONS = ("extension 1", "extension 2")

Outcomes = Mapping[str, Outcome]


class Stage(NamedTuple):
    """Runs that do not depend on each other's outcomes.

    `checked`: runs of later stages that are checked before any run starts.
    """

    name: str
    runs: tuple[Run, ...]
    checked: tuple[Run, ...] = ()


def next_stage(compared: ComparedExperiment, outcomes: Outcomes) -> Stage | None:
    """Returns the first stage with a run that has no outcome, None if all have one.

    `outcomes`: those of the runs that have ended, by id. A stage depends on nothing else, so a
    comparison that was interrupted continues where it was. Raises UserError if the reference does
    not learn, since gains are relative to it.
    """
    stages = comparison_stages(compared, outcomes)
    return next((s for s in stages if any(run.id not in outcomes for run in s.runs)), None)


def comparison_stages(compared: ComparedExperiment, outcomes: Outcomes) -> Iterator[Stage]:
    """Yields the stages in order; each is computed from the outcomes of those before it."""
    own_rate = _runs(own_rate_runs(compared, label) for label in compared.labels)
    yield Stage("own rate", own_rate, tuple(_under_each_condition(compared)))
    trials = start_trials(compared, outcomes)
    yield Stage("tuning", _trial_runs(compared, trials))
    for name in EXTENSIONS:
        trials = extend(compared, trials, outcomes, name)
        yield Stage(name, _trial_runs(compared, trials, name))
    losses = tune(compared, trials, outcomes)
    along = (
        compared.trials(label, point.rate, point.options)
        for label, loss in losses.trials.items()
        for point in loss.along_rates(losses.tuned[label])
    )
    yield Stage("tolerance", _runs(along))
    yield Stage("judged", _judged(compared, losses))
    cases = robustness.cases(compared, losses)
    yield Stage("retuning", _runs(robustness.retuning_runs(compared, cases)))
    yield Stage("robustness", _runs(robustness.judged_runs(compared, cases, outcomes)))


def own_rate_runs(compared: ComparedExperiment, label: str) -> tuple[Run, ...]:
    """Returns the runs of a loss as configured, on the tuning seeds."""
    return compared.trials(label, compared.own_rate, {})


def _under_each_condition(compared: ComparedExperiment) -> Iterator[Run]:
    """Yields a run of the reference under each condition, which may not fit dataset or model."""
    for condition in compared.conditions:
        yield compared.trials(compared.reference, compared.own_rate, {}, condition.swept)[0]


def start_trials(compared: ComparedExperiment, outcomes: Outcomes) -> dict[str, LossTrials]:
    """Returns the trials of each loss before any extension, by label."""
    norms = {
        label: median_gradient_norm(outcomes, own_rate_runs(compared, label))
        for label in compared.labels
    }
    reference = norms[compared.reference]
    factors = {
        label: grid_factor(reference, norm) if compared.plain_gradients else 1.0
        for label, norm in norms.items()
    }
    return {label: first_trials(compared, label, factors[label]) for label in compared.labels}


def extend(
    compared: ComparedExperiment,
    trials: Mapping[str, LossTrials],
    outcomes: Outcomes,
    stage: str,
) -> dict[str, LossTrials]:
    """Returns the trials with a decade more for each loss that is tuned at an edge of its grid."""
    tuned = tune(compared, trials, outcomes).tuned
    return {
        label: loss.extended(tuned[label], stage) if label in tuned else loss
        for label, loss in trials.items()
    }


def all_trials(compared: ComparedExperiment, outcomes: Outcomes) -> dict[str, LossTrials]:
    """Returns the trials of each loss with all extensions, by label."""
    trials = start_trials(compared, outcomes)
    for name in EXTENSIONS:
        trials = extend(compared, trials, outcomes, name)
    return trials


def tune(
    compared: ComparedExperiment, trials: Mapping[str, LossTrials], outcomes: Outcomes
) -> TunedLosses:
    """Returns the best trial of each loss; omits losses all of whose runs failed.

    Raises UserError if the reference failed or does not learn.
    """
    trained = {
        label: loss
        for label, loss in trials.items()
        if not all_failed(_loss_runs(compared, loss), outcomes)
    }
    results = {
        label: trial_results(compared, label, loss.points, outcomes)
        for label, loss in trained.items()
    }
    if compared.reference not in results:
        raise _unusable(compared, "failed in every run")
    reference = tuning.best_metric(results[compared.reference])
    tuned = {
        label: tuning.tuned(results[label], reference, loss.rates)
        for label, loss in trained.items()
    }
    if not tuned[compared.reference].learns:
        raise _unusable(compared, "does not learn at any learning rate")
    return TunedLosses(trained, tuned, reference)


def _unusable(compared: ComparedExperiment, problem: str) -> UserError:
    return UserError(
        f"the reference `{compared.reference}` {problem}; the other losses are compared to it",
        hint="set `compare.reference` to a loss that learns, or more `steps`; finished runs are "
        "kept",
    )


def _loss_runs(compared: ComparedExperiment, loss: LossTrials, stage: str = "") -> list[Run]:
    return [
        run
        for point in loss.points
        if point.stage == stage or not stage
        for run in compared.trials(loss.label, point.rate, point.options)
    ]


def _trial_runs(
    compared: ComparedExperiment, trials: Mapping[str, LossTrials], stage: str = ""
) -> tuple[Run, ...]:
    return _runs(_loss_runs(compared, loss, stage) for loss in trials.values())


def _runs(groups: Iterable[Iterable[Run]]) -> tuple[Run, ...]:
    """Returns the runs of all groups, each once: of two with one id, the first."""
    first: dict[str, Run] = {}
    for group in groups:
        for run in group:
            first.setdefault(run.id, run)
    return tuple(first.values())


def _judged(compared: ComparedExperiment, losses: TunedLosses) -> tuple[Run, ...]:
    """Returns the runs at the tuned points, with all measurements, and at the config's rate."""
    as_configured = (compared.judged(label, compared.own_rate, {}) for label in losses.trials)
    return _runs([*_at_tuned_points(compared, losses), *as_configured])


def _at_tuned_points(
    compared: ComparedExperiment, losses: TunedLosses
) -> Iterator[tuple[Run, ...]]:
    for label in losses.trials:
        point = losses.point(label)
        yield compared.judged(label, point.rate, point.options, measured=True)


def tuned_runs(compared: ComparedExperiment, outcomes: Outcomes) -> list[Run]:
    """Returns the judged runs at the tuned point of every loss."""
    losses = tune(compared, all_trials(compared, outcomes), outcomes)
    return [run for group in _at_tuned_points(compared, losses) for run in group]

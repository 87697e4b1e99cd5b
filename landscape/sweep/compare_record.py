"""Builds `compare.json` from the outcomes of all stages."""

import math
from collections.abc import Iterable, Mapping, Sequence

from landscape.compare.margins import margin_of
from landscape.config import Run
from landscape.storage.compare_records import (
    ComparedLoss,
    CompareRecord,
    ConditionRecord,
    StageRecord,
    TrialRecord,
)
from landscape.sweep import robustness
from landscape.sweep.compared_experiment import ComparedExperiment
from landscape.sweep.loss_trials import LossTrials, Point, TunedLosses
from landscape.sweep.outcomes import Outcome, TaskMetric
from landscape.sweep.stages import all_trials, comparison_stages, tune

Outcomes = Mapping[str, Outcome]


def compare_record(
    compared: ComparedExperiment, outcomes: Outcomes, metric: TaskMetric
) -> CompareRecord:
    """Returns the record of a comparison whose stages have ended."""
    trials = all_trials(compared, outcomes)
    losses = tune(compared, trials, outcomes)
    settings, reference = compared.settings, metric.sign * losses.reference_metric
    stages = [stage for stage in comparison_stages(compared, outcomes) if stage.runs]
    return CompareRecord(
        reference=compared.reference,
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        margin=margin_of(metric.name, settings.margin, reference),
        tuning_seeds=settings.tuning_seeds,
        judging_seeds=settings.judging_seeds,
        losses=tuple(
            _compared_loss(compared, trials[label], losses, outcomes) for label in compared.labels
        ),
        stages=tuple(StageRecord(stage.name, _ids(stage.runs)) for stage in stages),
        reference_value=reference,
        complete=True,
    )


def _compared_loss(
    compared: ComparedExperiment, loss: LossTrials, losses: TunedLosses, outcomes: Outcomes
) -> ComparedLoss:
    trials = tuple(_trial_records(compared, loss.label, loss.points))
    if loss.label not in losses.tuned:
        return ComparedLoss(
            loss=loss.label,
            own_rate=compared.own_rate,
            grid=loss.rates,
            trials=trials,
            rates=trials,
            factor=loss.factor,
            learns=False,
            problem="every run of its tuning failed",
        )
    tuned, point = losses.tuned[loss.label], losses.point(loss.label)
    along = tuple(_trial_records(compared, loss.label, loss.along_rates(tuned)))
    at_tuned_options = [
        trial
        for trial, other in zip(trials, loss.points, strict=True)
        if other.options == point.options
    ]
    return ComparedLoss(
        loss=loss.label,
        own_rate=compared.own_rate,
        grid=loss.rates,
        trials=trials,
        rates=tuple(sorted([*at_tuned_options, *along], key=lambda trial: trial.rate)),
        factor=loss.factor,
        tuned_rate=point.rate,
        tuned_options=point.options,
        edge=tuned.edge,
        gain=tuned.gain,
        learns=tuned.learns,
        judged=_ids(compared.judged(loss.label, point.rate, point.options)),
        judged_at_own_rate=_ids(compared.judged(loss.label, compared.own_rate, {})),
        conditions=tuple(_conditions(compared, loss.label, losses, outcomes)),
    )


def _trial_records(
    compared: ComparedExperiment, label: str, points: Sequence[Point]
) -> Iterable[TrialRecord]:
    for point in points:
        runs = compared.trials(label, point.rate, point.options)
        yield TrialRecord(point.rate, _ids(runs), point.options)


def _conditions(
    compared: ComparedExperiment, label: str, losses: TunedLosses, outcomes: Outcomes
) -> Iterable[ConditionRecord]:
    for case in robustness.cases(compared, losses):
        if case.label != label:
            continue
        point = robustness.retuned(compared, case, outcomes)
        is_tuned = bool(case.candidates)
        yield ConditionRecord(
            axis=case.condition.axis,
            key=case.condition.key,
            value=case.condition.value,
            runs=_ids(robustness.runs_of(compared, case, case.point)),
            retuned_rate=point.rate if is_tuned else math.nan,
            retuned_runs=_ids(robustness.runs_of(compared, case, point)) if is_tuned else (),
        )


def _ids(runs: Iterable[Run]) -> tuple[str, ...]:
    return tuple(run.id for run in runs)

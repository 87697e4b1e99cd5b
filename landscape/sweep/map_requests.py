"""Which trainability maps a comparison needs: learning rate by scale of the initial weights."""

from collections.abc import Mapping

from landscape.compare import grids, tuning
from landscape.run.trainability_maps import MapRequest
from landscape.sweep.compared_experiment import ComparedExperiment
from landscape.sweep.loss_trials import trial_results
from landscape.sweep.outcomes import Outcome, TaskMetric
from landscape.sweep.stages import all_trials, tune

_CELLS, _RATE_DECADES, _SCALE_DECADES = 32, 4.0, 2.0
_MOST_STEPS = 200


def map_requests(
    compared: ComparedExperiment, outcomes: Mapping[str, Outcome], metric: TaskMetric
) -> list[MapRequest]:
    """Returns a map of each judged loss: 32 rates by 32 scales, on the tuning seeds.

    Rates cover four decades around the center of the loss's grid, scales two decades around 1. A
    training of at most 200 steps succeeds if it has 0.95 of the gain of the reference.
    """
    losses = tune(compared, all_trials(compared, outcomes), outcomes)
    reference = losses.trials[compared.reference]
    untrained = tuning.untrained(
        trial_results(compared, compared.reference, reference.points, outcomes)
    )
    target = untrained + tuning.SUCCEEDS * (losses.reference_metric - untrained)
    requests = []
    for label, loss in losses.trials.items():
        point = losses.point(label)
        (run, *_) = compared.trials(label, point.rate, point.options)
        requests.append(
            MapRequest(
                run=run,
                rates=grids.learning_rates(compared.center * loss.factor, _CELLS, _RATE_DECADES),
                scales=grids.learning_rates(1.0, _CELLS, _SCALE_DECADES),
                seeds=compared.settings.tuning_seeds,
                steps=min(run.steps, _MOST_STEPS),
                target=metric.sign * target,
            )
        )
    return requests

"""Everything that a report shows of a comparison at tuned points, computed from its runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from landscape.report import (
    compare_conditions,
    compare_measures,
    compare_pairs,
    words,
)
from landscape.report.compare_conditions import Cell, Profiles
from landscape.report.compare_measures import LossMeasures
from landscape.report.compare_pairs import Pairs
from landscape.report.compare_results import CompareResults
from landscape.report.run_measures import outcomes_by_metric
from landscape.report.statistics import SeedEstimate
from landscape.storage.compare_records import CompareRecord
from landscape.storage.map_records import MapRecord


@dataclass(frozen=True)
class TunedComparison:
    """The numbers of all losses, of all pairs, and of all conditions.

    `target` is that of the evaluation metric, NaN if there is none; `steps` is the budget of a run;
    `split` names the examples on which the metric is evaluated during training. `other_estimates`
    are those of the metrics that do not judge, by loss and metric.
    """

    record: CompareRecord
    losses: tuple[LossMeasures, ...]
    pairs: Pairs
    cells: tuple[Cell, ...]
    profiles: Profiles | None
    target: float
    steps: float
    split: str
    maps: Mapping[str, MapRecord]
    other_metrics: tuple[str, ...] = ()
    other_estimates: Mapping[str, Mapping[str, SeedEstimate]] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        return self.record.metric

    @property
    def label(self) -> str:
        """The usual spelling of the metric."""
        return words.metric_label(self.record.metric)

    @property
    def judged(self) -> tuple[LossMeasures, ...]:
        """The losses with judged runs."""
        return tuple(loss for loss in self.losses if len(loss.outcomes))

    def of(self, name: str) -> LossMeasures:
        """Returns the numbers of a loss."""
        return next(loss for loss in self.losses if loss.name == name)


def measure(compared: CompareResults, target: float) -> TunedComparison:
    """Returns all numbers of a comparison; `target` is that of the judged runs."""
    record = compared.record
    judged_scale = compare_measures.scale(compared, compared.entry(record.reference).judged)
    losses = tuple(
        compare_measures.loss_measures(compared, entry, target, judged_scale)
        for entry in record.losses
    )
    settings = compared.judged.settings
    configured = None if settings is None else settings.target
    others = compared.judged.other_metrics
    names = [name for entry in record.losses for name in entry.judged]
    configs = [run.config for run in compared.judged.runs if run.config is not None]
    return TunedComparison(
        record,
        losses,
        compare_pairs.compare_pairs(compared, losses),
        tuple(compare_conditions.cells(compared)),
        compare_conditions.performance_profiles(compared, configured),
        target,
        compare_measures.budget(compared, names),
        configs[0].evaluation.split if configs else "evaluation",
        compared.maps,
        others,
        {
            entry.loss: outcomes_by_metric(filter(None, compared.finished(entry.judged)), others)
            for entry in record.losses
        },
    )

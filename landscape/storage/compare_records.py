"""`compare.json` of an experiment: which runs tune and judge each loss, and what was chosen.

No number that a reader can compute from the runs is stored, except the choices of the tuning.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from pydantic import Field, model_validator

from landscape.storage.records import RunId
from landscape.storage.schema import Name, Natural, Number, Text, Value, Vector, record

# Lists of runs in `compare.json` are at most this long.
_MOST_RUNS = 10_000
# A learning rate, which is shown on a logarithmic axis.
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
RunIds = Annotated[tuple[RunId, ...], Field(max_length=_MOST_RUNS)]


@record
class StageRecord:
    """A stage of `landscape compare`."""

    name: Name
    """`own rate`, `tuning`, `extension 1`, `extension 2`, `tolerance`, `judged`, `robustness`."""
    runs: tuple[RunId, ...]
    """Ids of its runs; a run may belong to several stages."""


@record
class TrialRecord:
    """A learning rate with values of the swept options, trained with every tuning seed."""

    rate: Rate
    """The learning rate."""
    runs: RunIds
    """Run ids, in the order of the tuning seeds."""
    options: Mapping[Name, Value] = field(default_factory=dict)
    """Values of the swept options, by dotted key; empty if none are swept."""


@record
class ConditionRecord:
    """A loss under one value of an axis of robustness, everything else unchanged."""

    axis: Name
    """Name of the axis, such as `label_noise`."""
    key: Name
    """Dotted key that the axis varies, such as `dataset.label_noise`."""
    value: Value
    """The value; the one of the unchanged experiment is included."""
    runs: RunIds
    """Runs at the tuned point, in the order of the judging seeds; maybe of the first only."""
    retuned_rate: Number = float("nan")
    """Learning rate tuned under this condition; NaN if it was not tuned."""
    retuned_runs: RunIds = ()
    """Runs at that rate, in the order of the judging seeds."""


@record
class ComparedLoss:
    """The tuning of one loss, and the runs that judge it."""

    loss: Name
    """Label of the loss."""
    own_rate: Rate
    """Learning rate of the config."""
    grid: Vector
    """Learning rates of the tuning, rising, extensions included."""
    trials: tuple[TrialRecord, ...]
    """All trials that the tuned point was chosen from."""
    rates: tuple[TrialRecord, ...]
    """One trial per rate of the grid at the tuned options; without swept options, all trials."""
    factor: Number = 1.0
    """Factor of the grid: under plain SGD the ratio of the reference's initial gradient norm to
    that of the loss."""
    tuned_rate: Number = float("nan")
    """Learning rate of the tuned point; NaN until the tuning is complete."""
    tuned_options: Mapping[Name, Value] = field(default_factory=dict)
    """Swept options at the tuned point, by dotted key."""
    edge: Name = ""
    """`low` or `high` if the tuned rate is the last one of the grid on that side, else empty."""
    gain: Number = float("nan")
    """Mean gain of the tuned point over the tuning seeds."""
    learns: bool = True
    """False if no trial learns."""
    judged: RunIds = ()
    """Runs at the tuned point, in the order of the judging seeds."""
    judged_at_own_rate: RunIds = ()
    """Runs at the config's own learning rate and options, in the order of the judging seeds."""
    conditions: tuple[ConditionRecord, ...] = ()
    """Robustness, axis by axis."""
    problem: Text | None = None
    """Why the loss was not judged; null if it was."""

    @model_validator(mode="after")
    def _known_edge(self) -> "ComparedLoss":
        if self.edge not in ("", "low", "high"):
            raise ValueError("`edge` must be `low`, `high` or empty")
        return self


@record
class CompareRecord:
    """`compare.json` of an experiment: the comparison of its losses at tuned points."""

    reference: Name
    """Label of the reference loss."""
    metric: Name
    """The primary metric."""
    higher_is_better: bool
    """Whether larger values of the metric are better."""
    margin: Number
    """Differences of the metric within this margin are equivalent."""
    tuning_seeds: tuple[Natural, ...]
    """Seeds of the trials."""
    judging_seeds: tuple[Natural, ...]
    """Seeds of the judged runs."""
    losses: tuple[ComparedLoss, ...]
    """One entry per loss, in the order of the config."""
    stages: tuple[StageRecord, ...]
    """Stages so far, in order."""
    reference_value: Number = float("nan")
    """Mean evaluation metric of the reference at its tuned point over the tuning seeds, the M_ref
    of all gains; NaN until its tuning is complete."""
    complete: bool = False
    """Whether all stages have been performed."""

    @model_validator(mode="after")
    def _reference_is_listed(self) -> "CompareRecord":
        labels = [entry.loss for entry in self.losses]
        if self.reference not in labels:
            raise ValueError(f"the reference `{self.reference}` is not among the losses")
        if len(set(labels)) < len(labels):
            raise ValueError("two losses have the same label")
        return self

    @model_validator(mode="after")
    def _runs_fit_the_seeds(self) -> "CompareRecord":
        trials, judged = len(self.tuning_seeds), len(self.judging_seeds)
        for entry in self.losses:
            for trial in (*entry.trials, *entry.rates):
                _check_number(entry.loss, trial.runs, trials, "a trial", "tuning")
            for runs in (entry.judged, entry.judged_at_own_rate):
                if runs:
                    _check_number(entry.loss, runs, judged, "its judgment", "judging")
        return self


def _check_number(loss: str, runs: RunIds, seeds: int, subject: str, kind: str) -> None:
    if len(runs) != seeds:
        raise ValueError(
            f"`{loss}` has {len(runs)} runs for {subject}, expected one per {kind} seed: {seeds}"
        )

"""Reads the results of an experiment: its runs, and the measurements between them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from landscape import config
from landscape.config import Experiment
from landscape.config.reference import reference_loss
from landscape.errors import UserError, last_line
from landscape.report import words
from landscape.report.run_reader import read_optional, read_run, record_of
from landscape.report.stored_run import COUNTED, STATES, StoredRun
from landscape.storage import contents, experiment_folder, safe_reading
from landscape.storage.contents import Contents
from landscape.storage.records import CrossRunRecord, SummaryRecord

__all__ = ["COUNTED", "STATES", "Results", "StoredRun", "read"]


class RateGrid(NamedTuple):
    """The learning rates at which a loss was tuned, and whether it learns at any of them."""

    rates: tuple[float, ...]
    learns: bool


@dataclass(frozen=True)
class Results:
    """All runs of an experiment, their common settings, and the measurements across runs.

    `settings` is None if experiment.yaml cannot be read; `problem` says why across.json cannot.
    `warnings` name files that were changed or cannot be verified. `reference` is the label of the
    loss that others are compared with, the first one if empty. `tuned` has the grid of each loss
    whose rate was tuned. `metric` judges, with the best possible value `perfect`,
    NaN if there is none; `metrics` are all of the task.
    """

    directory: Path
    title: str
    settings: Experiment | None
    runs: tuple[StoredRun, ...]
    losses: tuple[str, ...]
    swept: tuple[str, ...]
    metric: str
    higher_is_better: bool
    across: CrossRunRecord | None = None
    problem: str = ""
    warnings: tuple[str, ...] = ()
    reference: str = ""
    tuned: Mapping[str, RateGrid] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    perfect: float = np.nan

    @property
    def other_metrics(self) -> tuple[str, ...]:
        """The metrics of the task but the one that judges."""
        return tuple(name for name in self.metrics if name != self.metric)

    @property
    def has_looks(self) -> bool:
        """Whether the folder has looks at points that were trained elsewhere, not trainings."""
        return any(run.status == "looked" for run in self.runs)

    @property
    def unreadable(self) -> dict[str, str]:
        """The names of the unreadable runs, each with the reason."""
        return {run.name: run.error for run in self.runs if run.status == "unreadable"}

    @property
    def groups(self) -> dict[tuple[str, str], list[StoredRun]]:
        """Runs by loss and point of the sweep, losses in the config's order."""

        def position(run: StoredRun) -> tuple[Any, ...]:
            return self.losses.index(run.loss), *(_order(run.swept.get(key)) for key in self.swept)

        groups: dict[tuple[str, str], list[StoredRun]] = {}
        for run in sorted((run for run in self.runs if run.loss), key=position):
            groups.setdefault((run.loss, run.point), []).append(run)
        return groups


def _order(value: object) -> tuple[bool, float, str]:
    """Returns the sort key of a swept value: numbers first, then texts."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return False, float(value), ""
    return True, 0.0, str(value)


def read(directory: Path) -> Results:
    """Returns the planned runs of an experiment. Raises UserError if none has finished."""
    names = experiment_folder.planned_runs(directory)
    listed = contents.read(directory)
    runs = _without_copies(read_run(name, listed) for name in names)
    summary = next((run.summary for run in runs if run.counted), None)
    if summary is None:
        raise UserError(
            "\n".join([_nothing_finished(directory, runs), *listed.warnings()]), hint=_remedy(runs)
        )
    metric = summary.primary_metric
    problems: list[str] = []
    unreadable_settings: list[str] = []
    settings = read_optional(directory / "experiment.yaml", _experiment, unreadable_settings)
    across = _read_across(listed, problems)
    losses = _losses(settings, runs)
    return Results(
        directory=directory,
        title=(settings and settings.title) or directory.resolve().name,
        settings=settings,
        runs=tuple(sorted(runs, key=lambda run: (run.seed is None, run.seed or 0, run.name))),
        losses=losses,
        swept=tuple(dict.fromkeys(key for run in runs for key in run.swept)),
        metric=metric,
        higher_is_better=summary.higher_is_better.get(metric, True),
        metrics=summary.metrics,
        perfect=_perfect(summary),
        reference=_reference(settings, losses, summary.task),
        across=across,
        problem="; ".join(problems),
        warnings=(*listed.warnings(), *unreadable_settings),
    )


def _perfect(summary: SummaryRecord) -> float:
    """Returns the best possible value of the metric that judges, NaN if it has none."""
    metric = summary.primary_metric
    if not summary.perfect and words.metric_kind(metric) in words.AT_MOST_ONE:
        return 1.0  # folders of earlier versions do not record it
    return summary.perfect.get(metric, np.nan)


def _experiment(path: Path) -> Experiment:
    return config.experiment_from(safe_reading.read_text(path))


def _read_across(listed: Contents, problems: list[str]) -> CrossRunRecord | None:
    if listed.differs("across.json"):
        problems.append("across.json was changed; `landscape run` measures it again")
        return None
    return read_optional(listed.directory / "across.json", record_of(CrossRunRecord), problems)


def _without_copies(runs: Iterable[StoredRun]) -> tuple[StoredRun, ...]:
    """Returns the runs; one that repeats loss, seed and swept values of another is unreadable."""
    names: dict[tuple[str, int | None, str], str] = {}
    checked = []
    for run in runs:
        first = names.setdefault((run.loss, run.seed, run.point), run.name)
        if run.counted and first != run.name:
            error = f"it has the loss, the seed and the swept values of `{first}`"
            run = replace(run, status="unreadable", error=error)
        checked.append(run)
    return tuple(checked)


def _nothing_finished(directory: Path, runs: tuple[StoredRun, ...]) -> str:
    states = sorted(Counter(run.status for run in runs).items())
    counts = ", ".join(f"{number} {state}" for state, number in states)
    reason = next((last_line(run.error) for run in runs if run.error), "")
    first_error = f". The first error: {reason}" if reason else ""
    return f"no run in `{directory}` has finished: {counts}{first_error}"


def _remedy(runs: tuple[StoredRun, ...]) -> str:
    states = {run.status for run in runs}
    if states == {"unfinished"}:
        return "wait if `landscape run` is at work (see `landscape status`), else run it again"
    see = "see error.txt in the run folders, then " if "failed" in states else ""
    return f"{see}run the experiment again"


def _losses(settings: Experiment | None, runs: tuple[StoredRun, ...]) -> tuple[str, ...]:
    """Returns the labels in the config's order, then those that the config does not have."""
    configured = [] if settings is None else [loss.label for loss in settings.losses]
    trained = {run.loss for run in runs if run.loss}
    return tuple(dict.fromkeys([x for x in configured if x in trained] + sorted(trained)))


def _reference(settings: Experiment | None, losses: tuple[str, ...], task: str) -> str:
    """Returns the reference loss, the first one if the config is not known or has no such run."""
    if settings is None:
        return losses[0]
    configured = None if settings.compare is None else settings.compare.reference
    label = reference_loss(settings.losses, task, configured)
    return label if label in losses else losses[0]

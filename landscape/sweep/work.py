"""What a session performs: stages of runs, and what is written after the last."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from landscape import config
from landscape.config import Experiment, Run
from landscape.run.plan import other_looks
from landscape.storage import store
from landscape.sweep.compare_record import compare_record
from landscape.sweep.compared_experiment import ComparedExperiment
from landscape.sweep.outcomes import FAILED, Outcome, TaskMetric, read_metric, read_outcomes
from landscape.sweep.stages import Stage, next_stage, tuned_runs

if TYPE_CHECKING:
    from landscape.run.trainability_maps import MapRequest

COMPARE = "compare.json"


class Work(Protocol):
    """The stages of a session.

    `keeps_more`: whether a run that needs no measurements may have those of another command.
    """

    keeps_more: bool

    def stages(self, directory: Path) -> Iterator[Stage]:
        """Yields each stage after the runs of the one before have ended; at least one."""

    def kept(self, directory: Path) -> Sequence[Run]:
        """Returns the stored runs that stay in the plan beside those of the stages."""

    def across(self) -> Sequence[Run]:
        """Returns the runs between which is measured, after the last stage."""

    def maps(self) -> "Sequence[MapRequest]":
        """Returns the trainability maps to measure, after the last stage."""

    def finish(self, directory: Path) -> None:
        """Writes what all stages together show."""


class ConfiguredRuns:
    """The runs of a config, in one stage without a name."""

    keeps_more = False

    def __init__(self, experiment: Experiment) -> None:
        self._runs = config.expand(experiment)
        self._looks = experiment.point is not None

    def stages(self, directory: Path) -> Iterator[Stage]:
        """Yields the only stage."""
        yield Stage("", self._runs)

    def kept(self, directory: Path) -> Sequence[Run]:
        """Returns the looks of other labels, which are compared with those of the config."""
        return other_looks(self._runs, directory) if self._looks else ()

    def across(self) -> Sequence[Run]:
        """Returns all runs."""
        return self._runs

    def maps(self) -> "Sequence[MapRequest]":
        """Returns none."""
        return ()

    def finish(self, directory: Path) -> None:
        """Does nothing: the runs are the result."""


class Comparison:
    """The stages of `landscape compare`. Raises UserError if the config sweeps more than losses."""

    keeps_more = True

    def __init__(self, experiment: Experiment) -> None:
        self.compared = ComparedExperiment(experiment)
        self._outcomes: dict[str, Outcome] = {}
        self._metric = TaskMetric("", True)

    def stages(self, directory: Path) -> Iterator[Stage]:
        """Yields the runs of each stage that no earlier stage has."""
        self._outcomes = {}
        while (stage := next_stage(self.compared, self._outcomes)) is not None:
            new = tuple(run for run in stage.runs if run.id not in self._outcomes)
            yield stage._replace(runs=new)
            self._outcomes |= dict.fromkeys((run.id for run in new), FAILED)
            self._outcomes |= read_outcomes(new, directory)
        self._metric = read_metric(self._outcomes, directory)

    def kept(self, directory: Path) -> Sequence[Run]:
        """Returns none."""
        return ()

    def across(self) -> Sequence[Run]:
        """Returns the judged runs at the tuned points, named by loss and seed alone."""
        runs = tuned_runs(self.compared, self._outcomes)
        return [run.model_copy(update={"swept": {}}) for run in runs]

    def maps(self) -> "Sequence[MapRequest]":
        """Returns a map of each judged loss: learning rates by scales of the initialization."""
        if not self.compared.settings.maps:
            return ()
        from landscape.sweep.map_requests import map_requests

        return map_requests(self.compared, self._outcomes, self._metric)

    def finish(self, directory: Path) -> None:
        """Writes compare.json."""
        record = compare_record(self.compared, self._outcomes, self._metric)
        store.write_record(directory / COMPARE, record)

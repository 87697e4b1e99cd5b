"""Runs and compares experiments, as the commands of the same names do."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from landscape import catalog, config
from landscape.api.python_experiment import PythonExperiment
from landscape.api.sweep_results import Comparison, Sweep
from landscape.config import Experiment
from landscape.errors import UserError, describe_value, printable
from landscape.storage import experiment_folder
from landscape.sweep.executors.protocol import Ended, ExecutorSpec, Lost, Note
from landscape.sweep.executors.selection import select_executor
from landscape.sweep.session import events, open_session

if TYPE_CHECKING:
    from landscape.sweep.work import Work


def load(path: Path | str, *overrides: str) -> Experiment:
    """Loads the experiment of a YAML file; overrides are like `"seeds=2"` or `"steps=100,200"`.

    Raises UserError that lists every mistake with its file, line and column.
    """
    return config.load(path, overrides)


def run(
    experiment: Experiment | PythonExperiment,
    out: Path | str = "runs",
    *,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    tell: Callable[[str], None] = print,
) -> Sweep:
    """Performs the missing runs of an experiment, as `landscape run` does, and returns the results.

    `tell` is called with a line for each run that ends; pass `lambda line: None` to silence it.
    Failed runs are part of the results. An interruption stops at the next opportunity, worker
    processes immediately; finished runs are kept.

    Raises UserError for mistakes that are found before the first run, ClusterError if the Ray
    cluster is lost, after which another call resumes.
    """
    with _settings("run", experiment) as settings:
        spec = select_executor(settings, executor, jobs, address)
        return Sweep(perform(settings, out, spec, fresh, retry_failed, tell))


def compare(
    experiment: Experiment | PythonExperiment,
    out: Path | str = "runs",
    *,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    tell: Callable[[str], None] = print,
) -> Comparison:
    """Tunes and judges the losses of an experiment, as `landscape compare` does.

    Every loss is tuned with equal budget on tuning seeds and the validation split, and judged on
    other seeds at its tuned point; the block `compare` of the config has the settings.
    Interruption, `tell` and errors are as for `run`.
    """
    from landscape.sweep import work

    with _settings("compare", experiment) as settings:
        spec = select_executor(settings, executor, jobs, address)
        stages = work.Comparison(settings)
        return Comparison(perform(settings, out, spec, fresh, retry_failed, tell, stages))


@contextlib.contextmanager
def _settings(function: str, experiment: Experiment | PythonExperiment) -> Iterator[Experiment]:
    """Yields the settings of an experiment, whose Python objects are available meanwhile."""
    if isinstance(experiment, PythonExperiment):
        with catalog.available(experiment.objects):
            yield experiment.settings
    elif isinstance(experiment, Experiment):
        yield experiment
    else:
        raise UserError(
            f"{function}() takes an experiment, found {describe_value(experiment)}",
            hint=f"load one, {function}(load('experiment.yaml')), or state one, "
            f"{function}(Experiment(dataset=..., model=..., losses=[...]))",
        )


def _check_objects(directory: Path, spec: ExecutorSpec, fresh: bool, looks: bool) -> None:
    """Raises UserError if objects of this process cannot be used as requested.

    A look whose objects have no identity is made again, which takes no training.
    """
    objects = catalog.available_objects()
    names = ", ".join(f"`{name.rpartition(':')[2]}`" for name in objects)
    if objects and spec.executor != "serial":
        raise UserError(
            f"{names} exist only in this process, found the executor {spec.executor}",
            hint="remove jobs, executor, address and limits in `execution`; or write the functions "
            "to a file and name them `file.py:name`",
        )
    reasons = [reason for reason in objects.values() if reason]
    if reasons and not looks and not fresh and experiment_folder.run_ids(directory):
        raise UserError(
            f"the results in {directory} cannot be resumed, since it is unknown whether the "
            f"objects are the same: {'; '.join(reasons)}",
            hint="pass fresh=True, which deletes them, or choose another `name` or `out`",
        )


def perform(
    experiment: Experiment,
    out: Path | str,
    spec: ExecutorSpec,
    fresh: bool,
    retry_failed: bool,
    tell: Callable[[str], None],
    work: "Work | None" = None,
) -> Path:
    """Performs the missing runs, and returns the folder of the experiment."""
    _check_objects(Path(out) / experiment.name, spec, fresh, experiment.point is not None)
    with (
        open_session(
            experiment, Path(out), fresh=fresh, retry_failed=retry_failed, work=work
        ) as session,
        closing(events(session, spec)) as steps,
    ):
        for event in steps:
            if isinstance(event, Ended | Lost | Note):
                tell(printable(str(event)))
    return session.directory

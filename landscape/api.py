"""For notebooks and scripts: load a config, run it, read what came out as tables of pandas."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from landscape import config
from landscape.config import Experiment
from landscape.errors import UserError, describe_value, first_line
from landscape.storage import store
from landscape.sweep import carry_out, executors
from landscape.sweep.executors import Ended, Lost, Note
from landscape.sweep.lock import holder

if TYPE_CHECKING:
    import pandas as pd


def load(path: Path | str, *overrides: str) -> Experiment:
    """The experiment of a YAML file; overrides are texts such as `"seeds=2"` or `"steps=100,200"`.

    UserError lists everything that is wrong, each with its file, line and column.
    """
    return config.load(path, overrides)


def run(
    experiment: Experiment,
    out: Path | str = "runs",
    *,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    tell: Callable[[str], None] = print,
) -> "Sweep":
    """Does what is missing of an experiment, as `landscape run` does, and returns its results.

    `tell` is given a line for each run that ends; `lambda line: None` keeps it quiet. Runs that
    failed are in the results; UserError for mistakes that can be known before. An interruption
    stops at the next occasion, worker processes at once; what is finished is kept.
    """
    if not isinstance(experiment, Experiment):
        raise UserError(
            f"run() takes an experiment, found {describe_value(experiment)}",
            hint="load one: run(load('experiment.yaml'))",
        )
    how = executors.choose(experiment, executor, jobs, address)
    out = Path(out)
    steps = carry_out.carry_out(experiment, out, how, fresh=fresh, retry_failed=retry_failed)
    directory = out / experiment.name
    with closing(steps):
        for event in steps:
            if isinstance(event, Ended | Lost | Note):
                tell(str(event))
    return Sweep(directory)


class Sweep:
    """The folder of an experiment, read anew whenever it is asked."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def __repr__(self) -> str:
        return f"Sweep({str(self.directory)!r})"

    @property
    def status(self) -> "pd.Series":
        """The status of every run, by id."""
        import pandas as pd

        found = carry_out.states(self.directory, holder(self.directory) is not None)
        return pd.Series({name: s.status for name, s in found.items()}, name="status", dtype=str)

    @property
    def runs(self) -> "pd.DataFrame":
        """One tidy row a run: loss, seed, swept values, outcome, gradients; as results.csv."""
        from landscape.report.comparison import compare, run_table
        from landscape.report.results import read

        found = read(self.directory)
        return run_table(found, float(compare(found)["target"].iloc[0]))

    @property
    def comparison(self) -> "pd.DataFrame":
        """One row a loss and point of the sweep: what the report compares, as raw numbers."""
        from landscape.report.comparison import compare
        from landscape.report.results import read

        return compare(read(self.directory))

    def trace(self, run_id: str) -> "pd.DataFrame":
        """One row a recorded step of a run. UserError where it has none that can be read."""
        folder = store.run_folder(self.directory, run_id)
        try:
            return store.read_trace(folder)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{folder} has no trace: {first_line(error)}",
                hint="the ids of the runs are the index of `status`",
            ) from None

    def report(self) -> Path:
        """Builds tables, figures and page anew; returns the page."""
        from landscape.report.assemble import build

        return build(self.directory).index


def results(directory: Path | str) -> Sweep:
    """The results that a folder holds, such as `runs/quickstart`, whoever wrote them."""
    return Sweep(directory)

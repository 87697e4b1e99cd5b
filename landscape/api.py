"""The API for notebooks and scripts: load a config, run or compare it, read pandas tables."""

import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from landscape import config
from landscape.config import Experiment
from landscape.errors import UserError, describe_value, first_line, printable
from landscape.storage import array_files, store
from landscape.storage.compare_records import CompareRecord
from landscape.sweep.executors.protocol import Ended, Lost, Note
from landscape.sweep.executors.selection import select_executor
from landscape.sweep.lock import holder
from landscape.sweep.run_states import run_states
from landscape.sweep.session import events, open_session

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from landscape.report.results import Results
    from landscape.report.tuned_report import TunedReport
    from landscape.sweep.executors.protocol import ExecutorSpec
    from landscape.sweep.work import Work


def load(path: Path | str, *overrides: str) -> Experiment:
    """Loads the experiment of a YAML file; overrides are like `"seeds=2"` or `"steps=100,200"`.

    Raises UserError that lists every mistake with its file, line and column.
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
    """Performs the missing runs of an experiment, as `landscape run` does, and returns the results.

    `tell` is called with a line for each run that ends; pass `lambda line: None` to silence it.
    Failed runs are part of the results. An interruption stops at the next opportunity, worker
    processes immediately; finished runs are kept.

    Raises UserError for mistakes that are found before the first run, ClusterError if the Ray
    cluster is lost, after which another call resumes.
    """
    spec = select_executor(_checked("run", experiment), executor, jobs, address)
    directory = _perform(experiment, out, spec, fresh, retry_failed, tell)
    return Sweep(directory)


def compare(
    experiment: Experiment,
    out: Path | str = "runs",
    *,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    tell: Callable[[str], None] = print,
) -> "Comparison":
    """Tunes and judges the losses of an experiment, as `landscape compare` does.

    Every loss is tuned with equal budget on tuning seeds and the validation split, and judged on
    other seeds at its tuned point; the block `compare` of the config has the settings.
    Interruption, `tell` and errors are as for `run`.
    """
    from landscape.sweep import work

    spec = select_executor(_checked("compare", experiment), executor, jobs, address)
    comparison = work.Comparison(experiment)
    directory = _perform(experiment, out, spec, fresh, retry_failed, tell, comparison)
    return Comparison(directory)


def _checked(function: str, experiment: Experiment) -> Experiment:
    if not isinstance(experiment, Experiment):
        raise UserError(
            f"{function}() takes an experiment, found {describe_value(experiment)}",
            hint=f"load one: {function}(load('experiment.yaml'))",
        )
    return experiment


def _perform(
    experiment: Experiment,
    out: Path | str,
    spec: "ExecutorSpec",
    fresh: bool,
    retry_failed: bool,
    tell: Callable[[str], None],
    work: "Work | None" = None,
) -> Path:
    """Performs the missing runs, and returns the folder of the experiment."""
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


class Sweep:
    """The results of an experiment; every property reads its folder again.

    Tables warn if a file was changed after `run` wrote it, or cannot be verified.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def __repr__(self) -> str:
        return f"Sweep({str(self.directory)!r})"

    @property
    def status(self) -> "pd.Series":
        """The status of every run, indexed by run id."""
        import pandas as pd

        states = run_states(self.directory, holder(self.directory) is not None)
        statuses = {run_id: state.status for run_id, state in states.items()}
        return pd.Series(statuses, name="status", dtype=str)

    @property
    def runs(self) -> "pd.DataFrame":
        """One row per run as in results.csv: loss, seed, swept values, outcome, gradients."""
        from landscape.report.comparison import compare, steps_to_target
        from landscape.report.loss_rows import loss_rows
        from landscape.report.run_measures import run_table

        stored = self._read()
        rows = loss_rows(stored)
        return run_table(stored, steps_to_target(rows, compare(stored, rows)))

    @property
    def comparison(self) -> "pd.DataFrame":
        """One row per loss and point of the sweep: the comparison of the report, unrounded."""
        from landscape.report.comparison import compare

        return compare(self._read())

    def _read(self) -> "Results":
        """Returns the results; warns if a file was changed or cannot be verified."""
        from landscape.report.results import read

        stored = read(self.directory)
        for text in stored.warnings:
            warnings.warn(text, stacklevel=3)
        return stored

    def trace(self, run_id: str) -> "pd.DataFrame":
        """Returns one row per recorded step of a run. Raises UserError if it has no trace.

        Warns if the trace was changed after `run` wrote it.
        """
        folder = store.run_folder(self.directory, run_id)
        if store.is_changed(folder, "trace.parquet"):
            warnings.warn(f"the trace of `{run_id}` was changed after its run", stacklevel=2)
        try:
            return array_files.read_trace(folder)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{folder} has no trace: {first_line(error)}",
                hint="the index of `status` lists the run ids",
            ) from None

    def report(self) -> Path:
        """Builds tables, figures and web page unless up to date; returns the path of the page.

        Warns as the command `landscape report` does.
        """
        from landscape.report import stored_report

        record = stored_report.up_to_date(self.directory)
        if record is None:
            from landscape.report.assemble import build

            record = build(self.directory).record
        omitted = (f"omitted: {name}: {reason}" for name, reason in record.unreadable.items())
        for text in (*record.warnings, *omitted):
            warnings.warn(text, stacklevel=2)
        return self.directory / "report" / "index.html"


class Comparison(Sweep):
    """The results of `compare`; every property reads the folder again.

    `record` has the trials, the tuned point of each loss, and the run ids of each stage.
    """

    @property
    def record(self) -> "CompareRecord":
        """What was tuned, and which runs judge it. Raises UserError if it cannot be read."""
        try:
            return store.read_record(self.directory / "compare.json", CompareRecord)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self.directory} has no comparison: {first_line(error)}",
                hint="run `landscape compare`; finished runs are kept",
            ) from None

    @property
    def conclusions(self) -> list[str]:
        """What may be concluded, in sentences. Raises UserError if no loss has been judged."""
        return list(self._tuned_report().conclusions)

    @property
    def tables(self) -> "dict[str, pd.DataFrame]":
        """The tables of the report by name, unrounded: `tuning`, `pairs`, `robustness`.

        docs/definitions.md defines their columns. Raises UserError if no loss has been judged.
        """
        return {table.name: table.rows for table in self._tuned_report().tables}

    @property
    def figures(self) -> "dict[str, Figure]":
        """The figures of the report by the names of their files, such as `tuning_rates`.

        Raises UserError if no loss has been judged.
        """
        from landscape.report import tuned_report

        return tuned_report.figures(self._tuned_report())

    def _tuned_report(self) -> "TunedReport":
        from landscape.report import tuned_report

        return tuned_report.load(self.directory)

    @property
    def tuning(self) -> "pd.DataFrame":
        """One row per trial: loss, learning rate, swept options, runs, whether it was chosen."""
        import pandas as pd

        rows = [
            {
                "loss": loss.loss,
                "learning_rate": trial.rate,
                **trial.options,
                "runs": trial.runs,
                "tuned": (trial.rate, trial.options) == (loss.tuned_rate, loss.tuned_options),
            }
            for loss in self.record.losses
            for trial in loss.trials
        ]
        return pd.DataFrame(rows)

    @property
    def losses(self) -> "pd.DataFrame":
        """One row per loss: tuned learning rate and options, edge of the grid, gain, learns."""
        import pandas as pd

        names = ("loss", "own_rate", "factor", "tuned_rate", "edge", "gain", "learns", "problem")
        rows = [
            {name: getattr(loss, name) for name in names} | {**loss.tuned_options}
            for loss in self.record.losses
        ]
        return pd.DataFrame(rows)


def results(directory: Path | str) -> Sweep:
    """Returns the results in a folder such as `runs/quickstart`, written by any process."""
    return Sweep(directory)

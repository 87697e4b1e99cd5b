"""The results of an experiment as pandas tables, NumPy arrays and matplotlib figures."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.api.run_arrays import PARAMS, SLICES, RunArrays
from landscape.api.run_tables import RunTables
from landscape.errors import UserError, first_line
from landscape.storage import store
from landscape.storage.compare_records import CompareRecord
from landscape.storage.recordings import is_recording
from landscape.sweep.lock import holder
from landscape.sweep.run_states import run_states

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from landscape.report.results import Results
    from landscape.report.stored_run import StoredRun
    from landscape.report.tuned_report import TunedReport


class Sweep(RunTables):
    """The results of an experiment; every property reads its folder again.

    Tables warn if a file was changed after `run` wrote it, or cannot be verified.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.directory)!r})"

    @property
    def status(self) -> "pd.Series":
        """The status of every run, indexed by run id."""
        import pandas as pd

        states = run_states(self.directory, holder(self.directory) is not None)
        statuses = {run_id: state.status for run_id, state in states.items()}
        return pd.Series(statuses, name="status", dtype=str)

    @property
    def runs(self) -> "pd.DataFrame":
        """One row per run as in results.csv: loss, seed, swept values, outcome, gradients.

        Of recorded training loops, one row per loop: the first and the last record.
        """
        from landscape.report import recordings
        from landscape.report.comparison import compare
        from landscape.report.run_table import run_table

        if is_recording(self.directory):
            return recordings.table(recordings.read(self.directory).runs).rows
        stored = self._read()
        return run_table(stored, compare(stored))

    @property
    def table(self) -> "pd.DataFrame":
        """The table that a notebook shows, unrounded."""
        return self.comparison

    @property
    def comparison(self) -> "pd.DataFrame":
        """One row per loss and point of the sweep: the comparison of the report, unrounded."""
        from landscape.report.comparison import comparison_frame

        if is_recording(self.directory):
            return self.runs
        return comparison_frame(self._read())

    def _read(self) -> "Results":
        """Returns the results; warns if a file was changed or cannot be verified."""
        from landscape.report.results import read

        stored = read(self.directory)
        for text in stored.warnings:
            warnings.warn(text, stacklevel=3)
        return stored

    def _finished(self) -> "tuple[Sequence[StoredRun], Sequence[str]]":
        from landscape.report import recordings

        if is_recording(self.directory):
            return [loop.run for loop in recordings.read(self.directory).runs], ()
        stored = self._read()
        for name, reason in stored.unreadable.items():
            warnings.warn(f"omitted: {name}: {reason}", stacklevel=4)
        return [run for run in stored.runs if run.counted], stored.swept

    @property
    def slices(self) -> RunArrays:
        """The slices of each run: arrays by name, `POINT/KIND/LABEL/QUANTITY`.

        A key is the id of a run, or the label of a loss with a single run. POINT is `trained` or
        `initial`; KIND `lines` or `planes`; QUANTITY `risk`, a metric, a coordinate or a
        direction's cosine. Values of lines are (directions, points), of planes (points along y,
        points along x). Raises UserError for other keys, and for runs without slices.
        """
        return RunArrays(self.directory, SLICES)

    @property
    def params(self) -> RunArrays:
        """The parameters of each run: arrays by name, such as `trained/layers/0/weight`.

        Keys are those of `slices`. The names of arrays begin with `initial`, `trained`, `best` (the
        best recorded step), `update` (what one more step of the optimizer would add) or `state`
        (batch statistics).
        """
        return RunArrays(self.directory, PARAMS)

    def plot(self, kind: str, place: str = "trained") -> "Figure":
        """Returns a figure of the report: `curves`, `slices`, or another kind.

        Kinds: `summary`, `curves` (the metric during training), `risk`, `gradients`, `dead`,
        `slices` (risk along the first set of lines), `contours` and `surfaces` (the first set of
        planes), `curvature` (the spectrum), or the name of a figure's file in the report. `place`
        is `trained` or `initial`. matplotlib.pyplot is not involved: `figure.savefig("curves.pdf")`
        writes it. Raises UserError if the runs do not have what it shows.
        """
        from landscape.report import experiment_views

        return experiment_views.figure(self.directory, kind, place)

    def _repr_html_(self) -> str:
        """Returns the comparison for a notebook."""
        from landscape.report import experiment_views

        return experiment_views.comparison_html(self.directory)

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

    def _repr_html_(self) -> str:
        """Returns the conclusions and the table of the losses for a notebook."""
        from landscape.report import experiment_views

        return experiment_views.tuned_html(self.directory)

    @property
    def conclusions(self) -> list[str]:
        """What may be concluded, in sentences. Raises UserError if no loss has been judged."""
        return list(self._tuned_report().conclusions)

    @property
    def table(self) -> "pd.DataFrame":
        """One row per loss at its tuned point, unrounded: the table `tuning` of the report.

        Raises UserError if no loss has been judged.
        """
        return self.tables["tuning"]

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
    """Returns the results in a folder such as `runs/quickstart`, written by any process.

    Those of `compare` are a `Comparison`.
    """
    compared = (Path(directory) / "compare.json").exists()
    return Comparison(directory) if compared else Sweep(directory)

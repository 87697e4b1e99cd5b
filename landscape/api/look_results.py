"""The results of a look: those of one run, and of the other looks in its folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.api.run_arrays import run_of
from landscape.api.run_tables import RunTables
from landscape.api.sweep_results import Sweep
from landscape.storage import experiment_folder, store
from landscape.storage.records import SummaryRecord

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from landscape.report.stored_run import StoredRun


class Look(RunTables):
    """What was measured around a point, of one label; every property reads its folder again.

    `all` has the looks of every label in the folder, as the results of an experiment.
    """

    def __init__(self, directory: Path | str, label: str) -> None:
        self.directory, self.label = Path(directory), label
        self.all = Sweep(directory)

    def __repr__(self) -> str:
        return f"Look({str(self.directory)!r}, {self.label!r})"

    @property
    def run_id(self) -> str:
        """The id of the run that holds the look. Raises UserError if it is missing."""
        return run_of(self.directory, self.label)

    @property
    def folder(self) -> Path:
        """The folder of the look's files."""
        return store.run_folder(self.directory, self.run_id)

    @property
    def summary(self) -> SummaryRecord:
        """The summary of the look: metrics, number of parameters, data, checks."""
        return store.read_record(self.folder / "summary.json", SummaryRecord)

    def _finished(self) -> "tuple[Sequence[StoredRun], Sequence[str]]":
        runs, swept = self.all._finished()
        return [run for run in runs if run.name == self.run_id], swept

    @property
    def slices(self) -> "dict[str, np.ndarray]":
        """The arrays of all slices by name: `all.slices` of this look."""
        return self.all.slices[self.run_id]

    @property
    def params(self) -> "dict[str, np.ndarray]":
        """The parameters by name: `trained/...`, and the other points that were passed."""
        return self.all.params[self.run_id]

    @property
    def point(self) -> "pd.DataFrame":
        """One row per end that is known: risk, metrics, gradient norms, dead fractions."""
        return self.traces.drop(columns=["run", "loss", "seed"])

    @property
    def checks(self) -> "pd.DataFrame":
        """One row per check of the look's own numbers."""
        import pandas as pd

        return pd.DataFrame([vars(check) for check in self.summary.checks])

    @property
    def table(self) -> "pd.DataFrame":
        """One row per look in the folder as in results.csv, the latest last."""
        order = experiment_folder.planned_runs(self.directory)
        return self.all.runs.set_index("run").loc[order].reset_index()

    def plot(self, kind: str, place: str = "trained") -> "Figure":
        """Returns a figure of the report with all looks of the folder; see `Sweep.plot`."""
        return self.all.plot(kind, place)

    def report(self) -> Path:
        """Builds tables, figures and web page unless up to date; returns the path of the page."""
        return self.all.report()

    def _repr_html_(self) -> str:
        """Returns the comparison of the looks for a notebook."""
        return self.all._repr_html_()

"""What a report computes from the runs of an experiment, before it draws and writes anything."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from landscape.report import compare_results, solutions
from landscape.report.compare_results import CompareResults
from landscape.report.comparison import compare, shown_points
from landscape.report.comparison_row import Row
from landscape.report.figures import all_figures
from landscape.report.figures.all_figures import Drawing
from landscape.report.figures.view import View, make_view
from landscape.report.loss_rows import LossRow
from landscape.report.results import Results, read
from landscape.report.solutions import SolutionGroup
from landscape.report.tuned_report import TunedReport, tuned_report, with_styles


@dataclass(frozen=True)
class ReportNumbers:
    """The runs of an experiment and their comparison.

    `results` are all runs, or those that judge a comparison at tuned points; `rows` are their
    comparison. `problems` say which files of the experiment could not be read.
    """

    all_results: Results
    results: Results
    rows: Sequence[Row]
    compared: CompareResults | None
    problems: Sequence[str]

    @functools.cached_property
    def shown(self) -> Sequence[Row]:
        """The rows that the page and the figures show."""
        return shown_points(self.rows)

    @property
    def loss_runs(self) -> Sequence[LossRow]:
        """The runs behind each row."""
        return [row.runs for row in self.rows]

    @functools.cached_property
    def view(self) -> View:
        """The runs to draw."""
        view = make_view(self.results, self.rows)
        return view if self.compared is None else with_styles(view, self.compared)

    @functools.cached_property
    def groups(self) -> Sequence[SolutionGroup]:
        """The measurements between solutions."""
        return solutions.groups(self.results, self.rows)

    @functools.cached_property
    def tuned(self) -> TunedReport | None:
        """The comparison at tuned points, if there is one."""
        return None if self.compared is None else tuned_report(self.compared, self.view.target)

    def drawings(self) -> Iterator[Drawing]:
        """Yields the figures in the order of the page; draw them within `report_style()`."""
        comparison = self.tuned.comparison if self.tuned else None
        return all_figures.drawings(self.results, self.rows, self.view, self.groups, comparison)


def read_numbers(directory: Path) -> ReportNumbers:
    """Reads an experiment. Raises UserError if the folder is missing or has no finished run."""
    all_results = read(directory)
    problems: list[str] = []
    compared = compare_results.read(all_results, problems)
    results = all_results if compared is None else compared.judged
    return ReportNumbers(all_results, results, compare(results), compared, problems)

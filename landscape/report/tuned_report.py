"""What a report adds for a comparison at tuned points: tables, sentences, the terminal's table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from landscape.errors import UserError
from landscape.report import (
    compare_display,
    compare_results,
    compare_tables,
    conclusions,
    tuned_comparison,
)
from landscape.report.compare_results import CompareResults
from landscape.report.comparison import compare
from landscape.report.figures import all_figures, rendering
from landscape.report.figures.style import Style, styles
from landscape.report.figures.view import View, make_view
from landscape.report.page_tables import PageColumn, PageTable, cells
from landscape.report.results import read
from landscape.report.tables import ReportTable
from landscape.report.tuned_comparison import TunedComparison
from landscape.storage.records import ReportRecord


@dataclass(frozen=True)
class TunedReport:
    """The numbers of a comparison, and all texts that a report shows of it."""

    comparison: TunedComparison
    tables: tuple[ReportTable, ...]
    conclusions: tuple[str, ...]
    scope: tuple[str, ...]
    display: pd.DataFrame

    def summary(self, style_of: Mapping[str, Style]) -> PageTable:
        """Returns the table that the page shows first."""
        texts = self.display.iloc[:, : compare_display.MAIN_COLUMNS]
        tuning = next(table for table in self.tables if table.name == "tuning")
        definitions = {column.heading: column.definition for column in tuning.columns}
        explained_by = compare_display.explained_by(self.comparison)
        columns = [
            PageColumn(heading, definitions.get(explained_by.get(heading, heading), ""))
            for heading in texts
        ]
        colors = [style_of[loss.name].color for loss in self.comparison.losses]
        rows = cells(texts.itertuples(index=False, name=None))
        return PageTable("tuning", "Losses at their tuned points", columns, rows, 0, colors)

    def recorded(self, record: ReportRecord) -> ReportRecord:
        """Returns the record of the report with what a terminal prints."""
        rows = tuple(self.display.itertuples(index=False, name=None))
        return replace(
            record,
            conclusions=self.conclusions,
            tuned_headings=tuple(self.display),
            tuned_rows=rows,
        )


def tuned_report(compared: CompareResults, target: float) -> TunedReport:
    """Returns what a report adds; `target` is that of the evaluation metric of the judged runs."""
    comparison = tuned_comparison.measure(compared, target)
    return TunedReport(
        comparison,
        tuple(compare_tables.report_tables(comparison)),
        tuple(conclusions.conclusions(comparison)),
        tuple(conclusions.scope(comparison)),
        compare_display.display(comparison),
    )


def load(directory: Path) -> TunedReport:
    """Returns the numbers and texts of the comparison in a folder.

    Raises UserError if the folder has no comparison with a judged run.
    """
    results = read(directory)
    problems = [text for text in results.warnings if "compare.json" in text]
    compared = compare_results.read(results, problems)
    if compared is None:
        reason = "; ".join(problems) or "no loss has been judged yet"
        raise UserError(
            f"`{directory}` has no comparison at tuned points: {reason}",
            hint="run `landscape compare CONFIG`; finished runs are kept",
        )
    rows = compare(compared.judged)
    return tuned_report(compared, make_view(compared.judged, rows).target)


def figures(report: TunedReport) -> dict[str, Figure]:
    """Returns the figures of a comparison by the names of their files."""
    style_of = styles([loss.name for loss in report.comparison.losses])
    with rendering.report_style():
        drawn = [each.draw() for each in all_figures.of_comparison(report.comparison, style_of)]
    return {picture.name: picture.figure for picture in drawn if picture is not None}


def with_styles(view: View, compared: CompareResults) -> View:
    """Returns the view with the styles of all compared losses, with or without judged runs."""
    return replace(view, styles=styles(compared.losses))

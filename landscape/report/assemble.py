"""Builds a report: reads the runs, compares them, and writes tables, figures and the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from landscape.report import (
    answer,
    audit_agreement,
    check_results,
    comparison_table,
    curvature_table,
    data_section,
    geometry_table,
    looks,
    notes,
    recordings,
    report_files,
    solutions,
    stored_report,
    tables,
    words,
)
from landscape.report.audit_agreement import AuditRow
from landscape.report.cautions import cautions
from landscape.report.comparison import best_first
from landscape.report.comparison_row import Row, frame
from landscape.report.comparison_texts import display, reached_text
from landscape.report.figure_process import FigureProcess
from landscape.report.figures.view import View
from landscape.report.number_texts import outcome_text
from landscape.report.numbers import ReportNumbers, read_numbers
from landscape.report.page import PageContent, PageTexts, page
from landscape.report.page_tables import PageColumn, PageTable, cells
from landscape.report.results import Results
from landscape.report.run_table import run_table
from landscape.report.solutions import SolutionGroup
from landscape.report.tables import ReportTable, report_table
from landscape.storage.recordings import is_recording
from landscape.storage.records import ReportRecord


@dataclass(frozen=True)
class Report:
    """A report on disk: its folder and page, the comparison in raw numbers, and the failed runs.

    `failed` includes unreadable runs; `unreadable` maps their names to the reasons. `record` is
    what the report stores about itself.
    """

    directory: Path
    index: Path
    comparison: pd.DataFrame
    failed: list[str]
    unreadable: Mapping[str, str]
    record: ReportRecord


def build(experiment_dir: Path, process: FigureProcess | None = None) -> Report:
    """Rebuilds `<experiment_dir>/report` from the run folders.

    Runs that failed, are unfinished or cannot be read are listed in the report. The same run
    folders give the same bytes in every file, with a second `process` or without. A folder of
    recorded loops has a page of its own, see `recordings`. The new report replaces the old one
    when it is complete. Raises UserError if the folder is missing or has no finished run,
    or if its report folder is a symbolic link; StorageError if the report cannot be written.
    """
    directory = stored_report.folder(experiment_dir)
    index = directory / report_files.INDEX
    if is_recording(experiment_dir):
        record = recordings.build(experiment_dir)
        omitted = record.unreadable
        return Report(directory, index, pd.DataFrame(), [*omitted], omitted, record)
    source = stored_report.source(experiment_dir)
    numbers = read_numbers(experiment_dir)
    with stored_report.replacing(experiment_dir) as folder:
        warnings = _write(numbers, folder, process or FigureProcess())
        record = _record(numbers, source, warnings)
        stored_report.write(folder, record)
    runs = numbers.all_results.runs
    failed = [run.name for run in runs if run.status in ("failed", "unreadable")]
    unreadable = numbers.all_results.unreadable
    comparison = frame(numbers.shown, numbers.results.swept)
    return Report(directory, index, comparison, failed, unreadable, record)


def _write(numbers: ReportNumbers, folder: Path, process: FigureProcess) -> tuple[str, ...]:
    """Writes all files but the record, and returns the reasons for caution."""
    all_results, view = numbers.all_results, numbers.view
    looked = all_results.has_looks
    report_tables = _tables(numbers)
    failures = tables.failures(all_results)
    audit_rows = (
        audit_agreement.look_rows(view.runs)
        if looked
        else audit_agreement.audit_rows(numbers.shown)
    )
    texts = {"failures": failures, "audit": audit_agreement.table(audit_rows)}
    report_files.write_tables(folder, report_tables, texts)
    report_files.write_runs(folder, run_table(all_results, numbers.rows))
    pictures, undrawn = report_files.write_figures(folder, numbers.drawings(), view, process)
    reasons = [*numbers.problems]
    if not looked:
        reasons += cautions(numbers.results, numbers.loss_runs)
    warnings = (*numbers.results.warnings, *reasons, *undrawn, *_unfinished(all_results))
    content = PageContent(
        all_results,
        view,
        _look_texts(numbers, audit_rows) if looked else _texts(numbers, audit_rows),
        warnings=[f"Warning: {text}." for text in warnings],
        tables=report_tables,
        failures=failures,
        pictures=pictures,
        audit_rows=audit_rows,
    )
    report_files.write_page(folder, page(content))
    return warnings


def _texts(numbers: ReportNumbers, audit_rows: Sequence[AuditRow]) -> PageTexts:
    """Returns what the page says of trained losses."""
    results, view, tuned = numbers.all_results, numbers.view, numbers.tuned
    compared = tuned.comparison if tuned else None
    verdicts = _verdicts(view, numbers.shown)
    return PageTexts(
        conclusions=tuned.conclusions if tuned else _conclusions(numbers),
        next_steps=answer.next_steps(results, numbers.shown, audit_rows, compared),
        verdicts=tuned.summary(view.styles) if tuned else verdicts,
        notes=[
            *(tuned.scope if tuned else ()),
            *notes.notes(numbers.results, numbers.rows),
        ],
        sentences=_sentences(numbers),
        judged=verdicts if tuned else None,
    )


def _look_texts(numbers: ReportNumbers, audit_rows: Sequence[AuditRow]) -> PageTexts:
    """Returns what the page says of looks, which nothing was trained for."""
    results = numbers.all_results
    return PageTexts(
        conclusions=looks.conclusions(results),
        next_steps=answer.next_steps(results, None, audit_rows, None),
        verdicts=looks.first_table(results, numbers.view),
        notes=looks.notes(results),
        sentences={"data": looks.data_sentences(results)},
    )


def _record(numbers: ReportNumbers, source: str, warnings: Sequence[str]) -> ReportRecord:
    """Returns what a terminal prints of the report."""
    if numbers.all_results.has_looks:
        shown = looks.texts(numbers.results)
    else:
        shown = display(numbers.shown)
    rows = tuple(shown.itertuples(index=False, name=None))
    unreadable = numbers.all_results.unreadable
    record = ReportRecord(source, tuple(shown), rows, unreadable, tuple(warnings))
    return numbers.tuned.recorded(record) if numbers.tuned else record


def _unfinished(results: Results) -> list[str]:
    count = sum(run.status == "unfinished" for run in results.runs)
    verb = "has" if count == 1 else "have"
    return [f"{count} of {len(results.runs)} runs {verb} not finished"] if count else []


def _conclusions(numbers: ReportNumbers) -> list[str]:
    """Returns which losses may be best; what each one does is in the table."""
    metric = words.metric_label(numbers.results.metric)
    return [notes.may_be_best(numbers.rows, metric)]


def _verdicts(view: View, shown: Sequence[Row]) -> PageTable:
    """Returns the table of the losses with what the runs show of each."""
    definitions = {c.heading: c.definition for c in comparison_table.columns(shown, ())}
    texts = {
        "loss": lambda row: row.name,
        f"{view.label} [95 % CI]": lambda row: outcome_text(row.estimate),
        "reached": reached_text,
        "steps": lambda row: words.count(row.target.steps),
        "finding": lambda row: row.finding,
    }
    columns = [PageColumn(heading, definitions[heading]) for heading in texts]
    rows = cells([text(row) for text in texts.values()] for row in shown)
    colors = [view.styles[row.name].color for row in shown]
    return PageTable("comparison", "Results", columns, rows, 0, colors)


def _tables(numbers: ReportNumbers) -> list[ReportTable]:
    """Returns every table that has rows, in the order of the page."""
    metric, groups = numbers.results.metric, numbers.groups
    excess, barriers = solutions.rows(groups), solutions.barriers(groups)
    checks = check_results.summaries({row.name: row.runs.runs for row in numbers.rows})
    report_tables = [
        *_loss_tables(numbers),
        *_shape_tables(numbers.view),
        report_table(
            "across",
            "Relative excess of each solution under every loss",
            "across",
            solutions.columns(excess, metric),
            excess,
        ),
        report_table(
            "interpolations",
            "Barriers between solutions",
            "across",
            solutions.barrier_columns(metric),
            barriers,
        ),
        report_table(
            "checks",
            "Checks",
            "checks",
            check_results.COLUMNS,
            checks,
            read=check_results.folded(checks),
        ),
        *(numbers.tuned.tables if numbers.tuned else ()),
        *data_section.tables(data_section.recorded(numbers.all_results)),
    ]
    filled = [table for table in report_tables if len(table.rows)]
    return [*map(looks.table_of_looks, filled)] if numbers.results.has_looks else filled


def _loss_tables(numbers: ReportNumbers) -> list[ReportTable]:
    """Returns the comparison, and all points of the sweep if it shows the best ones only."""
    results, rows, shown = numbers.results, numbers.rows, numbers.shown

    def table(name: str, title: str, items: Sequence[Row], read: Sequence[Row]) -> ReportTable:
        columns, raw = comparison_table.columns(items, results.swept), frame(items, results.swept)
        return report_table(
            name, title, "numbers", columns, items, rows=raw, read=read, drop_empty=True
        )

    if results.has_looks:
        return [looks.table(results)]
    comparison = table("comparison", "Comparison", shown, shown)
    if len(shown) == len(rows):
        return [comparison]
    ordered = rows if len(rows) <= tables.MOST_ROWS else best_first(rows)
    return [comparison, table("sweep", "Sweep", rows, ordered)]


def _shape_tables(view: View) -> list[ReportTable]:
    """Returns the tables of curvature and of the geometry of slices."""
    spectra = curvature_table.rows(view.runs)
    lines = geometry_table.rows(view.runs, view.lines, geometry_table.lines_of)
    planes = geometry_table.rows(view.runs, view.planes, geometry_table.planes_of)
    return [
        report_table("curvature", "Spectrum", "curvature", curvature_table.columns(), spectra),
        report_table("geometry", "Lines", "geometry", geometry_table.columns(lines), lines),
        report_table(
            "geometry_planes", "Planes", "geometry", geometry_table.columns(planes), planes
        ),
    ]


def _sentences(numbers: ReportNumbers) -> Mapping[str, Sequence[str]]:
    """Returns the sentences that introduce sections, by their names."""
    data = data_section.recorded(numbers.all_results)
    baselines = notes.baseline_sentence(numbers.results, numbers.loss_runs)
    return {
        "across": _barrier_sentences(numbers.results, numbers.groups),
        "data": data_section.sentences(data, baselines),
    }


def _barrier_sentences(results: Results, groups: Iterable[SolutionGroup]) -> list[str]:
    """Returns sentences on the barriers between solutions, and on what could not be measured."""
    sentences = [
        sentence
        for group in groups
        for kind in solutions.KINDS
        for sentence in solutions.sentences(solutions.interpolations(group, kind))
    ]
    return [*sentences, *(results.across.problems if results.across else ())]

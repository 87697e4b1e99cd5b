"""Builds a report: reads the runs, compares them, and writes tables, figures and the page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from landscape.report import (
    answer,
    audits,
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
from landscape.report.cautions import cautions
from landscape.report.comparison import best_first, steps_to_target
from landscape.report.comparison_texts import display, outcome_text, reached_text
from landscape.report.figures import pdf_process
from landscape.report.figures.pdf_process import PdfRenderer
from landscape.report.figures.view import View
from landscape.report.numbers import ReportNumbers, read_numbers
from landscape.report.page import PageContent, RenderedPicture, page
from landscape.report.page_tables import PageColumn, PageTable, cells
from landscape.report.results import Results
from landscape.report.run_measures import run_table
from landscape.report.solutions import SolutionGroup
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


def build(experiment_dir: Path, *, parallel: bool = False) -> Report:
    """Rebuilds `<experiment_dir>/report` from the run folders.

    Runs that failed, are unfinished or cannot be read are listed in the report. The same run
    folders give the same bytes in every file, with a second process (`parallel`) or without. A
    folder of recorded loops has a page of its own, see `recordings`. The new report replaces the
    old one when it is complete. Raises UserError if the folder is missing or has no finished run,
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
    with (
        pdf_process.pdf_renderer(parallel=parallel) as render_pdf,
        stored_report.replacing(experiment_dir) as folder,
    ):
        warnings = _write(numbers, folder, render_pdf)
        record = _record(numbers, source, warnings)
        stored_report.write(folder, record)
    runs = numbers.all_results.runs
    failed = [run.name for run in runs if run.status in ("failed", "unreadable")]
    unreadable = numbers.all_results.unreadable
    return Report(directory, index, numbers.shown, failed, unreadable, record)


def _write(numbers: ReportNumbers, folder: Path, render_pdf: PdfRenderer) -> tuple[str, ...]:
    """Writes all files but the record, and returns the reasons for caution."""
    all_results, view, tuned = numbers.all_results, numbers.view, numbers.tuned
    report_tables = _tables(numbers)
    failures = tables.failures(all_results)
    audit_rows = audits.audit_rows(view.runs, numbers.shown)
    texts = {"failures": failures, "audit": audits.table(audit_rows)}
    if looks.are_looks(all_results):
        texts = {"failures": failures}
    report_files.write_tables(folder, report_tables, texts)
    steps = steps_to_target(numbers.rows, numbers.table)
    report_files.write_runs(folder, run_table(all_results, steps))
    pictures, undrawn = report_files.write_figures(folder, numbers.drawings(), view, render_pdf)
    reasons = [*numbers.problems]
    if not looks.are_looks(all_results):
        reasons += cautions(numbers.results, numbers.rows)
    warnings = (*numbers.results.warnings, *reasons, *undrawn, *_unfinished(all_results))
    if looks.are_looks(all_results):
        content = _look_content(numbers, report_tables, failures, pictures, warnings)
        report_files.write_page(folder, page(content))
        return warnings
    compared = tuned.comparison if tuned else None
    verdicts = _verdicts(view, numbers.shown)
    content = PageContent(
        all_results,
        view,
        conclusions=tuned.conclusions if tuned else _conclusions(numbers),
        next_steps=answer.next_steps(all_results, numbers.shown, audit_rows, compared),
        verdicts=tuned.summary(view.styles) if tuned else verdicts,
        notes=[
            *(tuned.scope if tuned else ()),
            *notes.notes(numbers.results, numbers.rows, numbers.table),
        ],
        warnings=[f"Warning: {text}." for text in warnings],
        tables=report_tables,
        failures=failures,
        pictures=pictures,
        audit_rows=audit_rows,
        sentences=_sentences(numbers),
        judged=verdicts if tuned else None,
    )
    report_files.write_page(folder, page(content))
    return warnings


def _look_content(
    numbers: ReportNumbers,
    report_tables: Sequence[tables.ReportTable],
    failures: pd.DataFrame,
    pictures: Sequence[RenderedPicture],
    warnings: Sequence[str],
) -> PageContent:
    """Returns what the page shows of looks, which nothing was trained for."""
    results, view = numbers.all_results, numbers.view
    shown = looks.table(view.runs, results.metrics)
    return PageContent(
        results,
        view,
        conclusions=looks.conclusions(shown),
        next_steps=answer.next_steps(results, None, (), None),
        verdicts=looks.page_table(shown, results.metrics, view),
        notes=looks.notes(results),
        warnings=[f"Warning: {text}." for text in warnings],
        tables=report_tables,
        failures=failures,
        pictures=pictures,
        audit_rows=(),
        sentences={"data": looks.data_sentences(results)},
    )


def _record(numbers: ReportNumbers, source: str, warnings: Sequence[str]) -> ReportRecord:
    """Returns what a terminal prints of the report."""
    if looks.are_looks(numbers.all_results):
        shown = looks.texts(numbers.view.runs, numbers.results.metrics)
    else:
        shown = display(numbers.shown, numbers.results.other_metrics)
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
    return [notes.may_be_best(numbers.table, metric)]


def _verdicts(view: View, shown: pd.DataFrame) -> PageTable:
    """Returns the table of the losses with what the runs show of each."""
    definitions = {column.heading: column.definition for column in comparison_table.columns(shown)}
    metric = f"{view.label} [95 % CI]"
    headings = ("loss", metric, "reached", "steps", "finding")
    columns = [PageColumn(heading, definitions.get(heading, "")) for heading in headings]
    texts = [
        (
            row["name"],
            outcome_text(row),
            reached_text(row),
            words.count(row["steps_to_target"]),
            row["finding"],
        )
        for _, row in shown.iterrows()
    ]
    colors = [view.styles[name].color for name in shown["name"]]
    return PageTable("comparison", "Results", columns, cells(texts), 0, colors)


def _tables(numbers: ReportNumbers) -> list[tables.ReportTable]:
    """Returns every table that has rows, in the order of the page."""
    results, table, view, groups = numbers.results, numbers.table, numbers.view, numbers.groups
    report_tables: list[tables.ReportTable] = []

    def add(
        name: str,
        title: str,
        section: str,
        rows: pd.DataFrame,
        columns: Callable[[pd.DataFrame], Sequence[tables.TableColumn]],
        shown: pd.DataFrame | None = None,
    ) -> None:
        if len(rows):
            first = (rows if shown is None else shown).head(tables.MOST_ROWS)
            table = tables.ReportTable(name, title, section, columns(rows), rows, first)
            report_tables.append(table)

    def numbers_of(rows: pd.DataFrame) -> Sequence[tables.TableColumn]:
        return comparison_table.columns(rows, results.other_metrics)

    if looks.are_looks(results):
        seen = looks.table(view.runs, results.metrics)
        add("looks", "Looks", "numbers", seen, lambda rows: looks.columns(results.metrics))
    else:
        add("comparison", "Comparison", "numbers", numbers.shown, numbers_of)
    if len(numbers.shown) < len(table):
        ordered = table if len(table) <= tables.MOST_ROWS else best_first(table)
        add("sweep", "Sweep", "numbers", table, numbers_of, ordered)
    spectra = curvature_table.table(view.runs)
    add("curvature", "Spectrum", "curvature", spectra, curvature_table.columns)
    lines = geometry_table.table(view.runs, view.lines, geometry_table.lines_of)
    planes = geometry_table.table(view.runs, view.planes, geometry_table.planes_of)
    add("geometry", "Lines", "geometry", lines, geometry_table.columns)
    add("geometry_planes", "Planes", "geometry", planes, geometry_table.columns)
    metric = results.metric
    title = "Relative excess of each solution under every loss"
    excess, barriers = solutions.table(groups), solutions.barrier_table(groups)
    add("across", title, "across", excess, lambda rows: solutions.columns(rows, metric))
    title, barrier_columns = "Barriers between solutions", solutions.barrier_columns(metric)
    add("interpolations", title, "across", barriers, lambda rows: barrier_columns)
    runs_by_name = dict(zip(table["name"], results.groups.values(), strict=True))
    checks = check_results.table(runs_by_name)
    folded = check_results.folded(checks)
    add("checks", "Checks", "checks", checks, lambda rows: check_results.COLUMNS, folded)
    report_tables += numbers.tuned.tables if numbers.tuned else ()
    return report_tables + data_section.tables(data_section.recorded(numbers.all_results))


def _sentences(numbers: ReportNumbers) -> Mapping[str, Sequence[str]]:
    """Returns the sentences that introduce sections, by their names."""
    data = data_section.recorded(numbers.all_results)
    baselines = notes.baseline_sentence(numbers.results, numbers.rows)
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

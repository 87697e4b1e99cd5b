"""Builds a report: reads the runs, compares them, and writes tables, figures and the page."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from landscape.errors import first_line
from landscape.report import (
    audits,
    check_results,
    compare_results,
    compare_tables,
    comparison_table,
    curvature_table,
    data_section,
    escapes,
    geometry_table,
    notes,
    recordings,
    solutions,
    stored_report,
    tables,
)
from landscape.report.cautions import cautions
from landscape.report.comparison import best_first, compare, shown_points, steps_to_target
from landscape.report.comparison_texts import display
from landscape.report.figures import all_figures, pdf_process, rendering
from landscape.report.figures.all_figures import Drawing
from landscape.report.figures.pdf_process import PdfRenderer
from landscape.report.figures.view import View, make_view
from landscape.report.loss_rows import loss_rows
from landscape.report.page import RenderedPicture, page
from landscape.report.results import Results, read
from landscape.report.run_measures import run_table
from landscape.report.tuned_report import tuned_report, with_styles
from landscape.storage import disk
from landscape.storage.recordings import is_recording
from landscape.storage.records import ReportRecord

# Tables that are written only if they have rows.
_OPTIONAL_TABLES = (
    "sweep",
    "classes",
    "columns",
    "curvature",
    "geometry",
    "geometry_planes",
    "across",
    "interpolations",
    "checks",
    *compare_tables.NAMES,
)


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
    folder of recorded loops has a page of its own, see `recordings`.
    Raises UserError if the folder is missing or has no finished run, or if its report folder is a
    symbolic link; StorageError if the report cannot be written.
    """
    directory = stored_report.folder(experiment_dir)
    if is_recording(experiment_dir):
        record = recordings.build(experiment_dir)
        omitted = record.unreadable
        index = directory / "index.html"
        return Report(directory, index, pd.DataFrame(), [*omitted], omitted, record)
    with pdf_process.pdf_renderer(parallel=parallel) as render_pdf:
        return _build(experiment_dir, directory, render_pdf)


def _build(experiment_dir: Path, directory: Path, render_pdf: PdfRenderer) -> Report:
    source = stored_report.source(experiment_dir)
    all_results = read(experiment_dir)
    problems: list[str] = []
    compared = compare_results.read(all_results, problems)
    results = all_results if compared is None else compared.judged
    rows = loss_rows(results)
    table = compare(results, rows)
    comparison = shown_points(table)
    failures = tables.failures(all_results)
    view = make_view(results, table)
    tuned = None
    if compared is not None:
        view = with_styles(view, compared)
        tuned = tuned_report(compared, view.target)
    audit_rows = audits.audit_rows(view.runs, comparison)
    groups = solutions.groups(results, table)
    report_tables = _tables(results, table, comparison, view, groups)
    report_tables += tuned.tables if tuned else ()
    data = data_section.recorded(all_results)
    report_tables += data_section.tables(data)
    _write_tables(
        directory, report_tables, {"failures": failures, "audit": audits.table(audit_rows)}
    )
    _write_runs(directory, run_table(all_results, steps_to_target(rows, table)))
    pictures, undrawn = _write_figures(
        directory / "figures",
        all_figures.drawings(results, table, view, groups, tuned.comparison if tuned else None),
        render_pdf,
    )
    reasons = [*problems, *cautions(results, rows)]
    text = page(
        all_results,
        view,
        comparison=comparison,
        report_tables=report_tables,
        failures=failures,
        notes=[*notes.notes(results, rows, table, reasons), *_sentences(undrawn)],
        pictures=pictures,
        audit_rows=audit_rows,
        sentences={
            "across": _barrier_sentences(results, groups),
            "data": data_section.sentences(data, notes.baseline_sentence(results, rows)),
            "compare": (*tuned.conclusions, *tuned.scope) if tuned else (),
        },
        tuned=tuned.summary(view.styles) if tuned else None,
    )
    index = directory / "index.html"
    disk.write_text(index, text)
    failed = [run.name for run in all_results.runs if run.status in ("failed", "unreadable")]
    shown = display(comparison, results.other_metrics)
    cells = tuple(shown.itertuples(index=False, name=None))
    warnings = (*results.warnings, *reasons, *undrawn, *_unfinished(all_results))
    unreadable = all_results.unreadable
    record = ReportRecord(source, tuple(shown), cells, unreadable, warnings)
    record = tuned.recorded(record) if tuned else record
    stored_report.write(experiment_dir, record)
    return Report(directory, index, comparison, failed, unreadable, record)


def _unfinished(results: Results) -> list[str]:
    count = sum(run.status == "unfinished" for run in results.runs)
    verb = "has" if count == 1 else "have"
    return [f"{count} of {len(results.runs)} runs {verb} not finished"] if count else []


def _tables(
    results: Results,
    table: pd.DataFrame,
    comparison: pd.DataFrame,
    view: View,
    groups: Sequence[solutions.SolutionGroup],
) -> list[tables.ReportTable]:
    """Returns every table that has rows, in the order of the page."""
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

    def numbers(rows: pd.DataFrame) -> Sequence[tables.TableColumn]:
        return comparison_table.columns(rows, results.other_metrics)

    add("comparison", "Comparison", "numbers", comparison, numbers)
    if len(comparison) < len(table):
        ordered = table if len(table) <= tables.MOST_ROWS else best_first(table)
        add("sweep", "Sweep", "numbers", table, numbers, ordered)
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
    return report_tables


def _barrier_sentences(results: Results, groups: Sequence[solutions.SolutionGroup]) -> list[str]:
    """Returns sentences on the barriers between solutions, and on what could not be measured."""
    sentences = [
        sentence
        for group in groups
        for kind in solutions.KINDS
        for sentence in solutions.sentences(solutions.interpolations(group, kind))
    ]
    return [*sentences, *(results.across.problems if results.across else ())]


def _write_tables(
    directory: Path, report_tables: Sequence[tables.ReportTable], texts: Mapping[str, pd.DataFrame]
) -> None:
    """Writes csv with raw numbers, md and tex formatted; deletes tables left by older reports."""
    folder = directory / "tables"
    contents = {table.name: (table.rows, table.texts) for table in report_tables}
    contents |= {name: (text, text) for name, text in texts.items() if len(text)}
    for name, (raw, formatted) in contents.items():
        disk.write_text(folder / f"{name}.csv", escapes.csv(raw))
        disk.write_text(folder / f"{name}.md", tables.markdown(formatted))
        disk.write_text(folder / f"{name}.tex", tables.latex(formatted))
    for name in {*_OPTIONAL_TABLES, *texts} - set(contents):
        for kind in ("csv", "md", "tex"):
            (folder / f"{name}.{kind}").unlink(missing_ok=True)


def _write_runs(directory: Path, runs: pd.DataFrame) -> None:
    disk.write_text(directory / "results.csv", escapes.csv(runs))
    plain = runs.copy()
    for name in filter(lambda name: pd.api.types.is_object_dtype(plain[name]), plain.columns):
        plain[name] = plain[name].map(lambda value: None if value is None else str(value))
    buffer = io.BytesIO()
    plain.to_parquet(buffer, index=False)
    disk.write_bytes(directory / "results.parquet", buffer.getvalue())


def _write_figures(
    folder: Path, drawings: Iterable[Drawing], render_pdf: PdfRenderer
) -> tuple[list[RenderedPicture], list[str]]:
    """Writes png and pdf of each figure; deletes figures left by older reports.

    Returns the figures, and a sentence for each whose numbers matplotlib cannot draw, such as those
    near the largest float.
    """
    pictures, pdfs, undrawn = [], {}, []
    with rendering.report_style():
        for drawing in drawings:
            try:
                picture = drawing.draw()
                if picture is None:
                    continue
                pdf = render_pdf(picture)
                pictures.append(RenderedPicture(picture, rendering.image_bytes(picture, "png")))
            except (ArithmeticError, ValueError) as error:
                undrawn.append(f"the figure of {drawing.subject} is omitted: {first_line(error)}")
                continue
            pdfs[picture.name] = drawing.subject, pdf
            disk.write_bytes(folder / f"{picture.name}.png", pictures[-1].png)
    written_files = {f"{name}.png" for name in pdfs}
    for name, (subject, pdf) in pdfs.items():
        try:
            disk.write_bytes(folder / f"{name}.pdf", pdf())
            written_files.add(f"{name}.pdf")
        except (ArithmeticError, ValueError) as error:
            undrawn.append(f"the pdf of the figure of {subject} is omitted: {first_line(error)}")
    for path in folder.iterdir() if folder.is_dir() else ():
        if all_figures.is_figure_file(path.name) and path.name not in written_files:
            path.unlink(missing_ok=True)
    return pictures, undrawn


def _sentences(texts: Iterable[str]) -> list[str]:
    return [f"{text[:1].upper()}{text[1:]}." for text in texts]

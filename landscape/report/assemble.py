"""Joins reading, comparing, drawing and writing into the one entry point of the report."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from landscape.report import (
    across,
    audits,
    checks,
    curvature,
    geometry_table,
    tables,
    words,
)
from landscape.report.comparison import TARGET_SHARE, compare, run_table, shown_points
from landscape.report.figures import all_figures, rendering
from landscape.report.figures.view import View, view
from landscape.report.page import RenderedPicture, page
from landscape.report.results import Results, read
from landscape.storage import disk, store

Columns = Callable[[pd.DataFrame], Sequence[tables.TableColumn]]
# Tables that a report holds only where there is something to put in them.
_SOMETIMES = (
    "sweep",
    "curvature",
    "geometry",
    "geometry_planes",
    "across",
    "interpolations",
    "checks",
)


@dataclass(frozen=True)
class Report:
    """What was built: the folder, the page, the comparison's raw numbers, the runs that failed.

    `unreadable`: of those, why each could not be read that has not failed by itself.
    """

    directory: Path
    index: Path
    comparison: pd.DataFrame
    failed: list[str]
    unreadable: Mapping[str, str]


def build(experiment_dir: Path) -> Report:
    """Build `<experiment_dir>/report` anew from the run folders and return the comparison.

    UserError where the folder is missing, holds no finished run, or its report is a link to
    elsewhere; StorageError where it cannot be written. Runs that failed, did not finish or cannot
    be read are listed in the report and do not stop it. The same run folders give the same bytes
    in every file.
    """
    results = read(Path(experiment_dir))
    directory = results.directory / "report"
    store.refuse_links((directory, directory / "tables", directory / "figures"))
    table = compare(results)
    comparison = shown_points(table)
    failures = tables.failures(results)
    looked = view(results, table)
    judged = audits.judged(looked.runs, comparison)
    between = across.fields(results, table)
    written = _tables(results, table, comparison, looked, between)
    _write_tables(directory, written, {"failures": failures, "audit": audits.table(judged)})
    _write_runs(directory, run_table(results, float(table["target"].iloc[0])))
    shown = _write_figures(directory, results, table)
    notes = _notes(results, looked, len(comparison) < len(table))
    index = directory / "index.html"
    said = _said(results, between)
    text = page(results, looked, comparison, written, failures, notes, shown, judged, said)
    disk.write_text(index, text)
    failed = [run.name for run in results.runs if run.status in ("failed", "unreadable")]
    return Report(directory, index, comparison, failed, results.unreadable)


def _tables(
    results: Results,
    table: pd.DataFrame,
    comparison: pd.DataFrame,
    looked: View,
    between: Sequence[across.Field],
) -> list[tables.ReportTable]:
    """Every table that the data allow, those of numbers by the sections of the page."""
    found: list[tables.ReportTable] = []

    def add(name: str, title: str, section: str, rows: pd.DataFrame, columns: Columns) -> None:
        if len(rows):
            found.append(tables.ReportTable(name, title, section, columns(rows), rows))

    add("comparison", "Comparison", "numbers", comparison, tables.columns)
    if len(comparison) < len(table):
        add("sweep", "Sweep", "numbers", table, tables.columns)
    everyone = dict(zip(table["name"], results.groups.values(), strict=True))
    add("curvature", "Spectrum", "curvature", curvature.table(looked.runs), curvature.columns)
    lines = geometry_table.table(looked.runs, looked.lines, geometry_table.lines_of)
    planes = geometry_table.table(looked.runs, looked.planes, geometry_table.planes_of)
    add("geometry", "Lines", "geometry", lines, geometry_table.columns)
    add("geometry_planes", "Planes", "geometry", planes, geometry_table.columns)
    if between:
        metric = results.metric
        solutions, ways = across.table(between), across.ways_table(between)
        title = "Relative excess of each solution under every loss"
        add("across", title, "across", solutions, lambda rows: across.columns(rows, metric))
        title = "Barriers between solutions"
        add("interpolations", title, "across", ways, lambda rows: across.ways_columns(rows, metric))
    made = checks.table(everyone)
    if len(made):
        folded = checks.folded(made)
        found.append(tables.ReportTable("checks", "Checks", "checks", checks.COLUMNS, made, folded))
    return found


def _said(results: Results, between: Sequence[across.Field]) -> list[str]:
    """What is said of the solutions across losses: barriers, and what could not be measured."""
    said = [
        sentence
        for field in between
        for kind in across.KINDS
        for sentence in across.sentences(across.ways(field, kind))
    ]
    return [*said, *(results.across.problems if results.across else ())]


def _write_tables(
    directory: Path, written: Sequence[tables.ReportTable], texts: Mapping[str, pd.DataFrame]
) -> None:
    """csv with raw numbers; md and tex as a reader sees them. Tables of older reports go."""
    folder = directory / "tables"
    forms = {full.name: (full.rows, full.texts) for full in written}
    forms |= {name: (table, table) for name, table in texts.items() if len(table)}
    for name, (raw, shown) in forms.items():
        disk.write_text(folder / f"{name}.csv", raw.to_csv(index=False))
        disk.write_text(folder / f"{name}.md", tables.markdown(shown))
        disk.write_text(folder / f"{name}.tex", tables.latex(shown))
    for name in {*_SOMETIMES, *texts} - set(forms):
        for kind in ("csv", "md", "tex"):
            (folder / f"{name}.{kind}").unlink(missing_ok=True)


def _write_runs(directory: Path, runs: pd.DataFrame) -> None:
    disk.write_text(directory / "results.csv", runs.to_csv(index=False))
    plain = runs.copy()
    for name in filter(lambda name: pd.api.types.is_object_dtype(plain[name]), plain.columns):
        plain[name] = plain[name].map(lambda value: None if value is None else str(value))
    buffer = io.BytesIO()
    plain.to_parquet(buffer, index=False)
    disk.write_bytes(directory / "results.parquet", buffer.getvalue())


def _write_figures(directory: Path, results: Results, table: pd.DataFrame) -> list[RenderedPicture]:
    folder = directory / "figures"
    shown = []
    with rendering.report_style():
        for picture in all_figures.draw(results, table):
            png, pdf = (rendering.image_bytes(picture, kind) for kind in ("png", "pdf"))
            disk.write_bytes(folder / f"{picture.name}.png", png)
            disk.write_bytes(folder / f"{picture.name}.pdf", pdf)
            shown.append(RenderedPicture(picture, png))
    made = {f"{item.picture.name}.{kind}" for item in shown for kind in ("png", "pdf")}
    for path in folder.iterdir():
        if all_figures.is_figure_file(path.name) and path.name not in made:
            path.unlink(missing_ok=True)
    return shown


def _notes(results: Results, shown: View, swept: bool) -> list[str]:
    """What a reader must know to read the tables rightly."""
    metric = shown.label
    notes = [_target_note(results, shown)]
    if swept:
        notes.append(
            f"Of each swept loss the point of the sweep with the best {metric} stands in the "
            "comparison and in the figures. It was chosen by the same numbers that are shown, so "
            "they are a little optimistic; the sweep table has every point."
        )
    notes.append(
        "Losses are compared by the task metric, never by their own values, whose units differ. "
        "Runs are paired by seed: all losses of a seed share initial parameters and data order. "
        "A difference with p above 0.05 is called inconclusive, as is any over too few seeds."
    )
    if any(run.problem for run in results.runs):
        notes.append("Some files could not be read and are left out; see the failures.")
    if results.problem:
        notes.append(f"What was measured across runs is left out: {results.problem}.")
    return notes


def _target_note(results: Results, shown: View) -> str:
    if shown.target != shown.target:
        return "There is no target: none was given and none follows from the best loss."
    target = words.metric_value(shown.metric, shown.target)
    if results.settings.get("target") is not None:
        return f"The target is {target}, as the experiment's config says."
    share = words.percent(TARGET_SHARE)
    return f"The target is {target}: {share} % of the best loss's interquartile mean."

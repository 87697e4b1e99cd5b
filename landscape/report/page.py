"""Renders the page: one self-contained HTML file, from templates that escape all text."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

import jinja2
import pandas as pd

from landscape.errors import counted
from landscape.report import (
    answer,
    audit_agreement,
    audits,
    interactive,
    looks,
    settings_section,
)
from landscape.report.answer import NextStep
from landscape.report.audit_agreement import AuditRow
from landscape.report.figure_files import figure_code
from landscape.report.figures.view import View
from landscape.report.page_environment import page_environment
from landscape.report.page_images import RenderedPicture
from landscape.report.page_tables import (
    PageTable,
    definition_ids,
    definitions,
    page_table,
    text_table,
)
from landscape.report.results import Results
from landscape.report.tables import MOST_ROWS, ReportTable

# Further tracebacks are only in the run folders.
_MOST_ERRORS = 50
# Sections of the page with figures and tables, in order: name, title, introduction.
_SECTIONS = (
    ("compare", "Comparison at tuned points", ""),
    ("data", "Data", ""),
    ("training", "Training", ""),
    ("lines", "Slices along lines", ""),
    ("planes", "Planes", ""),
    (
        "curvature",
        "Curvature",
        "The eigenvalues of the Hessian of the risk describe all directions at once; a slice shows "
        "one or two. Medians over seeds.",
    ),
    (
        "geometry",
        "Geometry",
        "The shape of lines and planes in numbers that do not depend on the units of the loss: "
        "medians over runs of the mean over directions. Compare only rows of the same set.",
    ),
    ("across", "Across losses", ""),
    (
        "checks",
        "Checks",
        "Each check computes one number in two ways and compares them. Failed checks are listed "
        "first and marked in the figures; undecided checks are only listed.",
    ),
    (
        "numbers",
        "All numbers",
        "The same numbers are files in the folder of this page: tables (csv with raw numbers, md, "
        "tex), figures (csv, png, pdf), results.csv and results.parquet (one row per run).",
    ),
)


class PageTexts(NamedTuple):
    """What the page says: of trained losses something else than of looks.

    `conclusions` are the sentences of the first screen, `verdicts` its table, and `notes` what
    limits them; `sentences` introduce sections, by their names.
    """

    conclusions: Sequence[str]
    next_steps: Sequence[NextStep]
    verdicts: PageTable
    notes: Sequence[str]
    sentences: Mapping[str, Sequence[str]]
    judged: PageTable | None = None


@dataclass(frozen=True)
class PageContent:
    """Everything that the page shows of an experiment."""

    results: Results
    view: View
    texts: PageTexts
    warnings: Sequence[str]
    tables: Sequence[ReportTable]
    failures: pd.DataFrame
    pictures: Sequence[RenderedPicture]
    audit_rows: Sequence[AuditRow]


class PageSection(NamedTuple):
    """A section of the page: introduction, sentences, figures, and tables."""

    name: str
    title: str
    text: str
    sentences: Sequence[str]
    pictures: Sequence[RenderedPicture]
    tables: Sequence[PageTable]

    @property
    def hint(self) -> str:
        """What is folded: `3 figures, 1 table`."""
        counts = ((len(self.pictures), "figure"), (len(self.tables), "table"))
        return ", ".join(counted(number, noun) for number, noun in counts if number)


def page(content: PageContent) -> str:
    """Returns the whole page as text."""
    pictures = {shown.picture.name: shown for shown in content.pictures}
    looked = content.results.has_looks
    shapes = pictures.pop(audits.FIGURE, None)
    first = [pictures.pop(name) for name in answer.FIGURES if name in pictures]
    first = first or [pictures.pop(name) for name in ("summary",) if name in pictures]
    sections = _sections(content, list(pictures.values()))
    failures = content.failures.head(MOST_ROWS)
    lists = [content.texts.verdicts, *filter(None, [content.texts.judged])]
    lists += [table for section in sections for table in section.tables]
    ids = definition_ids(lists)
    data = interactive.surfaces(content.view)
    scripts = interactive.page_scripts() if data["items"] else interactive.page_scripts()[:1]
    return (
        _environment()
        .get_template("index.html")
        .render(
            content=content,
            experiment=content.results.directory.resolve().name,
            looked=looked,
            audit_title="Audit of the loss" if looked else "Audit against training",
            title=looks.TITLE if looked else "What may be concluded",
            facts=settings_section.facts(content.results, content.view),
            first_figures=first,
            sections=sections,
            definition_ids=ids,
            definitions=definitions(lists, ids),
            failures=text_table("failures", "Failures", failures, len(content.failures)),
            errors=[run for run in content.results.runs if run.error][:_MOST_ERRORS],
            shapes=shapes,
            colors={name: style.color for name, style in content.view.styles.items()},
            tally=audit_agreement.tally(content.audit_rows),
            rule=audit_agreement.RULE,
            surfaces=data if data["items"] else None,
            scripts=scripts,
            library=interactive.packed_library() if data["items"] else "",
            policy=interactive.content_security_policy(scripts, library=bool(data["items"])),
            style=_template("page.css"),
            commands=settings_section.commands(
                content.results, compared=content.texts.judged is not None
            ),
            settings=(
                ("Settings", settings_section.settings(content.results)),
                ("Versions and devices", settings_section.versions(content.results)),
                ("Seconds per stage", settings_section.durations(content.results)),
            ),
        )
    )


def _sections(content: PageContent, pictures: Sequence[RenderedPicture]) -> list[PageSection]:
    """Returns the sections that are not empty."""
    sections = [
        PageSection(
            name,
            title,
            looks.INTRODUCTIONS.get(name, text) if content.results.has_looks else text,
            content.texts.sentences.get(name, ()),
            [shown for shown in pictures if shown.picture.section == name],
            [page_table(table) for table in content.tables if table.section == name],
        )
        for name, title, text in _SECTIONS
    ]
    return [item for item in sections if item.pictures or item.tables or item.sentences]


@functools.cache
def _environment() -> jinja2.Environment:
    environment = page_environment()
    environment.globals["figure_code"] = figure_code
    return environment


def _template(name: str) -> str:
    return (resources.files("landscape.report") / "templates" / name).read_text(encoding="utf-8")

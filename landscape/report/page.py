"""Renders the page: one self-contained HTML file, from a template that escapes all text."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from landscape.errors import counted
from landscape.report import audits, escapes, interactive, words
from landscape.report.comparison_texts import outcome_text, reached_text
from landscape.report.figures.view import Picture, View
from landscape.report.results import STATES, Results
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
)


class RenderedPicture(NamedTuple):
    """A figure together with its png."""

    picture: Picture
    png: bytes

    @property
    def source(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    @property
    def width(self) -> int:
        return int.from_bytes(self.png[16:20], "big")

    @property
    def height(self) -> int:
        return int.from_bytes(self.png[20:24], "big")


class PageSection(NamedTuple):
    """A section of the page: introduction, sentences, figures, and tables as texts."""

    name: str
    title: str
    text: str
    sentences: Sequence[str]
    pictures: Sequence[RenderedPicture]
    tables: Sequence[tuple[ReportTable, pd.DataFrame]]


class TunedSummary(NamedTuple):
    """The table of a comparison at tuned points that the page shows first, as texts."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    colors: Sequence[str]


def _sections(
    pictures: Sequence[RenderedPicture],
    report_tables: Sequence[ReportTable],
    sentences: Mapping[str, Sequence[str]],
) -> list[PageSection]:
    """Returns the sections that are not empty; `sentences` are by section."""
    sections = [
        PageSection(
            name,
            title,
            text,
            sentences.get(name, ()),
            [shown for shown in pictures if shown.picture.section == name],
            [(table, table.texts) for table in report_tables if table.section == name],
        )
        for name, title, text in _SECTIONS
    ]
    return [item for item in sections if item.pictures or item.tables or item.sentences]


def page(
    results: Results,
    view: View,
    *,
    comparison: pd.DataFrame,
    report_tables: Sequence[ReportTable],
    failures: pd.DataFrame,
    notes: Sequence[str],
    pictures: Sequence[RenderedPicture],
    audit_rows: Sequence[audits.AuditRow],
    sentences: Mapping[str, Sequence[str]],
    tuned: TunedSummary | None = None,
) -> str:
    """Returns the whole page as text; `sentences` introduce sections, by their names."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("landscape.report"),
        autoescape=True,
        finalize=escapes.page_value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = interactive.surfaces(view)
    scripts = interactive.scripts() if data["items"] else ()
    section_pictures = [shown for shown in pictures if shown.picture.name != audits.FIGURE]
    sections = _sections(section_pictures, report_tables, sentences)
    return environment.get_template("index.html").render(
        title=results.title,
        facts=facts(results, view),
        metric=view.label,
        verdicts=_verdicts(view, comparison),
        everything=[(table, table.texts) for table in report_tables if table.section == "numbers"],
        failures=failures.head(MOST_ROWS).to_dict("records"),
        failure_count=len(failures),
        errors=[run for run in results.runs if run.error][:_MOST_ERRORS],
        notes=notes,
        tuned=tuned,
        first_sections=[section for section in sections if section.name == "compare"],
        sections=[section for section in sections if section.name != "compare"],
        results_title="Judged runs" if tuned else "Results",
        audit_rows=audit_rows,
        shapes=next((shown for shown in pictures if shown.picture.name == audits.FIGURE), None),
        colors={name: style.color for name, style in view.styles.items()},
        tally=audits.tally(audit_rows),
        rule=audits.RULE,
        surfaces=data if data["items"] else None,
        scripts=scripts,
        policy=interactive.content_security_policy(scripts),
        dead=words.DEAD,
        settings=_settings(results),
        versions=versions(results),
    )


def _verdicts(view: View, comparison: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "loss": str(row["name"]),
            "color": view.styles[row["name"]].color,
            "value": outcome_text(row),
            "reached": reached_text(row),
            "steps": words.count(row["steps_to_target"]),
            "finding": str(row["finding"]),
        }
        for _, row in comparison.iterrows()
    ]


def facts(results: Results, view: View) -> list[str]:
    """Returns the facts below the title: parts, steps, batch size, and runs by status."""
    run = next(iter(view.runs.values()))[0]
    states = Counter(run.status for run in results.runs)
    counts = ", ".join(f"{states[state]} {state}" for state in STATES if state in states)
    texts = []
    if run.config is not None:
        texts += [f"dataset {run.config.dataset.name}", f"model {run.config.model.name}"]
        texts += [f"optimizer {run.config.optimizer.name}", f"{run.config.steps} steps"]
        texts.append(f"batches of {run.config.batch_size}")
    return [*texts, f"{counted(len(results.runs), 'run')}: {counts}"]


def _settings(results: Results) -> list[tuple[str, str]]:
    """Returns the settings of the experiment as pairs of dotted key and value."""
    pairs: list[tuple[str, str]] = []
    if results.settings is not None:
        _flatten(results.settings.model_dump(mode="json"), "", pairs)
    return pairs


def _flatten(value: Any, prefix: str, pairs: list[tuple[str, str]]) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _flatten(inner, f"{prefix}.{key}" if prefix else str(key), pairs)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for index, inner in enumerate(value):
            _flatten(inner, f"{prefix}[{index}]", pairs)
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        pairs.append((prefix, words.MISSING if value is None else text))


def versions(results: Results) -> list[tuple[str, str]]:
    """Returns devices, revisions and versions of the finished runs, and seconds per stage."""
    metas = [run.meta for run in results.runs if run.counted]
    records = pd.DataFrame({"device": m.device, "git": m.git, **m.versions} for m in metas)
    values = ((name, filter(None, records[name].dropna().unique())) for name in records)
    rows = [(str(name), text) for name, texts in values if (text := " | ".join(texts))]
    seconds = pd.DataFrame(dict(run.meta.seconds) for run in results.runs).sum()
    return rows + [(f"seconds, {stage} (all runs)", f"{s:.1f}") for stage, s in seconds.items()]

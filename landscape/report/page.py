"""The page: one HTML file that needs nothing else, made from a template that escapes all text."""

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from landscape.report import audits, interactive, words
from landscape.report.figures.view import Picture, View
from landscape.report.results import STATES, Results
from landscape.report.tables import ReportTable, estimate_text, reached_text

# The parts of the page that hold figures and tables, in order, with what is said above them.
_PARTS = (
    ("training", "Training", ""),
    ("lines", "Slices along lines", ""),
    ("planes", "Planes", ""),
    (
        "curvature",
        "Curvature",
        "The eigenvalues of the Hessian of the risk: all directions at once, where a slice shows "
        "one or two. Medians over seeds.",
    ),
    (
        "geometry",
        "Geometry",
        "The shape of lines and planes as numbers that do not depend on the unit of the loss: "
        "medians over runs of the mean over directions. Compare rows of one set only.",
    ),
    ("across", "Across losses", ""),
    (
        "checks",
        "Checks",
        "Each run compares two ways to the same number. What failed stands first and is marked in "
        "the figures; what could not be decided is listed only.",
    ),
)


class RenderedPicture(NamedTuple):
    """A picture with its png."""

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
    """A part of the page: what is said above, its figures, and its tables as texts."""

    name: str
    title: str
    text: str
    said: Sequence[str]
    pictures: Sequence[RenderedPicture]
    tables: Sequence[tuple[ReportTable, pd.DataFrame]]


def _parts(
    pictures: Sequence[RenderedPicture], written: Sequence[ReportTable], said: Sequence[str]
) -> list[PageSection]:
    """The parts that have something to show."""
    found = []
    for name, title, text in _PARTS:
        part = PageSection(
            name,
            title,
            text,
            said if name == "across" else (),
            [shown for shown in pictures if shown.picture.section == name],
            [(full, full.texts) for full in written if full.section == name],
        )
        if part.pictures or part.tables or part.said:
            found.append(part)
    return found


def page(
    results: Results,
    view: View,
    comparison: pd.DataFrame,
    written: Sequence[ReportTable],
    failures: pd.DataFrame,
    notes: Sequence[str],
    pictures: Sequence[RenderedPicture],
    judged: Sequence[audits.Judged],
    said: Sequence[str],
) -> str:
    """The whole page as text. `said` stands above what was measured across losses."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("landscape.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = interactive.surfaces(view)
    drawn = [shown for shown in pictures if shown.picture.name != audits.FIGURE]
    return environment.get_template("index.html").render(
        title=results.title,
        facts=facts(results, view),
        metric=view.label,
        verdicts=_verdicts(view, comparison),
        everything=[(full, full.texts) for full in written if full.section == "numbers"],
        failures=failures.to_dict("records"),
        errors=[run for run in results.runs if run.error],
        notes=notes,
        parts=_parts(drawn, written, said),
        judged=judged,
        shapes=next((shown for shown in pictures if shown.picture.name == audits.FIGURE), None),
        colors={name: style.color for name, style in view.styles.items()},
        tally=audits.tally(judged),
        rule=audits.RULE,
        surfaces=data if data["items"] else None,
        plotly=interactive.script() if data["items"] else "",
        dead=words.DEAD,
        settings=_settings(results),
        versions=versions(results),
    )


def _verdicts(view: View, comparison: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "loss": str(row["name"]),
            "color": view.styles[row["name"]].color,
            "value": estimate_text(row),
            "reached": reached_text(row),
            "steps": words.count(row["steps_to_target"]),
            "finding": str(row["finding"]),
        }
        for _, row in comparison.iterrows()
    ]


def facts(results: Results, view: View) -> list[str]:
    """The line below the title: what was trained, how long and how often."""
    run = next(iter(view.runs.values()))[0]
    states = [run.status for run in results.runs]
    counts = ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)
    parts = [
        f"{key} {_name(run.config[key])}"
        for key in ("dataset", "model", "optimizer")
        if key in run.config
    ]
    parts += [f"{run.config['steps']} steps"] if "steps" in run.config else []
    parts += [f"batches of {run.config['batch_size']}"] if "batch_size" in run.config else []
    return [*parts, f"{len(states)} runs: {counts}"]


def _name(part: object) -> str:
    return str(part.get("name", "")) if isinstance(part, dict) else str(part)


def _settings(results: Results) -> list[tuple[str, str]]:
    """The experiment's settings as a flat list of dotted keys."""
    flat: list[tuple[str, str]] = []
    _flatten(results.settings, "", flat)
    return flat


def _flatten(value: Any, place: str, flat: list[tuple[str, str]]) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _flatten(inner, f"{place}.{key}" if place else str(key), flat)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for index, inner in enumerate(value):
            _flatten(inner, f"{place}[{index}]", flat)
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        flat.append((place, words.MISSING if value is None else text))


def versions(results: Results) -> list[tuple[str, str]]:
    """Versions, device and durations from the runs' own records; differing values side by side."""
    counted = [run for run in results.runs if run.counted]
    found: dict[str, dict[str, None]] = {}
    for run in counted:
        known = {key: run.meta[key] for key in ("device", "git") if run.meta.get(key)}
        pairs: list[tuple[str, str]] = []
        _flatten({**known, **dict(run.meta.get("versions") or {})}, "", pairs)
        for key, value in pairs:
            found.setdefault(key, {})[value] = None
    rows = [(key, " | ".join(values)) for key, values in found.items()]
    return rows + _seconds(results)


def _seconds(results: Results) -> list[tuple[str, str]]:
    total: dict[str, float] = {}
    for run in results.runs:
        seconds = run.meta.get("seconds")
        for stage, value in (seconds if isinstance(seconds, dict) else {}).items():
            if isinstance(value, int | float):
                total[stage] = total.get(stage, 0.0) + value
    return [(f"seconds, {stage} (all runs)", f"{value:.1f}") for stage, value in total.items()]

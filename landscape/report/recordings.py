"""The report of training loops that were recorded: one page, its tables and figures.

Nothing is known of such a loop but its trace: there are no seeds, no test split and no reference.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from landscape.errors import UserError, nearest, printable
from landscape.report import (
    interactive,
    notebook_html,
    page_images,
    report_files,
    stored_report,
    tables,
    words,
)
from landscape.report.figures import recorded_curves, rendering, style
from landscape.report.figures.view import Picture, View
from landscape.report.page_environment import page_environment
from landscape.report.page_images import RenderedPicture
from landscape.report.recording_sentences import sentences
from landscape.report.run_reader import UNREADABLE
from landscape.report.stored_run import StoredRun
from landscape.report.tables import TableColumn, file_column, value_column
from landscape.storage import array_files, disk, experiment_folder, recordings, safe_reading, store
from landscape.storage.recording_records import RecordingRecord
from landscape.storage.records import MetaRecord, ReportRecord, SummaryRecord


@dataclass(frozen=True)
class RecordedRun:
    """A recorded loop: its record, its trace as a run for figures, and whether it has ended."""

    record: RecordingRecord
    run: StoredRun
    closed: bool

    @property
    def label(self) -> str:
        return self.record.label


def recorded_run(
    record: RecordingRecord, trace: pd.DataFrame, *, closed: bool, meta: MetaRecord | None = None
) -> RecordedRun:
    """Returns a recorded loop of its record and trace."""
    status = "done" if record.diverged_step is None else "diverged"
    summary = SummaryRecord(status, "risk/batch", {}, diverged_step=record.diverged_step)
    run = StoredRun(
        record.label,
        record.label,
        None,
        {},
        status,
        trace=trace,
        summary=summary,
        meta=meta or MetaRecord(),
    )
    return RecordedRun(record, run, closed)


class Recordings(NamedTuple):
    """The recorded loops of a folder, and why others are omitted, by the name of their folder."""

    runs: list[RecordedRun]
    unreadable: dict[str, str]


def read(directory: Path) -> Recordings:
    """Returns the recorded loops of a folder. Raises UserError if none can be read."""
    runs: dict[str, RecordedRun] = {}
    unreadable: dict[str, str] = {}
    for name in experiment_folder.run_ids(directory):
        try:
            run = _read(store.run_folder(directory, name))
            if run.label in runs:
                raise ValueError(f"another folder has the label `{run.label}`")
            runs[run.label] = run
        except UNREADABLE as error:
            unreadable[name] = printable(str(error).splitlines()[0])
    if not runs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in unreadable.items())
        raise UserError(
            f"no recording in `{directory}` can be read: {reasons}", hint="record the loop again"
        )
    return Recordings([*runs.values()], unreadable)


def _read(folder: Path) -> RecordedRun:
    """Reads a recorded loop. Raises one of UNREADABLE if its files are missing or damaged."""
    status = store.read_status_record(folder)
    if status is None:
        raise ValueError("nothing has been recorded yet")
    if changed := store.damaged(folder):
        raise ValueError(f"damaged: {', '.join(changed)}")
    record = store.read_record(folder / recordings.RECORDING, RecordingRecord)
    trace = array_files.read_trace(folder)
    steps = trace["step"].to_numpy()
    if not len(steps):
        raise ValueError("nothing has been recorded yet")
    if steps.dtype.kind not in "iu" or steps[0] < 0 or (np.diff(steps) <= 0).any():
        raise safe_reading.UnreadableFile("its steps are not rising whole numbers")
    meta = store.read_valid_record(folder / "meta.json", MetaRecord)
    return recorded_run(record, trace, closed=status.status == recordings.CLOSED, meta=meta)


def _view(runs: Sequence[RecordedRun]) -> View:
    return View(
        runs={run.label: (run.run,) for run in runs},
        styles=style.styles([run.label for run in runs]),
        metric="risk/batch",
        higher_is_better=False,
        target=float("nan"),
        seeds=1,
    )


def _drawings(runs: Sequence[RecordedRun]) -> dict[str, Callable[[], Picture | None]]:
    """Returns the functions that draw each kind of figure, in the order of the page."""
    view = _view(runs)
    names = [name for run in runs for name in run.record.metrics]
    return {
        "risk": functools.partial(recorded_curves.risks, view),
        "metrics": functools.partial(recorded_curves.metrics, view, names),
        "gradients": functools.partial(recorded_curves.gradients, view),
        "layers": functools.partial(recorded_curves.layers, view),
        "dead": functools.partial(recorded_curves.dead_fractions, view, _measured_on(runs)),
        "updates": functools.partial(recorded_curves.updates, view),
    }


def _measured_on(runs: Sequence[RecordedRun]) -> str:
    texts = {"batch": "in the batch of the step", "evaluation": "on the evaluation set"}
    places = {run.record.dead_on: run.label for run in runs}
    if len(places) == 1:
        return texts.get(runs[0].record.dead_on, "")
    by_place = [
        f"{texts[place]} for {words.listed([r.label for r in runs if r.record.dead_on == place])}"
        for place in texts
    ]
    return " and ".join(by_place)


def figure(runs: Sequence[RecordedRun], kind: str) -> Figure:
    """Returns one figure of recorded loops; see `_drawings` for the kinds.

    Raises UserError for an unknown kind, and if the traces do not have what it shows.
    """
    drawings = _drawings(runs)
    if kind not in drawings:
        raise UserError(f"there is no kind of figure `{kind}`", hint=nearest(str(kind), drawings))
    with rendering.report_style():
        picture = drawings[kind]()
    if picture is None:
        hint = "metrics need `evaluation=` and `metrics=` of the recorder"
        raise UserError(f"the trace does not have what `{kind}` shows", hint=hint)
    return picture.figure


def table(runs: Sequence[RecordedRun]) -> tables.ReportTable:
    """Returns one row of numbers per loop: first and last risk and norm, last dead fractions."""
    columns: list[TableColumn[RecordedRun]] = [
        value_column("label", "", lambda loop: loop.label),
        value_column("loss", "", lambda loop: loop.record.loss),
        value_column("steps", "", lambda loop: loop.record.steps),
        file_column(lambda loop: {"records": len(loop.run.trace)}),
        _ends_column("risk of the batch", "risk/batch"),
        _ends_column("gradient norm", "gradient_norm/global"),
        *(_dead_column(name) for name in words.DEAD),
        value_column(
            "update ratio", "", _update_ratio, words.scientific, name="update_ratio median"
        ),
        value_column("finding", "", _finding),
    ]
    return tables.report_table("recordings", "First and last record", "numbers", columns, runs)


def _ends_column(heading: str, name: str) -> TableColumn[RecordedRun]:
    """Returns the column of the first and the last value of a quantity."""

    def cells(loop: RecordedRun) -> dict[str, float]:
        return {f"{name} first": loop.run.first(name), f"{name} last": loop.run.last(name)}

    return TableColumn(
        heading, "", lambda loop: " → ".join(map(words.scientific, cells(loop).values())), cells
    )


def _dead_column(name: str) -> TableColumn[RecordedRun]:
    key = f"dead/{name}"
    return value_column(
        f"dead {name}", "", lambda loop: loop.run.last(key), words.percentage, name=key
    )


def _update_ratio(loop: RecordedRun) -> float:
    ratios = loop.run.column("update_ratio")
    finite = ratios[np.isfinite(ratios)]
    return float(np.median(finite)) if len(finite) else np.nan


def _finding(loop: RecordedRun) -> str:
    return " ".join(sentences(loop.record, loop.run, loop.closed))


def summary_html(runs: Sequence[RecordedRun]) -> str:
    """Returns the table as HTML for a notebook."""
    return notebook_html.table(table(runs).texts)


def build(experiment_dir: Path) -> ReportRecord:
    """Rebuilds `<experiment_dir>/report` from the recorded loops; returns its record.

    Raises UserError if nothing can be read, StorageError if the report cannot be written.
    """
    source = stored_report.source(experiment_dir)
    read_runs, unreadable = read(experiment_dir)
    numbers = table(read_runs)
    shown = numbers.texts
    record = ReportRecord(
        source, tuple(shown), tuple(shown.itertuples(index=False, name=None)), unreadable
    )
    with stored_report.replacing(experiment_dir) as folder:
        report_files.write_tables(folder, [numbers], {})
        pictures = _write_figures(folder / "figures", read_runs)
        disk.write_text(folder / "index.html", _page(experiment_dir, read_runs, shown, pictures))
        stored_report.write(folder, record)
    return record


def _write_figures(folder: Path, runs: Sequence[RecordedRun]) -> list[RenderedPicture]:
    """Writes png and pdf of each figure."""
    pictures = []
    with rendering.report_style():
        for draw in _drawings(runs).values():
            picture = draw()
            if picture is not None:
                png = rendering.png_bytes(picture.figure)
                disk.write_bytes(folder / f"{picture.name}.png", png)
                disk.write_bytes(
                    folder / f"{picture.name}.pdf", rendering.pdf_bytes(picture.figure)
                )
                wide = page_images.wide_image(png)
                phone = page_images.phone_image(draw, picture.name)
                narrow = page_images.page_image(phone) if phone else None
                pictures.append(RenderedPicture(picture, wide, narrow))
    return pictures


def _page(
    directory: Path,
    runs: Sequence[RecordedRun],
    shown: pd.DataFrame,
    pictures: Sequence[RenderedPicture],
) -> str:
    colors = {name: each.color for name, each in _view(runs).styles.items()}
    return (
        page_environment()
        .get_template("recordings.html")
        .render(
            title=directory.resolve().name,
            shown=shown.drop(columns="finding"),
            findings=[(run.label, sentences(run.record, run.run, run.closed)) for run in runs],
            colors=colors,
            runs=runs,
            measured_on=_measured_on(runs),
            pictures=pictures,
            policy=interactive.content_security_policy(()),
        )
    )

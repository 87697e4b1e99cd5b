"""Writes the files of a report: tables, figures with their numbers, runs, and the page."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from landscape.errors import first_line
from landscape.report import escapes, page_images, tables
from landscape.report.figure_files import figure_data
from landscape.report.figure_process import FigureProcess, Pending
from landscape.report.figures import rendering
from landscape.report.figures.all_figures import Drawing
from landscape.report.figures.view import View
from landscape.report.page_images import RenderedPicture
from landscape.storage import disk

INDEX = "index.html"


def write_tables(
    folder: Path, report_tables: Sequence[tables.ReportTable], texts: Mapping[str, pd.DataFrame]
) -> None:
    """Writes csv with raw numbers, md and tex formatted, of every table that has rows."""
    contents = {table.name: (table.rows, table.texts) for table in report_tables}
    contents |= {name: (text, text) for name, text in texts.items() if len(text)}
    for name, (raw, formatted) in contents.items():
        _write(folder / "tables" / f"{name}.csv", escapes.csv(raw))
        _write(folder / "tables" / f"{name}.md", tables.markdown(formatted))
        _write(folder / "tables" / f"{name}.tex", tables.latex(formatted))


def write_runs(folder: Path, runs: pd.DataFrame) -> None:
    """Writes one row per run as csv and parquet."""
    _write(folder / "results.csv", escapes.csv(runs))
    plain = runs.copy()
    for name in filter(lambda name: pd.api.types.is_object_dtype(plain[name]), plain.columns):
        plain[name] = plain[name].map(lambda value: None if value is None else str(value))
    buffer = io.BytesIO()
    plain.to_parquet(buffer, index=False)
    _write(folder / "results.parquet", buffer.getvalue())


def write_figures(
    folder: Path, drawings: Iterable[Drawing], view: View, process: FigureProcess
) -> tuple[list[RenderedPicture], list[str]]:
    """Writes png, pdf and csv of each figure.

    Returns the figures, and a sentence for each whose numbers matplotlib cannot draw, such as those
    near the largest float.
    """
    all_drawings = list(drawings)
    phones = process.phone_images(all_drawings)
    started: list[_StartedPicture] = []
    undrawn = []
    with rendering.report_style():
        for drawing, phone in zip(all_drawings, phones, strict=True):
            try:
                picture = drawing.draw()
                if picture is None:
                    continue
                pdf = process.pdf(picture.figure)
                png = rendering.image_bytes(picture, "png")
            except (ArithmeticError, ValueError) as error:
                undrawn.append(f"the figure of {drawing.subject} is omitted: {first_line(error)}")
                continue
            path = folder / "figures" / picture.name
            _write(path.with_suffix(".png"), png)
            _write(path.with_suffix(".csv"), escapes.csv(figure_data(picture, view)))
            wide = page_images.wide_image(png)
            started.append(_StartedPicture(RenderedPicture(picture, wide), drawing, pdf, phone))
        without_pdf = _write_pdfs(folder / "figures", started)
        images = [each.phone() for each in reversed(started)][::-1]
    pictures = [
        each.rendered._replace(
            narrow=page_images.page_image(image) if image else None,
            has_pdf=each.drawing.name not in without_pdf,
        )
        for each, image in zip(started, images, strict=True)
    ]
    return pictures, [*undrawn, *without_pdf.values()]


class _StartedPicture(NamedTuple):
    """A figure that is drawn, while its pdf and its image for phones are pending."""

    rendered: RenderedPicture
    drawing: Drawing
    pdf: Pending
    phone: Pending


def _write_pdfs(folder: Path, started: Sequence[_StartedPicture]) -> dict[str, str]:
    """Writes the pdf of each figure; returns a sentence for each that has none, by its name."""
    reasons = {}
    for rendered, drawing, pdf, _ in reversed(started):
        try:
            _write(folder / f"{rendered.picture.name}.pdf", pdf())
        except (ArithmeticError, ValueError) as error:
            subject, reason = drawing.subject, first_line(error)
            reasons[drawing.name] = f"the pdf of the figure of {subject} is omitted: {reason}"
    return dict(reversed(reasons.items()))


def write_page(folder: Path, text: str) -> None:
    """Writes the page."""
    _write(folder / INDEX, text)


def _write(path: Path, content: str | bytes) -> None:
    """Writes a file of a new report, which is not read before all of them are there."""
    data = content.encode() if isinstance(content, str) else content
    disk.write_bytes(path, data, lasting=False)

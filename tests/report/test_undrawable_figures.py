"""Numbers and characters that cannot be drawn are left out of figures, and named."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.blank_figures import blank_figures, rendered_figures
from helpers.command_line import invoke
from synthetic_runs import LOSSES, write_experiment

from landscape.report import escapes
from landscape.report.assemble import build
from landscape.report.figures import rendering


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the overflows in matplotlib
def test_a_figure_that_cannot_be_drawn_is_omitted_and_named(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 1)
    (path,) = directory.glob("runs/*/slices.npz")
    arrays = dict(np.load(path))
    grid = {name for name in arrays if "/planes/random/" in name and name[-2:] in ("/x", "/y")}
    assert len(grid) == 2
    huge = {name: arrays[name] / np.abs(arrays[name]).max() * 1.7e308 for name in grid}
    np.savez(path, **arrays | huge)
    with rendered_figures("summary", "contours", "surfaces"):
        report = build(directory)
    written = {path.name for path in (report.directory / "figures").iterdir()}
    assert written == {f"summary.{kind}" for kind in ("csv", "pdf", "png")}
    page, printed = report.index.read_text(), invoke("report", directory, cwd=tmp_path).stderr
    figures = [text for text in report.record.warnings if "the figure of" in text]
    assert len(figures) == 2
    for kind in ("contours", "surfaces"):
        sentence = f"he figure of {kind} of trained/planes/random is omitted: "
        assert sentence in page
        assert f"warning: t{sentence}" in " ".join(printed.split())


@pytest.mark.exhaustive  # test_a_figure_that_cannot_be_drawn_is_omitted_and_named fails earlier
def test_a_figure_that_fails_only_as_pdf_stays_in_the_page(tmp_path, monkeypatch):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 1)
    before = {path.name for path in (build(directory).directory / "figures").iterdir()}
    render, calls = rendering.pdf_bytes, []

    def fail_first(figure):
        calls.append(figure)
        if len(calls) == 1:
            raise ValueError("Can only output finite numbers in PDF")
        return render(figure)

    monkeypatch.setattr(rendering, "pdf_bytes", fail_first)
    report = build(directory)
    after = {path.name for path in (report.directory / "figures").iterdir()}
    assert before - after == {"summary.pdf"}
    assert "figures/summary.png" in report.index.read_text()
    assert "figures/summary.pdf" not in report.index.read_text()
    (warning,) = [text for text in report.record.warnings if "pdf" in text]
    assert warning.startswith("the pdf of the figure of summary is omitted: ValueError: Can only")
    assert f"Warning: {warning}" in report.index.read_text()


def test_characters_that_no_font_has_become_squares_in_figures_alone(tmp_path):
    """Any warning of matplotlib about a missing glyph is an error in these tests.

    It comes with the size of a text, on which the layout depends.
    """
    label = "損失 एक 🎉 שלום"
    directory = write_experiment(tmp_path / "x", [replace(LOSSES[0], name=label)], 1)
    with blank_figures(laid_out=True):
        report = build(directory)
    assert label in report.index.read_text(encoding="utf-8")
    assert label in (report.directory / "results.csv").read_text(encoding="utf-8")
    assert escapes.figure_text(label) == "□□ □□ □ שלום"

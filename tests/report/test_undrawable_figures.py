"""Numbers near the largest float: figures that cannot be drawn are omitted, and named."""

import numpy as np
import pytest
from helpers.command_line import invoke
from synthetic_runs import LOSSES, write_experiment

from landscape.report.assemble import build


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the overflows in matplotlib
def test_a_figure_that_cannot_be_drawn_is_omitted_and_named(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 1)
    before = {path.name for path in (build(directory).directory / "figures").iterdir()}
    (path,) = directory.glob("runs/*/slices.npz")
    arrays = dict(np.load(path))
    grid = {name for name in arrays if "/planes/random/" in name and name[-2:] in ("/x", "/y")}
    assert len(grid) == 2
    huge = {name: arrays[name] / np.abs(arrays[name]).max() * 1.7e308 for name in grid}
    np.savez(path, **arrays | huge)
    report = build(directory)
    after = {path.name for path in (report.directory / "figures").iterdir()}
    omitted = {f"{name}.{kind}" for name in ("contours", "surfaces") for kind in ("png", "pdf")}
    assert before - after == omitted
    page, printed = report.index.read_text(), invoke("report", directory, cwd=tmp_path).stderr
    figures = [text for text in report.record.warnings if "the figure of" in text]
    assert len(figures) == 2
    for kind in ("contours", "surfaces"):
        sentence = f"he figure of {kind} of trained/planes/random is omitted: "
        assert sentence in page
        assert f"warning: t{sentence}" in " ".join(printed.split())

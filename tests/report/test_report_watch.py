"""`landscape report --watch` rebuilds the page as runs end, and names what it waits for."""

import re

import pytest
from helpers.command_line import invoke
from synthetic_runs import LOSSES, write_experiment

from landscape.cli import results_commands
from landscape.storage.records import Holder
from landscape.sweep import lock

pytestmark = pytest.mark.usefixtures("unrendered_figures")


def unmarked(page):
    """The page without marks of where labels may break."""
    return re.sub("<wbr[^>]*>", "", page)


def test_the_page_is_rebuilt_as_runs_end_until_the_sweep_ends(tmp_path, monkeypatch):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 2, with_slices=False)
    statuses = sorted(directory.glob("runs/*/status.json"))
    contents = [path.read_bytes() for path in statuses]
    for path in statuses:
        path.unlink()
    index, pages = directory / "report" / "index.html", []
    monkeypatch.setattr(lock, "holder", lambda _: Holder("host", 1, "now") if statuses else None)

    def end_a_run(seconds):
        text = index.read_text() if index.exists() else ""
        pages.append(unmarked(text))
        if len(contents) > len(pages):
            statuses[-1].write_bytes(contents[-1])
        elif len(pages) == len(contents):
            statuses[0].write_bytes(contents[0])
        else:
            statuses.clear()

    monkeypatch.setattr(results_commands.time, "sleep", end_a_run)
    done = invoke("report", "x", "--watch", cwd=tmp_path)
    assert done.returncode == 0
    assert pages[0] == "" and "1 of 2 runs has not finished" in pages[1]
    assert "cross_entropy-0-0" in pages[1] and "Failed and missing runs" in pages[1]
    assert "not finished" not in pages[2] == unmarked(index.read_text())
    said = " ".join(done.stderr.split())
    assert said.startswith("no report yet: no run in `x` has finished: 2 unfinished")
    assert said.count("report: x/report/index.html (") == 2


def test_without_a_sweep_it_builds_once(tmp_path, monkeypatch):
    write_experiment(tmp_path / "x", LOSSES[:1], 1, with_slices=False)
    monkeypatch.setattr(results_commands.time, "sleep", lambda _: pytest.fail("it waits"))
    assert invoke("report", "x", "--watch", cwd=tmp_path).returncode == 0

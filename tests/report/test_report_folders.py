"""Folders that cannot be reported, or not as they are: one clear message each."""

import errno
import shutil
import tempfile

import pytest
from helpers.command_line import invoke
from synthetic_runs import LOSSES, write_experiment

from landscape.errors import StorageError
from landscape.report import stored_report
from landscape.report.assemble import build

pytestmark = pytest.mark.usefixtures("unrendered_figures")


@pytest.fixture
def directory(tmp_path):
    return write_experiment(tmp_path / "x", LOSSES[:1], 1, with_slices=False)


def printed(tmp_path, *words):
    done = invoke("report", *words, cwd=tmp_path)
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join(done.stderr.split())


def test_an_empty_folder_names_what_is_missing(tmp_path):
    (tmp_path / "x").mkdir()
    code, text = printed(tmp_path, "x")
    assert code == 2 and "`x` has no runs: `x/runs` is empty or missing" in text


def test_a_folder_of_experiments_names_them(tmp_path):
    write_experiment(tmp_path / "runs" / "quick", LOSSES[:1], 1, with_slices=False)
    code, text = printed(tmp_path, "runs")
    assert code == 2 and "`runs/quick`" in text


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_keeps_its_report(directory, monkeypatch, number):
    before = build(directory).index.read_bytes()
    runs = directory / "runs"
    shutil.copytree(runs / "cross_entropy-0-0", runs / "cross_entropy-0-1")

    def refuse(*arguments):
        raise OSError(number, "refused")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(StorageError, match=r"cannot write .*report: refused") as caught:
        build(directory)
    assert caught.value.hint == "choose another place to write to"
    code, text = printed(directory.parent, "x")
    assert code == 1 and text.startswith("error: cannot write x/report: refused")
    assert (directory / "report" / "index.html").read_bytes() == before


def test_a_report_that_fails_leaves_the_old_one_and_no_other_file(directory, monkeypatch):
    before = build(directory).index.read_bytes()
    monkeypatch.setattr(stored_report, "write", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        build(directory)
    assert (directory / "report" / "index.html").read_bytes() == before
    assert not [path.name for path in directory.iterdir() if path.name.startswith(".report")]


def test_a_report_written_meanwhile_by_another_process_is_replaced(directory):
    with stored_report.replacing(directory) as new:
        (new / "index.html").write_text("mine")
        (directory / "report").mkdir()
        (directory / "report" / "index.html").write_text("other")
    assert (directory / "report" / "index.html").read_text() == "mine"
    assert [path.name for path in directory.glob(".report*")] == []


def test_files_that_no_report_wrote_are_kept(directory):
    report = build(directory).directory
    (report / "paper").mkdir()
    (report / "paper" / "figure.pdf").write_bytes(b"kept")
    (report / "notes.txt").write_text("kept")
    (report / "tables" / "comparison.csv").write_text("changed")
    assert stored_report.up_to_date(directory) is None
    build(directory)
    assert (report / "paper" / "figure.pdf").read_bytes() == b"kept"
    assert (report / "notes.txt").read_text() == "kept"
    assert (report / "tables" / "comparison.csv").read_text() != "changed"

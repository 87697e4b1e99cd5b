"""A report is up to date exactly if what it depends on, and its own files, are unchanged."""

import html
import os
import re
import shutil
import subprocess
import sys

import pytest
from helpers.command_line import invoke
from synthetic_runs import LOSSES, write_experiment

from landscape.errors import UserError
from landscape.report import stored_report
from landscape.report.assemble import build

pytestmark = pytest.mark.usefixtures("unrendered_figures")

RUN = "runs/cross_entropy-0-0"
# Files on which a report depends, in the experiment's folder, and files of the report.
INPUTS = ("experiment.yaml", f"{RUN}/trace.parquet", f"{RUN}/status.json", f"{RUN}/config.yaml")
OUTPUTS = ("index.html", "results.csv", "tables/comparison.tex", "figures/risk.pdf", "report.json")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "x"
    directory = write_experiment(folder, LOSSES[:1], 1, with_slices=False)
    (directory / RUN / "log.txt").write_text("begun\n")
    return directory, build(directory)


def test_an_unchanged_report_is_up_to_date_and_has_the_printed_comparison(built):
    directory, report = built
    record = stored_report.up_to_date(directory)
    assert record is not None and record.unreadable == {}
    (row,) = record.rows
    assert row[0] == "cross_entropy" and row[-1] == report.comparison["finding"][0]
    assert record.headings[:2] == ("loss", "accuracy % (seeds)")


def test_a_changed_number_in_its_record_makes_it_outdated(built):
    directory, _ = built
    path = directory / "report" / "report.json"
    content = path.read_text()
    (row,) = stored_report.up_to_date(directory).rows
    assert content.count(row[1]) == 1
    path.write_text(content.replace(row[1], row[1].replace(row[1][0], "1", 1)))
    assert path.read_text() != content and stored_report.up_to_date(directory) is None
    path.write_text(content)
    assert stored_report.up_to_date(directory) is not None


def test_it_warns_in_the_page_and_the_terminal_if_nothing_lists_the_files(built):
    directory, _ = built
    (warning,) = stored_report.up_to_date(directory).warnings
    assert warning.startswith("`contents.json` is missing")
    page = html.unescape((directory / "report" / "index.html").read_text())
    assert f"Warning: {warning.replace('`', '')}" in re.sub("</?code>", "", page)


@pytest.mark.parametrize("name", [*INPUTS, *(f"report/{name}" for name in OUTPUTS)])
def test_a_changed_or_missing_file_makes_it_outdated(built, name):
    directory, _ = built
    path = directory / name
    content, times = path.read_bytes(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(b"!" + content[1:])
    assert stored_report.up_to_date(directory) is None
    path.unlink()
    assert stored_report.up_to_date(directory) is None
    path.write_bytes(content)
    os.utime(path, ns=times)
    assert stored_report.up_to_date(directory) is not None


@pytest.mark.parametrize("name", ["across.json", "runs/another/config.yaml", f"{RUN}/audit.json"])
def test_a_new_file_makes_it_outdated(built, name):
    directory, _ = built
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}")
    assert stored_report.up_to_date(directory) is None
    path.unlink()
    if path.parent.name == "another":
        path.parent.rmdir()
    assert stored_report.up_to_date(directory) is not None


def test_a_log_entry_leaves_it_up_to_date(built):
    directory, _ = built
    (directory / RUN / "log.txt").write_text("begun\nended\n")
    assert stored_report.up_to_date(directory) is not None


def test_a_report_from_another_place_is_not_trusted(built, tmp_path):
    """A folder from another person may have any comparison in its report.json."""
    directory, _ = built
    shutil.copytree(directory, tmp_path / "x")  # keeps times
    assert stored_report.up_to_date(tmp_path / "x") is None


def test_another_version_of_a_library_makes_it_outdated(built, monkeypatch):
    directory, _ = built
    monkeypatch.setattr(stored_report.metadata, "version", lambda name: "0")
    assert stored_report.up_to_date(directory) is None


def test_it_depends_on_the_source_code_but_not_on_what_python_compiles(
    built, tmp_path, monkeypatch
):
    """In an editable installation every command compiles the modules that it is first to import."""
    package = tmp_path / "landscape"
    (package / "report").mkdir(parents=True)
    monkeypatch.setattr(stored_report.landscape, "__file__", str(package / "__init__.py"))
    before = stored_report.source(built[0])
    (package / "report" / "__pycache__").mkdir()
    (package / "report" / "__pycache__" / "page.cpython-313.pyc").touch()
    assert stored_report.source(built[0]) == before
    (package / "report" / "page.py").touch()
    assert stored_report.source(built[0]) != before


def test_a_linked_report_is_refused(built, tmp_path):
    directory, _ = built
    (tmp_path / "report").symlink_to(directory / "report")
    with pytest.raises(UserError, match="symbolic link"):
        stored_report.up_to_date(tmp_path)


def test_the_command_prints_the_same_again_without_loading_the_report(built):
    """What takes seconds to import is needed only to build a report."""
    directory, _ = built
    code = (
        "import sys; from landscape.cli.commands import main\n"
        "try: main(['report', sys.argv[1]])\n"
        "except SystemExit as ended: assert not ended.code\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'pandas', 'matplotlib', 'scipy', 'jax', 'plotly'}))"
    )
    shutil.rmtree(directory / "report")
    first = invoke("report", directory, cwd=directory)
    command = [sys.executable, "-c", code, str(directory)]
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    (*lines, loaded) = again.stdout.splitlines()
    assert lines == first.stdout.splitlines() and any("cross_entropy" in line for line in lines)
    assert loaded == "[]"
    assert "nothing has changed" in again.stderr and "nothing has changed" not in first.stderr


@pytest.mark.parametrize("name", ["index.html", "tables/notes.csv", "figures/risk.png", "tables"])
def test_no_link_in_a_report_is_replaced(built, tmp_path, name):
    directory = tmp_path / "x"
    shutil.copytree(built[0], directory)
    link, thesis = directory / "report" / name, tmp_path / "thesis"
    thesis.write_text("years of work")
    shutil.rmtree(link) if link.is_dir() else link.unlink(missing_ok=True)
    link.symlink_to(thesis)
    with pytest.raises(UserError, match="is a symbolic link to"):
        build(directory)
    assert link.is_symlink() and thesis.read_text() == "years of work"

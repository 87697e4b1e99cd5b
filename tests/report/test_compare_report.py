"""The report of a folder with compare.json: page, files, terminal, damaged records."""

import io
import json
import re
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import synthetic_compare as synthetic
from rich.console import Console
from synthetic_compare import START, Loss, Setting
from test_report_build import Page

from landscape.cli.comparison_view import print_comparison
from landscape.errors import UserError
from landscape.report import compare_results, stored_report, tuned_report
from landscape.report.assemble import build
from landscape.report.results import read
from landscape.storage.map_records import MapRecord, MapsRecord
from landscape.storage.store import write_record

pytestmark = pytest.mark.usefixtures("unrendered_figures")

SETTING = Setting(
    losses=(
        Loss("reference", 0.95, log_rate=-2.0),
        Loss("a_loss_with_a_name", 0.93, log_rate=-3.0),
        Loss("dead", START),
    ),
    rates=(1e-4, 1e-3, 1e-2, 1e-1),
    seeds=6,
    axes={"batch_size": (16, 64)},
)
FIGURES = {
    "tuning_rates",
    "differences",
    "at_target",
    "robustness",
    "best_of_k",
    "profiles",
    "maps",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = synthetic.write(tmp_path_factory.mktemp("compared") / "losses", SETTING)
    values = (((0.95, 0.2), (0.94, 0.95)), ((0.2, 0.2), (0.95, float("nan"))))
    record = MapRecord(
        rates=(1e-3, 1e-2),
        scales=(0.5, 2.0),
        seeds=(10000, 10001),
        steps=100,
        metric="accuracy",
        higher_is_better=True,
        target=0.9,
        values=values,
    )
    write_record(directory / "maps.json", MapsRecord({"reference": record}))
    return directory


@pytest.fixture(scope="module")
def report(folder):
    return build(folder)


@pytest.fixture(scope="module")
def results(folder):
    return read(folder)


@pytest.fixture(scope="module")
def page(report):
    return Page(report.index.read_text(encoding="utf-8"))


def test_the_comparison_at_tuned_points_comes_first(page):
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert sections[:3] == ["answer", "results", "compare"]
    assert len(page.ids) == len(set(page.ids))
    text = re.sub(r"\s+", " ", "".join(page.text))
    assert "May be best: only reference, of 3 losses." in text
    assert "dead does not learn: none of its 4 trials" in text
    assert "A p is about this data set" in text


def test_each_figure_and_table_is_written(folder, report):
    names = {path.stem for path in (folder / "report" / "figures").iterdir()}
    assert names >= FIGURES
    for name in ("tuning", "pairs", "robustness"):
        for kind in ("csv", "md", "tex"):
            assert (folder / "report" / "tables" / f"{name}.{kind}").stat().st_size
    table = pd.read_csv(folder / "report" / "tables" / "tuning.csv")
    assert list(table["loss"]) == ["reference", "a_loss_with_a_name", "dead"]


def test_other_tables_show_judged_runs_at_tuned_points_by_loss(report):
    assert list(report.comparison["name"]) == ["reference", "a_loss_with_a_name", "dead"]
    assert list(report.comparison["seeds"]) == [6, 6, 6]
    runs = pd.read_csv(report.directory / "results.csv")
    assert len(runs) == len(json.loads((report.directory.parent / "plan.json").read_text()))


def test_a_script_gets_the_same_tables_and_figures(folder, report):
    loaded = tuned_report.load(folder)
    assert loaded.conclusions == report.record.conclusions
    stored = pd.read_csv(folder / "report" / "tables" / "pairs.csv")
    pairs = next(table.rows for table in loaded.tables if table.name == "pairs")
    pd.testing.assert_frame_equal(pairs, stored, check_dtype=False)
    assert set(tuned_report.figures(loaded)) == FIGURES


def test_the_python_api_has_tables_and_conclusions(folder, report):
    from landscape.api import Comparison

    comparison = Comparison(folder)
    tables = comparison.tables
    assert set(tables) == {"tuning", "pairs", "robustness"}
    losses = comparison.losses.set_index("loss")["tuned_rate"]
    pd.testing.assert_series_equal(tables["tuning"].set_index("loss")["tuned_rate"], losses)
    assert comparison.conclusions == list(report.record.conclusions)


def test_a_folder_without_a_comparison_says_what_to_do(folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "copied")
    (copied / "compare.json").unlink()
    with pytest.raises(UserError, match="no loss has been judged yet") as caught:
        tuned_report.load(copied)
    assert "landscape compare" in caught.value.hint


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_terminal_shows_each_number_unbroken(report, width):
    screen = Console(file=io.StringIO(), width=width)
    print_comparison(screen, report.record)
    lines = screen.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    for row in report.record.tuned_rows:
        for cell in row:
            assert any(cell in line for line in lines), cell
    joined = " ".join(" ".join(lines).split())
    for sentence in report.record.conclusions:
        assert sentence in joined


def test_a_stored_report_keeps_its_conclusions(folder, report):
    record = stored_report.up_to_date(folder)
    assert record.conclusions == report.record.conclusions
    assert record.tuned_rows == report.record.tuned_rows
    path = folder / "compare.json"
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    assert stored_report.up_to_date(folder) is None
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text[:100], "compare.json cannot be read: "),
        (lambda text: text.replace('"reference": "reference"', '"reference": "none"'), "`none` is"),
        (lambda text: text.replace('"judging_seeds": [', '"judging_seeds": [77,'), "seed: 7"),
        (lambda text: text.replace('"own_rate": 0.001', '"own_rate": -1.0'), "greater than 0"),
        (lambda text: text.replace('"accuracy"', '"f1"'), "compare.json is about `f1`, the runs"),
    ],
)
def test_a_damaged_record_is_a_problem(results, tmp_path, change, problem):
    text = (results.directory / "compare.json").read_text()
    (tmp_path / "compare.json").write_text(change(text))
    problems = []
    assert compare_results.read(replace(results, directory=tmp_path), problems) is None
    assert len(problems) == 1 and problem in problems[0]


def test_tuning_alone_is_not_a_comparison_yet(results, tmp_path):
    record, _ = synthetic.comparison(SETTING)
    losses = tuple(replace(entry, judged=()) for entry in record.losses)
    write_record(tmp_path / "compare.json", replace(record, losses=losses, complete=False))
    problems = []
    assert compare_results.read(replace(results, directory=tmp_path), problems) is None
    assert problems == []

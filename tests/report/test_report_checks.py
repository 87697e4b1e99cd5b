"""Failed checks, and only these, are marked in figures and listed first."""

import json

import pandas as pd
import pytest
from synthetic_runs import LOSSES, Loss, write_experiment

from landscape.report import check_results
from landscape.report.comparison import compare, comparison_frame
from landscape.report.comparison_texts import display
from landscape.report.figures import direction_panels, line_panels, rendering, spectrum_panels
from landscape.report.figures.view import make_view
from landscape.report.results import read
from landscape.report.tables import failures
from landscape.storage import schema
from landscape.storage.records import Check

pytestmark = pytest.mark.usefixtures("unrendered_figures")

FAILED = {
    "name": "center",
    "where": "trained",
    "passed": False,
    "value": 2.0,
    "expected": 1.0,
    "tolerance": 0.1,
    "message": "the middle is off",
}


def titles(picture):
    return [axes.get_title(loc="left") for axes in picture.figure.axes]


def load_view(directory):
    results = read(directory)
    return make_view(results, compare(results))


def test_the_table_counts_and_names_the_worst(experiment):
    table = pd.read_csv(experiment[0] / "report" / "tables" / "checks.csv")
    first = table.iloc[0]
    assert (first["loss"], first["check"], first["failed"]) == ("hinge", "second_difference", 3)
    assert first["passed"] == 3 and first["undecided"] == 0
    assert first["worst"] == 13 and first["run"] == "hinge-0-4"
    assert table["failed"].tolist() == [3] + [0] * (len(table) - 1)
    undecided = table[table["undecided"] > 0]
    assert undecided["loss"].tolist() == ["hinge"] and undecided.index.tolist() == [1]


def test_all_places_at_which_a_check_passed_share_one_row(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 2)
    for path in (directory / "runs").glob("*/summary.json"):
        summary = json.loads(path.read_text())
        passed = FAILED | {"passed": True}
        summary["checks"] = [passed | {"where": f"trained/lines/{n}"} for n in range(5)]
        summary["checks"].append(FAILED | {"where": "trained/lines/5"})
        path.write_text(json.dumps(summary))
    every = check_results.summaries({"a": read(directory).runs})
    table, folded = pd.DataFrame(every), pd.DataFrame(check_results.folded(every))
    assert len(table) == 6 and table["passed"].sum() == 10
    assert folded["where"].tolist() == ["trained/lines/5", "5 places"]
    assert folded["passed"].tolist() == [0, 10] and folded["failed"].tolist() == [2, 0]
    losses = check_results.summaries(dict.fromkeys("abcdefghi", read(directory).runs))
    many = pd.DataFrame(check_results.folded(losses))
    assert many["loss"].tolist() == [*"abcdefghi", "9 losses or points of the sweep"]
    assert many["passed"].tolist() == [0] * 9 + [90] and many["failed"].tolist() == [2] * 9 + [0]


def test_only_failed_checks_are_marked(experiment):
    view_of_runs = load_view(experiment[0])
    with rendering.report_style():
        for picture in (
            line_panels.risk_along_lines(view_of_runs, view_of_runs.lines[0], "trained"),
            direction_panels.directions(view_of_runs, "trained"),
        ):
            marked = [title for title in titles(picture) if check_results.WARNING in title]
            assert len(marked) == 1 and "hinge" in marked[0] and "second_difference" in marked[0]
            assert "A check failed (see Checks) for hinge: second_difference." in picture.caption
        for other in (
            line_panels.risk_along_lines(view_of_runs, view_of_runs.lines[1], "trained"),
            spectrum_panels.spectrum(view_of_runs, "trained"),  # a check of it is undecided
        ):
            assert not any(check_results.WARNING in title for title in titles(other))
            assert "check failed" not in other.caption


def test_a_finding_names_the_failed_check(experiment):
    findings = experiment[1].comparison.set_index("name")["finding"]
    clause = "check failed: second_difference (see Checks)"
    assert findings["hinge"].endswith(clause) and findings.str.contains("check failed").sum() == 1
    shown = display(compare(read(experiment[0]))).set_index("loss")
    assert clause in shown.loc["hinge", "finding"]


def test_a_check_at_a_point_marks_its_slices_but_a_curvature_check_does_not(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 1)
    path = directory / "runs" / "cross_entropy-0-0" / "summary.json"
    summary = json.loads(path.read_text())
    summary["checks"] = [FAILED, {**FAILED, "name": "lanczos", "where": "trained/hessian"}]
    path.write_text(json.dumps(summary))
    view_of_runs = load_view(directory)
    with rendering.report_style():
        slices = line_panels.risk_along_lines(view_of_runs, view_of_runs.lines[0], "trained")
        spectrum = spectrum_panels.spectrum(view_of_runs, "trained")
    assert any(f"{check_results.WARNING} center" in title for title in titles(slices))
    assert not any("lanczos" in title for title in titles(slices))
    assert any(f"{check_results.WARNING} center, lanczos" in title for title in titles(spectrum))


@pytest.mark.parametrize("damage", [{"a": 1}, [1], [{"name": "center"}], [{**FAILED, "passed": 1}]])
def test_damaged_checks_are_reported_and_left_out(tmp_path, damage):
    directory = write_experiment(tmp_path / "x", (Loss("a"),), 1, with_slices=False)
    path = directory / "runs" / "a-0-0" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"checks": damage}))
    results = read(directory)
    (listed,) = failures(results).to_dict("records")
    assert "the checks in summary.json cannot be read" in listed["reason"]
    assert comparison_frame(results)["seeds"].tolist() == [1]


def test_null_numbers_are_nan():
    undecided = {**FAILED, "value": None, "expected": None, "passed": None}
    check = schema.from_text(json.dumps(undecided), Check)
    assert check.passed is None and check.value != check.value
    assert check_results.failed([], "trained") == []

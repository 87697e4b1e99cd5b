"""Tables as files: raw numbers, and special characters escaped."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_runs import Loss, write_experiment

from landscape.config.judging import RESERVED
from landscape.report import words
from landscape.report.comparison import compare, comparison_frame, shown_points
from landscape.report.comparison_texts import display
from landscape.report.results import read

NASTY = "bad_<b>|&$x$%"


def test_raw_numbers_are_in_the_csv(experiment):
    directory, report = experiment
    stored = pd.read_csv(directory / "report" / "tables" / "comparison.csv")
    assert stored["value"].to_numpy() == pytest.approx(
        report.comparison["value"].to_numpy(), nan_ok=True
    )
    assert stored["loss"].tolist() == report.comparison["loss"].tolist()


def test_every_column_is_defined_in_the_docs(experiment, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text()
    section = page.partition("## Comparison")[2].partition("\n## ")[0]
    defined = {name for line in section.splitlines() for name in re.findall("`(\\w+)`", line)}
    sweep = {"optimizer.learning_rate": [0.001, 0.01]}
    swept = write_experiment(tmp_path / "x", (Loss("a"),), 1, with_slices=False, sweep=sweep)
    for table in (experiment[1].comparison, comparison_frame(read(swept))):
        columns = set(table.columns) - {"loss", "optimizer.learning_rate"}
        assert columns - {f"best_of_{k}" for k in (2, 4)} <= defined


def test_markdown_has_a_cell_for_each_column(experiment):
    text = (experiment[0] / "report" / "tables" / "comparison.md").read_text()
    lines = text.splitlines()
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    assert len(lines) == 2 + 6 and len(set(cells)) == 1
    assert "<b>" not in text and r"bad\_&lt;b&gt;\|&amp;\$x\$%" in text


def test_latex_has_a_cell_for_each_column(experiment):
    text = (experiment[0] / "report" / "tables" / "comparison.tex").read_text()
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1 and len(rows) == 7
    assert r"bad\_\textless{}b\textgreater{}\textbar{}\&\$x\$\%" in text
    body = text.split(r"\midrule")[1].replace(r"$-$", "").replace(r"$\infty$", "")
    assert not re.search(r"(?<!\\)[_#%$]", body)


def test_the_failures_have_reasons(experiment):
    stored = pd.read_csv(experiment[0] / "report" / "tables" / "failures.csv")
    assert len(stored) == 6 and set(stored["loss"]) == {NASTY}
    assert set(stored["reason"]) == {"ValueError: <script>alert(1)</script> & a_b | c"}


def test_a_terminal_gets_short_texts(experiment):
    directory, report = experiment
    table = report.comparison
    rows = shown_points(compare(read(directory)))
    shown = display(rows)
    best = table.iloc[0]
    assert shown["loss"].tolist()[0] == "cross_entropy"
    assert shown["accuracy % [95 % CI]"][0] == (
        f"{100 * best['value']:.1f} [{100 * best['low']:.1f}, {100 * best['high']:.1f}]"
    )
    assert shown["fails"].tolist() == ["0/6", "0/6", "0/6", "3/6", "6/6", words.MISSING]
    assert shown["reached"][0] == f"6/6 in {best['steps_to_target']:.0f}"
    scores = [run.outcome("f1") for run in read(experiment[0]).runs if run.loss == "cross_entropy"]
    assert best["f1_value"] == pytest.approx(np.mean(scores))
    assert shown["F1 %"][0] == f"{100 * np.mean(scores):.1f}"
    zero = shown.set_index("loss").loc["zero_one"]
    assert zero["gradient"] == "0→0" and zero["dead % e/c/w/u"] == "all 100"
    assert shown.map(lambda cell: isinstance(cell, str)).to_numpy().all()
    widths = shown.drop(columns=["finding", "F1 %"]).map(len).max()
    assert widths.sum() + 3 * len(widths) <= 84


def test_no_metric_can_be_named_like_a_column(experiment, tmp_path):
    sweep = {"optimizer.learning_rate": [0.001, 0.01]}
    swept = write_experiment(tmp_path / "x", (Loss("a"),), 1, with_slices=False, sweep=sweep)
    headings = {name for name in display(compare(read(experiment[0]))) if name.isalpha()}
    prefixes = set()
    for table in (experiment[1].comparison, comparison_frame(read(swept))):
        of_metrics = {f"{metric}_" for metric in read(experiment[0]).other_metrics}
        names = [name for name in table if not name.startswith(tuple(of_metrics))]
        prefixes |= {
            name.rpartition("_")[0] for name in names if re.search("_(value|low|high)$", name)
        }
    assert {"failure", "p"} < prefixes
    trace = {name for name in read(experiment[0]).runs[0].trace if "/" not in name}
    assert headings | prefixes | trace - {"accuracy", "f1"} <= RESERVED


def test_swept_values_stand_below_the_name_of_a_loss_that_has_them(tmp_path):
    losses = (Loss("plain"), Loss("focal"))
    points = {
        "plain": [({"optimizer.learning_rate": 0.01}, losses[0])],
        "focal": [({"optimizer.learning_rate": 0.01, "losses.focal.gamma": 2}, losses[1])],
    }
    directory = write_experiment(tmp_path / "x", losses, 3, with_slices=False, points=points)
    shown = display(compare(read(directory)))
    assert shown["loss"].tolist() == [
        "plain\nlearning_rate=0.01",
        "focal\ngamma=2\nlearning_rate=0.01",
    ]
    assert list(shown)[1] == "accuracy % (seeds)"
    assert shown.iloc[0, 1].count(" to ") == 1  # the lowest and the highest of three seeds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (390.0, "390"),
        (1234.0, "1200"),
        (2.5e5, "2.5e5"),
        (1.23e-7, "1.2e-7"),
        (-0.5, f"{words.MINUS}0.5"),
        (float("inf"), "∞"),
        (float("nan"), words.MISSING),
    ],
)
def test_numbers_over_many_decades(value, text):
    assert words.scientific(value) == text


def test_shares_are_never_rounded_to_none_or_all():
    assert [words.percent(share) for share in (0.0, 0.004, 0.5, 0.996, 1.0)] == (
        ["0", "<1", "50", ">99", "100"]
    )

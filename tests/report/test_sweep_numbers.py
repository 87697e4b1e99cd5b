"""Tolerance and best of k over a sweep with known values."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
from synthetic_runs import Loss, write_experiment

from landscape.report.comparison import comparison_frame
from landscape.report.results import read

RATES = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
RATE = "optimizer.learning_rate"
# A triangle over the decades: the loss gains 0.8 at 1e-2 and 0.2 less per decade on either side.
FINALS = [0.5, 0.7, 0.9, 0.7, 0.5]
LONE = Loss("lone", 0.85)


def exact_ends(directory, finals):
    """Gives all runs at a rate the same final accuracy, and an untrained one of 0.1."""
    for path in sorted((directory / "runs").glob("tuned-*")):
        index = int(path.name.split("-")[1])
        trace = pd.read_parquet(path / "trace.parquet")
        trace["accuracy"] = np.linspace(0.1, finals[index], len(trace))
        trace.to_parquet(path / "trace.parquet", index=False)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    tuned = Loss("tuned")
    points = {"tuned": [({RATE: rate}, tuned) for rate in RATES], "lone": [({}, LONE)]}
    directory = write_experiment(
        tmp_path_factory.mktemp("swept") / "x", (tuned, LONE), 6, with_slices=False, points=points
    )
    exact_ends(directory, FINALS)
    return comparison_frame(read(directory)).set_index("loss")


def test_the_tolerance_of_a_triangle(swept):
    """0.95 of the gain of 0.8 is lost after 0.04 / 0.2 = 0.2 decades on either side."""
    rows = swept.loc["tuned"]
    assert rows["tolerance"].to_numpy() == pytest.approx([0.4] * 5)
    assert rows["rate_low"].to_numpy() == pytest.approx([10**-2.2] * 5)
    assert rows["rate_high"].to_numpy() == pytest.approx([10**-1.8] * 5)
    assert rows["tolerance_low"].to_numpy() == pytest.approx([0.4] * 5)  # all seeds are equal
    assert set(rows["tolerance_cut"]) == {""}


def test_best_of_k_by_enumeration_of_all_draws(swept):
    for k in (1, 2, 4):
        expected = np.mean([max(draw) for draw in product(FINALS, repeat=k)])
        assert swept.loc["tuned"][f"best_of_{k}"].iloc[0] == pytest.approx(expected)
    assert swept.loc["tuned"]["best_of_8"].isna().all()  # there are only five trials
    assert (swept.loc["tuned"]["trials"] == 5).all()


def test_a_loss_with_one_point_has_one_trial_and_no_tolerance(swept):
    lone = swept.loc["lone"]
    assert lone["trials"] == 1 and np.isnan([lone["tolerance"], lone["best_of_2"]]).all()
    assert lone["best_of_1"] == pytest.approx(lone["value"])


def test_an_interval_that_an_end_of_the_grid_cuts_off_is_marked(tmp_path):
    tuned = Loss("tuned")
    points = {"tuned": [({RATE: rate}, tuned) for rate in RATES]}
    directory = write_experiment(tmp_path / "x", (tuned,), 2, with_slices=False, points=points)
    exact_ends(directory, [0.1, 0.3, 0.5, 0.7, 0.9])
    (cut,) = set(comparison_frame(read(directory))["tolerance_cut"])
    assert cut == "high"


def test_without_a_sweep_there_are_no_such_columns(experiment):
    assert not {"trials", "tolerance", "best_of_1"} & set(experiment[1].comparison.columns)


def test_choosing_the_best_of_many_equal_points_makes_no_loss_better(tmp_path):
    """Ten equal points against one: the joint test accounts for the choice."""
    many, one = Loss("many", 0.9), Loss("one", 0.9)
    points = {
        "many": [({"losses.many.gamma": float(i)}, Loss(f"many{i}", 0.9)) for i in range(10)],
        "one": [({}, one)],
    }
    directory = write_experiment(tmp_path / "x", (one, many), 6, with_slices=False, points=points)
    for path in directory.glob("runs/*/config.yaml"):  # `many3` names only the noise
        assert "label: many" in path.read_text() or "label: one" in path.read_text()
        text = path.read_text()
        for index in range(10):
            text = text.replace(f"label: many{index}", "label: many")
        path.write_text(text)
    table = comparison_frame(read(directory)).set_index("name")
    assert len(table) == 11 and (table["reference"] == "one").all()
    assert set(table["verdict"][1:]) <= {"equivalent", "undecided"}
    assert json.loads((directory / "runs" / "one-0-0" / "status.json").read_text())

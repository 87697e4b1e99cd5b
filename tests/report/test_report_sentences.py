"""Each sentence is true of its row, and each rule is reached."""

import math

import pytest

from landscape.report.sentences import learns, sentence

LEARNER = {
    "name": "a",
    "metric": "accuracy",
    "higher_is_better": True,
    "value": 0.95,
    "start": 0.1,
    "gain": 1.0,
    "target": 0.9,
    "reached_runs": 6,
    "steps_to_target": 140.0,
    "seeds": 6,
    "diverged": 0.0,
    "diverged_step": math.nan,
    "failed": 0,
    "unreadable": 0,
    "unfinished": 0,
    "zero_runs": 0,
    "zero_gradient": 0.0,
    "vanishing": 0.0,
    "exploding": 0.0,
    "dead_examples": 0.0,
    "dead_components": 0.0,
    "dead_weights": 0.0,
    "dead_units": 0.0,
    "best": "a",
    "rivals": 1,
    "ties": 0,
    "pairs": 6,
    "difference": math.nan,
    "p_value": math.nan,
}
STUCK = LEARNER | {"value": 0.11, "gain": 0.01, "reached_runs": 0, "best": "b"}
CASES = {
    "learns": ({}, "reaches 90.0 % accuracy in 140 steps (median); best accuracy of all"),
    "one seed": (
        {"seeds": 1, "reached_runs": 1, "rivals": 0},
        "reaches 90.0 % accuracy in 140 steps",
    ),
    "some": (
        {"reached_runs": 2, "rivals": 0},
        "reaches 90.0 % accuracy in 2 of 6 runs, in 140 steps (median of those)",
    ),
    "none": (
        {"reached_runs": 0, "rivals": 0},
        "learns (95.0 % accuracy) but never reaches the target of 90.0 % accuracy",
    ),
    "no target": ({"target": math.nan, "rivals": 0}, "learns: from 10.0 % to 95.0 % accuracy"),
    "other metric": (
        {"metric": "r2", "target": 0.51, "rivals": 0},
        "reaches R² 0.510 in 140 steps (median)",
    ),
    "dead units": (
        {"dead_units": 0.33, "rivals": 0},
        "reaches 90.0 % accuracy in 140 steps (median); 33 % of the units are dead at the end",
    ),
    "dead examples": (
        {"dead_examples": 0.7, "rivals": 0},
        "reaches 90.0 % accuracy in 140 steps (median); "
        "at the end 70 % of the examples give no gradient",
    ),
    "vanishing": (
        {"vanishing": 0.8, "rivals": 0},
        "reaches 90.0 % accuracy in 140 steps (median); "
        "gradients vanishing but not zero in 80 % of the steps",
    ),
    "diverged": (
        {"diverged": 0.5, "diverged_step": 80.0, "reached_runs": 3, "rivals": 0},
        "reaches 90.0 % accuracy in 3 of 6 runs, in 140 steps (median of those); "
        "diverged in 3 of 6 runs at step 80 (median)",
    ),
    "all diverged": (
        {"diverged": 1.0, "diverged_step": 80.0, "value": 0.1},
        "diverged in all 6 runs at step 80 (median)",
    ),
    "worse": (
        {"best": "b", "p_value": 0.03125, "difference": -0.1},
        "reaches 90.0 % accuracy in 140 steps (median); worse than b (p = 0.031)",
    ),
    "inconclusive": (
        {"best": "b", "p_value": 0.2, "difference": -0.1},
        "reaches 90.0 % accuracy in 140 steps (median); inconclusive against b (p = 0.200)",
    ),
    "few seeds": (
        {"best": "b", "p_value": 0.125, "pairs": 4, "difference": -0.1},
        "reaches 90.0 % accuracy in 140 steps (median); "
        "inconclusive against b: 4 paired seeds are too few",
    ),
    "failed": (
        {"seeds": 0, "failed": 6, "value": math.nan},
        "failed in all 6 runs: ValueError: no",
    ),
    "damaged": (
        {"seeds": 0, "failed": 2, "unreadable": 2, "value": math.nan},
        "no result: all 2 runs are damaged: ValueError: no",
    ),
    "some failed and some damaged": (
        {"best": "b", "p_value": 0.2, "difference": -0.1, "failed": 3, "unreadable": 1},
        "reaches 90.0 % accuracy in 140 steps (median); 2 more runs failed; "
        "1 more run is damaged; inconclusive against b (p = 0.200)",
    ),
    "unfinished": ({"seeds": 0, "unfinished": 6, "value": math.nan}, "no run has finished"),
}


@pytest.mark.parametrize("case", CASES)
def test_learners(case):
    changes, expected = CASES[case]
    assert sentence(LEARNER | changes, "ValueError: no") == expected


def test_a_gradient_of_zero_is_named_as_the_cause():
    row = STUCK | {"zero_runs": 6, "zero_gradient": 1.0, "rivals": 0, "best": ""}
    assert sentence(row, "") == "never learns: the gradient is exactly zero from the first step"
    assert sentence(row | {"zero_runs": 2}, "").endswith("from the first step in 2 of 6 runs")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, ""),
        ({"zero_gradient": 0.8}, ": the gradient is exactly zero at 80 % of the steps (median)"),
        ({"dead_examples": 0.95}, ": 95 % of the examples give no gradient"),
        ({"dead_units": 0.6}, ": 60 % of the units are dead at the end"),
    ],
)
def test_other_causes_of_not_learning(changes, cause):
    expected = f"does not learn (from 10.0 % to 11.0 % accuracy){cause}"
    assert sentence(STUCK | {"best": ""} | changes, "") == expected


def test_only_a_learner_alone_at_the_top_is_called_best():
    assert "best" not in sentence(LEARNER | {"ties": 1}, "")
    assert "best" not in sentence(STUCK | {"best": "a"}, "")


def test_a_negative_r2_is_called_worse_than_the_mean():
    row = LEARNER | {"metric": "r2", "start": -3.0, "value": -1.0, "target": math.nan}
    assert "worse than always predicting the mean" in sentence(row, "")
    assert "the mean" not in sentence(row | {"value": 0.2}, "")


def test_what_counts_as_learning():
    error = LEARNER | {"metric": "rmse", "higher_is_better": False}
    assert learns(LEARNER)
    assert not learns(LEARNER | {"value": 0.1}), "nothing gained"
    assert not learns(LEARNER | {"value": 0.15, "gain": 0.06}), "far less than the best"
    assert not learns(LEARNER | {"value": 0.11, "gain": 1.0}), "the best gains next to nothing"
    assert learns(error | {"start": 2.0, "value": 1.0})
    assert not learns(error | {"start": 1.0, "value": 2.0})

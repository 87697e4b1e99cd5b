"""Each sentence is true of its row, and each rule is reached."""

import math

import pytest
from comparison_rows import comparison_row

from landscape.report.sentences import sentence

REACHES = "reaches 90.0 % accuracy in 140 steps (median)"
STUCK = {
    "value": 0.11,
    "learns": False,
    "reached_runs": 0,
    "failures": 6,
    "rate_learns": False,
}
TOP = {"top": True, "may_be_best": True, "compared": 3, "rivals": ("b", "c")}
CASES = {
    "learns": ({}, REACHES),
    "one seed": (
        {"seeds": 1, "runs": 1, "reached_runs": 1},
        "reaches 90.0 % accuracy in 140 steps",
    ),
    "some": (
        {"reached_runs": 2, "steps_to_target": math.nan, "expected_steps": 1340.4},
        "reaches 90.0 % accuracy in 2 of 6 runs, once per 1340 steps of training",
    ),
    "none": (
        {"reached_runs": 0},
        "learns (95.0 % accuracy) but is never at 90.0 % accuracy, the target, at two records in "
        "a row",
    ),
    "no target": ({"target": math.nan}, "learns: from 10.0 % to 95.0 % accuracy"),
    "other metric": (
        {"metric": "r2", "target": 0.51},
        "reaches R² 0.510 in 140 steps (median)",
    ),
    "dead units": ({"dead_units": 0.33}, f"{REACHES}; 33 % of the units are dead at the end"),
    "dead examples": (
        {"dead_examples": 0.7},
        f"{REACHES}; at the end 70 % of the examples give no gradient",
    ),
    "vanishing": (
        {"vanishing": 0.8},
        f"{REACHES}; gradients vanishing but not zero in 80 % of the steps",
    ),
    "overfits": (
        {"lost_after_best": 0.024, "lost_low": 0.012},
        f"{REACHES}; overfits: loses 2.4 points after its best step, 100 (median)",
    ),
    "loses less than the margin": ({"lost_after_best": 0.009, "lost_low": 0.007}, REACHES),
    "may not lose": ({"lost_after_best": 0.024, "lost_low": -0.001}, REACHES),
    "diverged": (
        {"diverged": 0.5, "diverged_step": 80.0, "reached_runs": 3, "failures": 3},
        "reaches 90.0 % accuracy in 3 of 6 runs, once per 150 steps of training; "
        "diverged in 3 of 6 runs at step 80 (median)",
    ),
    "some do not learn": ({"failures": 2}, f"{REACHES}; does not learn in 2 of 6 runs"),
    "one diverged and one does not learn": (
        {"failures": 2, "diverged": 1 / 6, "diverged_step": 80.0},
        f"{REACHES}; diverged in 1 of 6 runs at step 80; does not learn in 1 of 6 runs",
    ),
    "worse": (
        {"verdict": "worse", "p_value": 0.03125, "difference": -0.104},
        f"{REACHES}; worse than b by 10 points (joint p = 0.031)",
    ),
    "better": (
        {"verdict": "better", "p_value": 0.0002, "difference": 0.012},
        f"{REACHES}; better than b by 1.2 points (joint p < 0.001)",
    ),
    "equivalent": ({"verdict": "equivalent"}, f"{REACHES}; equivalent to b within 1 point"),
    "undecided": (
        {"verdict": "undecided", "p_value": 0.2, "difference": -0.1},
        f"{REACHES}; undecided against b (joint p = 0.200)",
    ),
    "few seeds": (
        {"verdict": "undecided", "pairs": 4, "difference": -0.1},
        f"{REACHES}; undecided against b: 4 paired seeds are too few, 6 are needed",
    ),
    "no common seed": (
        {"verdict": "undecided", "pairs": 0},
        f"{REACHES}; has no seed in common with b",
    ),
    "rates differ": (
        {"verdict": "rates differ", "failures": 2, "p_value": 0.03},
        f"{REACHES}; does not learn in 2 of 6 runs; fails in 2 of 6 runs, b in 0 of 6: "
        "the rates differ, not only the means",
    ),
    "highest": (TOP, f"{REACHES}; highest accuracy of 3, not distinguishable from b and c"),
    "highest of many": (
        TOP | {"compared": 9, "rivals": tuple("bcde")},
        f"{REACHES}; highest accuracy of 9, not distinguishable from 4 others",
    ),
    "lowest": (
        TOP | {"metric": "rmse", "higher_is_better": False, "target": math.nan},
        "learns: from 0.100 to RMSE 0.950; lowest RMSE of 3, not distinguishable from b and c",
    ),
    "only one may be best": (
        TOP | {"rivals": ()},
        f"{REACHES}; highest accuracy of 3, and the only one that may be best",
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
        {"failed": 3, "unreadable": 1},
        f"{REACHES}; 2 more runs failed; 1 more run is damaged",
    ),
    "unfinished": ({"seeds": 0, "unfinished": 6, "value": math.nan}, "no run has finished"),
}


@pytest.mark.parametrize("case", CASES)
def test_learners(case):
    changes, expected = CASES[case]
    assert sentence(comparison_row(**changes), "ValueError: no") == expected


def test_a_gradient_of_zero_is_named_as_the_cause():
    row = STUCK | {"zero_runs": 6, "zero_gradient": 1.0}
    assert (
        sentence(comparison_row(**row), "")
        == "never learns: the gradient is exactly zero from the first step"
    )
    assert sentence(comparison_row(**row | {"zero_runs": 2}), "").endswith(
        "from the first step in 2 of 6 runs"
    )


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
    text = "does not learn at learning rate 0.001 (from 10.0 % to 11.0 % accuracy)"
    assert sentence(comparison_row(**(STUCK | changes)), "") == text + cause


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"rates": (0.001, 0.01, 0.1)}, " at any of 3 learning rates from 0.001 to 0.1"),
        ({"rates": (0.001, 0.01, 0.1), "rate_learns": True}, " at learning rate 0.001"),
        ({"learning_rate": math.nan, "rates": ()}, ""),
    ],
)
def test_not_learning_is_limited_to_the_rates_that_were_tried(changes, where):
    assert sentence(comparison_row(**(STUCK | changes)), "").startswith(
        f"does not learn{where} (from "
    )
    lost = {"diverged": 1.0, "diverged_step": 80.0, "value": 0.1}
    expected = f"diverged{where} in all 6 runs at step 80 (median)"
    assert sentence(comparison_row(**(STUCK | lost | changes)), "") == expected


def test_a_loss_that_does_not_learn_is_not_called_undecided():
    few = {"verdict": "undecided", "pairs": 3, "difference": -0.8}
    assert "undecided" not in sentence(comparison_row(**(STUCK | few)), "")
    worse = {"verdict": "worse", "p_value": 0.03, "difference": -0.8}
    assert sentence(comparison_row(**(STUCK | worse)), "").endswith(
        "; worse than b by 80 points (joint p = 0.030)"
    )


def test_no_loss_that_does_not_learn_is_called_highest():
    assert "highest" not in sentence(comparison_row(**(STUCK | TOP)), "")


def test_nothing_is_called_best_of_all_or_equal():
    texts = [sentence(comparison_row(**changes), "") for changes, _ in CASES.values()]
    assert not any("of all" in text or "equally" in text for text in texts)


def test_a_negative_r2_is_called_worse_than_the_mean():
    row = {"metric": "r2", "start": -3.0, "value": -1.0, "target": math.nan}
    assert "worse than always predicting the mean" in sentence(comparison_row(**row), "")
    assert "the mean" not in sentence(comparison_row(**row | {"value": 0.2}), "")

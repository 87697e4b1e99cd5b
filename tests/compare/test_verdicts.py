"""Verdicts of pairs, the set that may be best, and identical losses."""

import numpy as np
import pytest

from landscape.compare.joint_test import joint_test
from landscape.compare.margins import margin_of
from landscape.compare.verdicts import identical, may_be_best, verdict, verdicts


@pytest.mark.parametrize(
    ("difference", "p", "low", "high", "expected"),
    [
        (-0.05, 0.03, -0.08, -0.02, "worse"),
        (0.05, 0.03, 0.02, 0.08, "better"),
        (-0.05, 0.06, -0.11, 0.01, "undecided"),
        (0.001, 0.6, -0.005, 0.007, "equivalent"),
        (-0.005, 0.01, -0.009, -0.001, "equivalent"),
        (-0.05, np.nan, np.nan, np.nan, "undecided"),
    ],
)
def test_the_verdict_of_a_pair_without_failures(difference, p, low, high, expected):
    assert verdict(difference, p, low, high, 0.01) == expected


def test_without_a_margin_nothing_is_equivalent():
    assert verdict(0.0, 1.0, 0.0, 0.0, np.nan) == "undecided"
    assert verdict(0.0, 1.0, 0.0, 0.0, 0.0) == "equivalent"


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ((2, 0), "rates differ"),
        ((0, 1), "rates differ"),
        ((9, 0), "rates differ"),
        ((10, 2), "rates differ"),
        ((2, 2), "worse"),
        ((10, 0), "worse"),
        ((10, 10), "worse"),
    ],
)
def test_different_failures_make_a_sentence_about_rates(failures, expected):
    assert verdict(-0.3, 0.02, -0.5, -0.1, 0.01, failures, (10, 10)) == expected


def test_a_loss_that_fails_in_two_of_eight_runs_is_never_just_better():
    rng = np.random.default_rng(0)
    steady = 0.97 + rng.normal(0, 0.001, 8)
    flaky = np.where(np.arange(8) < 2, 0.11, 0.98)
    test = joint_test(np.stack([flaky, steady], axis=1))
    assert verdicts(test, 0.01, [2, 0], [8, 8]) == ("rates differ",)


def test_losses_that_lose_to_another_cannot_be_best():
    outcomes = np.random.default_rng(1).normal(0, 0.01, (10, 4)) + np.array([0.90, 0.90, 0.7, 0.1])
    test = joint_test(outcomes)
    failures, runs = [0, 0, 0, 10], [10] * 4
    names = verdicts(test, 0.001, failures, runs)
    assert may_be_best(test, names, failures, runs) == (0, 1)
    assert dict(zip(test.pairs, names, strict=True))[2, 3] == "better"


def test_a_loss_that_always_fails_cannot_be_best_even_untested():
    test = joint_test(np.random.default_rng(1).normal(size=(3, 2)))
    names = verdicts(test, 0.01, [3, 0], [3, 3])
    assert may_be_best(test, names, [3, 0], [3, 3]) == (1,)
    assert may_be_best(test, names, [3, 3], [3, 3]) == ()


def test_a_loss_within_the_margin_of_the_best_stays_in_the_set():
    outcomes = 0.9 + np.arange(8)[:, None] * [0.001, 0.001] + [0.0, 0.002]
    outcomes += np.random.default_rng(0).normal(0, 1e-4, outcomes.shape)
    test = joint_test(outcomes)
    assert test.p[0] < 0.05
    assert may_be_best(test, verdicts(test, 0.01, [0, 0], [8, 8]), [0, 0], [8, 8]) == (0, 1)
    assert may_be_best(test, verdicts(test, 0.001, [0, 0], [8, 8]), [0, 0], [8, 8]) == (1,)


def test_identical_losses_agree_in_every_run():
    nan = np.nan
    outcomes = [[0.1, 0.1, 0.2, nan, nan], [0.3, 0.3, 0.3, nan, nan], [nan, nan, 0.4, nan, nan]]
    assert identical(outcomes) == ((0, 1),)
    assert identical([[1.0, 1.0, 1.0]]) == ((0, 1), (0, 2), (1, 2))


def test_margins_are_in_units_of_the_metric():
    assert margin_of("accuracy") == 0.01
    assert margin_of("r2") == 0.02
    assert margin_of("rmse", reference=-5.0) == pytest.approx(0.1)
    assert margin_of("rmse", 0.3, 5.0) == 0.3
    assert np.isnan(margin_of("rmse")) and np.isnan(margin_of("a_user_metric"))

"""Statistics over seeds against enumeration and NumPy."""

from itertools import product

import numpy as np
import pytest

from landscape.report.statistics import (
    can_be_significant,
    estimate,
    interquartile_mean,
    interval,
    median,
    sign_flip_test,
    steps_to_target,
)


@pytest.mark.parametrize("count", range(1, 13))
def test_interquartile_mean_drops_a_quarter_at_either_end(count):
    values = np.random.default_rng(count).normal(size=count)
    cut = count // 4
    expected = np.sort(values)[cut : count - cut].mean()
    assert interquartile_mean(values) == pytest.approx(expected)


def test_one_outlier_of_six_does_not_move_the_interquartile_mean():
    assert interquartile_mean([1, 2, 3, 4, 5, 1e9]) == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_the_interval_is_the_percentile_bootstrap():
    values = np.random.default_rng(3).normal(size=6)
    # All 6^6 resamples are equally likely: the exact percentiles of the bootstrap distribution.
    resamples = np.sort(values[np.array(list(product(range(6), repeat=6)))], axis=1)
    exact = np.percentile(resamples[:, 1:5].mean(axis=1), [2.5, 97.5])
    result = estimate(values)
    assert [result.low, result.high] == pytest.approx(exact, abs=0.12 * np.ptp(exact))
    assert result.low <= result.value <= result.high


def test_columns_are_resampled_independently_of_each_other():
    values = np.random.default_rng(4).normal(size=(5, 3))
    low, high = interval(values)
    for column in range(3):
        alone = estimate(values[:, column])
        assert (alone.low, alone.high) == (low[column], high[column])


def test_one_seed_has_no_interval():
    result = estimate([0.5])
    assert result.value == 0.5 and np.isnan(result.low) and np.isnan(result.high)


def test_the_interval_of_equal_values_is_a_point():
    assert estimate([0.25] * 6) == (0.25, 0.25, 0.25)


def test_values_that_are_not_finite_are_left_out():
    assert estimate([1.0, np.nan, 3.0, np.inf]).value == 2.0
    assert np.isnan(estimate([np.nan]).value)


def test_the_median_keeps_infinity_and_drops_nan():
    assert median([1.0, np.nan, np.inf, 3.0]) == 3.0
    assert np.isnan(median([]))


@pytest.mark.parametrize("count", range(2, 11))
def test_the_sign_flip_test_counts_all_flips(count):
    differences = np.random.default_rng(count).normal(0.4, 1, size=count)
    flips = np.array(list(product([1, -1], repeat=count)))
    means = np.abs((flips * differences).mean(axis=1))
    expected = np.mean(means >= abs(differences.mean()) - 1e-12)
    assert sign_flip_test(differences) == pytest.approx(expected)


@pytest.mark.parametrize("count", range(2, 11))
def test_the_smallest_p_is_two_over_two_to_the_n(count):
    p = sign_flip_test(np.linspace(1, 2, count))
    assert p == pytest.approx(2 / 2**count)
    assert can_be_significant(count) == (p <= 0.05)


def test_many_seeds_are_sampled_and_still_small():
    assert sign_flip_test(np.full(40, 0.1) + np.linspace(0, 0.01, 40)) < 0.001


def test_no_difference_has_no_evidence():
    assert sign_flip_test([0.0, 0.0, 0.0]) == 1.0
    assert sign_flip_test([0.3]) == 1.0
    assert np.isnan(sign_flip_test([]))


def test_steps_to_target_is_the_first_step_that_meets_it():
    steps, values = [0, 10, 20, 30], [0.1, np.nan, 0.8, 0.7]
    assert steps_to_target(steps, values, 0.8, True) == 20
    assert steps_to_target(steps, values, 0.1, True) == 0
    assert np.isnan(steps_to_target(steps, values, 0.9, True))
    assert steps_to_target(steps, [9.0, 5.0, 2.0, 3.0], 4.0, False) == 20

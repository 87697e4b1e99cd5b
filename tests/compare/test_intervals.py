"""Intervals against closed forms, published numbers and their own coverage."""

import numpy as np
import pytest
from scipy import optimize, stats

from landscape.compare.intervals import corrected_interval, mean_interval, wilson


def test_the_interval_of_a_symmetric_sample_is_students():
    values = np.array([-3.0, -1.0, -0.5, 0.5, 1.0, 3.0]) + 10
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    result = mean_interval(values)
    assert result == pytest.approx((10.0, expected.low, expected.high))


@pytest.mark.parametrize("count", [5, 6, 10, 40])
def test_the_interval_inverts_halls_transformation(count):
    values = -np.random.default_rng(count).exponential(size=count)
    error = values.std(ddof=1) / np.sqrt(count)
    g = stats.skew(values, bias=False) / np.sqrt(count)

    def transformed(mu):
        t = (values.mean() - mu) / error
        return t + g * t**2 / 3 + g**2 * t**3 / 27 + g / 6

    quantile = stats.t.ppf(0.975, count - 1)
    far = 60 * error
    expected = [
        optimize.brentq(
            lambda mu, q=q: transformed(mu) - q, values.mean() - far, values.mean() + far
        )
        for q in (quantile, -quantile)
    ]
    limit = 2 * quantile * error
    result = mean_interval(values)
    assert [result.low, result.high] == pytest.approx(
        np.clip(expected, values.mean() - limit, values.mean() + limit)
    )
    # The sample extends downwards, and so does the interval.
    assert result.value - result.low > result.high - result.value


def test_no_end_is_farther_than_twice_students():
    # Accuracies of ten seeds: Hall's interval alone would begin at 0.9561, below all of them.
    values = [0.9601, 0.9667, 0.9712, 0.9734, 0.9734, 0.9756, 0.9756, 0.9778, 0.9778, 0.9778]
    half = stats.sem(values) * stats.t.ppf(0.975, 9)
    result = mean_interval(values)
    assert result.value - result.low == pytest.approx(2 * half)
    assert result.low > min(values)
    assert result.high < result.value + half


def test_an_interval_moves_and_stretches_with_the_unit():
    values = np.random.default_rng(0).exponential(size=8)
    result, scaled = mean_interval(values), mean_interval(100 - 7 * values)
    assert [scaled.low, scaled.high] == pytest.approx([100 - 7 * result.high, 100 - 7 * result.low])


def test_fewer_than_five_values_have_no_interval():
    result = mean_interval([0.1, 0.2, 0.3, np.nan, 0.4])
    assert result.value == pytest.approx(0.25)
    assert np.isnan([result.low, result.high]).all()
    assert np.isnan(mean_interval([np.nan])).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3])
def test_the_interval_of_equal_values_is_a_point(value):
    assert mean_interval([value] * 7) == pytest.approx((value, value, value))


@pytest.mark.parametrize(("successes", "total"), [(0, 10), (3, 10), (10, 10), (81, 263)])
def test_wilsons_interval_is_scipys(successes, total):
    low, high = stats.binomtest(successes, total).proportion_ci(0.95, method="wilson")
    expected = successes / total, low, high
    assert wilson(successes, total) == pytest.approx(expected, rel=1e-14, abs=0)


def test_wilsons_interval_as_published():
    # Newcombe 1998, table I: 81 of 263 and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.3080, 0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.0, 0.1611), abs=5e-5)
    assert np.isnan(wilson(0, 0)).all()


def test_nadeau_and_bengios_interval_is_its_formula():
    differences = np.array([0.02, 0.01, 0.03, 0.0, 0.04])
    # Mean 0.02, variance 0.00025, n = 5, a quarter as many test as training examples.
    half = 2.7764451 * np.sqrt((1 / 5 + 1 / 4) * 0.00025)
    result = corrected_interval(differences, 100, 400)
    assert result == pytest.approx((0.02, 0.02 - half, 0.02 + half))
    assert np.isnan(corrected_interval(differences[:4], 100, 400).low)


def test_the_corrected_interval_is_students_without_a_test_set():
    differences = np.random.default_rng(0).normal(size=9)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    result = corrected_interval(differences, 0, 10)
    assert [result.low, result.high] == pytest.approx([expected.low, expected.high])

"""Performance profiles against counting and numerical integration."""

import numpy as np
import pytest

from landscape.compare.profiles import profile, profile_score, ratios

TIMES = np.array(
    [[10.0, 40.0, np.nan, np.nan], [20.0, 10.0, 5.0, np.inf], [25.0, 30.0, 5.0, np.nan]]
)


def test_ratios_are_relative_to_the_fastest_of_each_condition():
    inf = np.inf
    expected = [[1, 4, inf, inf], [2, 1, 1, inf], [2.5, 3, 1, inf]]
    assert np.array_equal(ratios(TIMES), expected)


def test_the_profile_counts_conditions():
    expected = [[0.25, 0.25, 0.5, 0.5], [0.5, 0.75, 0.75, 0.75], [0.25, 0.25, 0.75, 0.75]]
    assert profile(TIMES, [1, 2, 4, 1e9]) == pytest.approx(np.array(expected))


def test_equal_times_are_within_a_ratio_of_1_in_spite_of_rounding():
    times = np.array([[0.1 * 3], [0.3]])
    assert profile(times, [1.0]) == pytest.approx(np.ones((2, 1)))


def test_the_score_is_the_normalized_integral_from_1_to_4():
    times = np.random.default_rng(0).lognormal(size=(4, 50))
    taus = np.linspace(1, 4, 30_001)
    expected = np.trapezoid(profile(times, taus), taus, axis=1) / 3
    assert profile_score(times) == pytest.approx(expected, abs=1e-3)


def test_the_fastest_everywhere_scores_1_and_one_that_never_arrives_0():
    assert list(profile_score([[1.0, 2.0], [np.nan, np.inf]])) == [1.0, 0.0]

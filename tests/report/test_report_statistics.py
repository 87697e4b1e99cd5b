"""Statistics over runs against NumPy."""

import numpy as np
import pytest

from landscape.report.statistics import mean_curve, median


def test_the_median_keeps_infinity_and_drops_nan():
    assert median([1.0, np.nan, np.inf, 3.0]) == 3.0
    assert np.isnan(median([]))


def test_a_curve_has_the_mean_and_interval_of_each_step_where_all_runs_are_finite():
    values = np.random.default_rng(0).normal([0, 5, 9], size=(6, 3))
    values[2, 1] = np.nan
    center, low, high = mean_curve(values)
    assert center[[0, 2]] == pytest.approx(values[:, [0, 2]].mean(axis=0))
    assert (low < center)[[0, 2]].all() and (center < high)[[0, 2]].all()
    assert np.isnan([center[1], low[1], high[1]]).all()


def test_a_curve_of_four_runs_has_no_band():
    center, low, high = mean_curve(np.ones((4, 2)))
    assert center.tolist() == [1, 1] and np.isnan([low, high]).all()

"""Tolerance against curves whose width is known in closed form."""

import numpy as np
import pytest

from landscape.compare.grids import learning_rates
from landscape.compare.tolerance import tolerance


def triangle(peak, slope, points=5, decades=4.0):
    """Gain 1 - slope |log10 rate - peak|, on a grid that has a rate at the peak."""
    rates = 10 ** np.linspace(-decades / 2, decades / 2, points)
    return rates, 1 - slope * np.abs(np.log10(rates) - peak)


@pytest.mark.parametrize("slope", [0.05, 0.1, 0.4])
@pytest.mark.parametrize("points", [5, 9, 13])
def test_a_triangle_is_a_tenth_over_its_slope_wide(slope, points):
    rates, gains = triangle(0.0, slope, points)
    result = tolerance(rates, gains[:, None])
    assert result.decades == pytest.approx(2 * 0.05 / slope)
    assert [result.low_rate, result.high_rate] == pytest.approx(
        [10 ** (-0.05 / slope), 10 ** (0.05 / slope)]
    )
    assert not (result.leaves_low or result.leaves_high)


def test_the_width_is_relative_to_the_best_of_the_loss_itself():
    rates, gains = triangle(0.0, 0.1)
    assert tolerance(rates, 7 * gains[:, None]).decades == pytest.approx(1.0)


@pytest.mark.parametrize(("peak", "low", "high"), [(-2.0, True, False), (2.0, False, True)])
def test_an_interval_that_the_grid_cuts_off_is_marked(peak, low, high):
    rates, gains = triangle(peak, 0.1)
    result = tolerance(rates, gains[:, None])
    assert (result.leaves_low, result.leaves_high) == (low, high)
    assert result.decades == pytest.approx(0.5)


def test_a_flat_curve_leaves_the_grid_on_both_sides():
    result = tolerance(learning_rates(0.1), np.ones((13, 3)))
    assert result.leaves_low and result.leaves_high
    assert result.decades == pytest.approx(4.0)
    assert result.interval == pytest.approx((4.0, 4.0))


def test_a_second_peak_is_not_part_of_the_interval():
    rates = 10.0 ** np.arange(7)
    gains = np.array([0.0, 1.0, 0.0, 0.99, 0.99, 0.0, 0.0])[:, None]
    assert tolerance(rates, gains).decades == pytest.approx(0.1)


def test_the_order_of_the_trials_does_not_matter():
    rates, gains = triangle(1.0, 0.07, 13)
    gains = gains[:, None] + np.random.default_rng(0).normal(0, 0.01, (13, 3))
    order = np.random.default_rng(1).permutation(13)
    assert tolerance(rates[order], gains[order]) == tolerance(rates, gains)


def test_a_loss_that_gains_nothing_has_no_tolerance():
    result = tolerance([0.1, 1.0], np.zeros((2, 3)))
    assert np.isnan(result.decades) and np.isnan(result.interval).all()


def test_the_mean_over_seeds_is_what_is_interpolated():
    rates = 10.0 ** np.arange(5)
    gains = np.array([[0.0, 0.0], [0.8, 1.0], [1.0, 1.0], [1.0, 0.8], [0.0, 0.0]])
    # Mean 0, .9, 1, .9, 0: the threshold .95 is met halfway on either side.
    assert tolerance(rates, gains).decades == pytest.approx(1.0)


def test_the_interval_is_the_bootstrap_over_seeds():
    rng = np.random.default_rng(5)
    rates, gains = triangle(0.0, 0.1, 13)
    gains = gains[:, None] + rng.normal(0, 0.02, (13, 3))
    widths = [
        tolerance(rates, gains[:, [a, b, c]].mean(axis=1, keepdims=True)).decades
        for a in range(3)
        for b in range(3)
        for c in range(3)
    ]
    low, high = tolerance(rates, gains).interval
    exact = np.quantile(np.repeat(widths, 100), [0.025, 0.975])
    assert [low, high] == pytest.approx(exact, abs=0.02)
    assert np.isnan(tolerance(rates, gains[:, :1]).interval).all()

"""Grids of rates and the draw of trials."""

from itertools import pairwise

import numpy as np
import pytest

from landscape.compare.grids import extended, learning_rates, trials


def test_thirteen_rates_are_a_third_of_a_decade_apart():
    rates = learning_rates(1e-3)
    assert rates == (
        *(1e-05, 2.154e-05, 4.642e-05, 0.0001, 0.0002154, 0.0004642, 0.001),
        *(0.002154, 0.004642, 0.01, 0.02154, 0.04642, 0.1),
    )


@pytest.mark.parametrize("center", [0.0123456789, 3.0, 7e-9])
def test_the_center_is_exact_and_the_ends_are_two_decades_away(center):
    rates = learning_rates(center)
    assert rates[6] == center
    assert [rates[0], rates[-1]] == pytest.approx([center / 100, center * 100], rel=1e-3)


def test_a_grid_scaled_by_ten_is_the_grid_of_ten_times_the_center():
    assert np.array(learning_rates(0.3)) * 10 == pytest.approx(learning_rates(3.0), rel=1e-15)


@pytest.mark.parametrize("arguments", [(0.0,), (-1.0,), (np.nan,), (np.inf,), (1.0, 1), (1, 3, 0)])
def test_a_grid_without_extent_is_refused(arguments):
    with pytest.raises(ValueError, match="a grid needs a positive center"):
        learning_rates(*arguments)


@pytest.mark.parametrize("side", ["low", "high"])
def test_an_extension_is_one_more_decade_with_the_same_spacing(side):
    rates = learning_rates(1e-3)
    added = extended(rates, side)
    grid = (*added, *rates) if side == "low" else (*rates, *added)
    assert len(added) == 3
    assert added[0 if side == "low" else -1] == pytest.approx(1e-6 if side == "low" else 1.0)
    assert [np.log10(b / a) for a, b in pairwise(grid)] == pytest.approx([1 / 3] * 15, abs=1e-3)


def test_a_coarse_grid_is_extended_by_one_rate_and_a_single_rate_by_none():
    assert extended([0.001, 0.1], "high") == (10.0,)
    assert extended([0.1], "low") == ()


def test_a_loss_without_options_tries_every_rate():
    assert trials([0.1, 0.2], [], 1) == [(0.1, {}), (0.2, {})]


def test_a_loss_with_options_has_the_budget_of_one_without():
    rates, options = learning_rates(0.1), [{"gamma": value} for value in range(10)]
    drawn = trials(rates, options, len(rates), seed=3)
    assert len(drawn) == 13 == len({(rate, option["gamma"]) for rate, option in drawn})
    assert drawn == trials(rates, options, len(rates), seed=3)
    assert drawn != trials(rates, options, len(rates), seed=4)


def test_every_point_of_the_product_is_equally_likely():
    counts = np.zeros((3, 2))
    for seed in range(600):
        for rate, option in trials([0, 1, 2], [{"a": 0}, {"a": 1}], 2, seed=seed):
            counts[rate, option["a"]] += 1
    assert np.all(np.abs(counts - 200) < 4 * np.sqrt(600 * (1 / 3) * (2 / 3)))


def test_a_budget_above_the_product_tries_all_points():
    assert trials([1.0, 2.0], [{"a": 1}], 9) == [(1.0, {"a": 1}), (2.0, {"a": 1})]

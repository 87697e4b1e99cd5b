"""Best of k against enumeration of all draws."""

from itertools import product

import numpy as np
import pytest

from landscape.compare.best_of_k import best_of_k


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_best_of_k_is_the_mean_maximum_of_all_draws_with_replacement(k):
    values = np.random.default_rng(k).normal(size=6).round(1)
    expected = np.mean([max(draw) for draw in product(values, repeat=k)])
    assert best_of_k(values, [k]) == pytest.approx((expected,))


def test_best_of_one_is_the_mean_and_best_of_many_the_maximum():
    values = [0.2, 0.9, 0.4]
    assert best_of_k(values, (1, 10_000)) == pytest.approx((0.5, 0.9))


def test_trials_and_seeds_are_pooled():
    values = np.random.default_rng(0).normal(size=(4, 3))
    assert best_of_k(values) == best_of_k(values.T)


def test_no_values_have_no_best():
    assert np.isnan(best_of_k([])).all()

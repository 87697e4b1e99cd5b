"""Gains and the tuned trial of a loss."""

import numpy as np
import pytest

from landscape.compare.tuning import Trial, best_metric, gain, gains, tuned

RATES = (0.001, 0.01, 0.1, 1.0, 10.0)


def grid(means, *, spread=0.0, initial=0.1, diverged=(), options=None, rates=RATES):
    """Three seeds per rate, `spread` around the mean."""
    return [
        Trial(
            rate,
            0 if options is None else options[number],
            mean + spread * np.array([-1.0, 0.0, 1.0]),
            np.full(3, initial),
            np.full(3, number in diverged),
        )
        for number, (rate, mean) in enumerate(zip(rates, means, strict=True))
    ]


def test_the_gain_is_0_untrained_and_1_at_the_reference():
    assert gain([0.1, 0.9, 0.5, 0.0], 0.1, 0.9) == pytest.approx([0, 1, 0.5, -0.125])


def test_a_diverged_run_and_a_metric_that_is_not_finite_gain_nothing():
    assert list(gain([0.9, np.nan, -np.inf], 0.1, 0.9, [True, False, False])) == [0, 0, 0]


@pytest.mark.parametrize("reference", [0.1, 0.05, np.nan])
def test_there_is_no_gain_relative_to_a_reference_that_does_not_learn(reference):
    assert np.isnan(gain([0.1, 0.9], 0.1, reference)).all()


def test_gains_have_one_row_per_trial_and_one_column_per_seed():
    trials = grid([0.1, 0.5, 0.9, 0.9, 0.1], spread=0.08, diverged=[3])
    result = gains(trials, 0.9)
    assert result.shape == (5, 3)
    assert result[1] == pytest.approx([0.4, 0.5, 0.6])
    assert list(result[3]) == [0, 0, 0]


def test_untrained_models_are_averaged_over_seeds():
    trial = Trial(0.1, 0, np.array([0.5, 0.5]), np.array([0.0, 0.2]), np.zeros(2, bool))
    assert gains([trial], 0.9) == pytest.approx(np.full((1, 2), 0.5))


def test_the_trial_with_the_highest_mean_gain_is_tuned():
    result = tuned(grid([0.1, 0.3, 0.5, 0.8, 0.2], spread=0.01), 0.9)
    assert (result.index, result.edge, result.learns) == (3, "", True)
    assert result.gain == pytest.approx(0.7 / 0.8)
    # A little better beats nearer to the center.
    assert tuned(grid([0.1, 0.3, 0.85, 0.86, 0.2]), 0.9).index == 3


def test_the_reference_has_gain_1_at_its_own_best():
    trials = grid([0.1, 0.3, 0.5, 0.8, 0.2])
    assert best_metric(trials) == pytest.approx(0.8)
    assert tuned(trials).gain == pytest.approx(1.0)


def test_one_diverged_run_costs_its_share():
    good, shaky = grid([0.9, 0.95], rates=(0.1, 0.2))
    shaky = Trial(0.2, 0, shaky.metrics, shaky.initial, np.array([True, False, False]))
    assert tuned([good, shaky], 0.9).index == 0
    assert best_metric([good, shaky]) == pytest.approx(0.9)


@pytest.mark.parametrize(("best", "edge"), [(0, "low"), (4, "high"), (2, "")])
def test_a_best_at_the_end_of_the_grid_is_an_edge(best, edge):
    means = [0.1] * 5
    means[best] = 0.9
    assert tuned(grid(means), 0.9).edge == edge


def test_the_edge_is_that_of_the_grid_and_not_of_the_rates_drawn():
    trials = grid([0.5, 0.9], rates=(0.01, 0.1), options=(0, 3))
    assert tuned(trials, 0.9).edge == "high"
    assert tuned(trials, 0.9, rates=RATES).edge == ""


@pytest.mark.parametrize("rates", [RATES, (0.001, 0.0316, 1.0, 31.6, 1000.0)])
def test_equal_gains_are_tuned_nearest_to_the_center(rates):
    assert tuned(grid([0.9] * 5, rates=rates), 0.9).index == 2
    assert tuned(grid([0.9, 0.9, 0.1, 0.9, 0.9], rates=rates), 0.9).index == 1


@pytest.mark.parametrize("reference", [0.9, 0.1])
def test_a_loss_that_gains_nothing_is_tuned_at_the_center_without_an_edge(reference):
    result = tuned(grid([0.13, 0.1, 0.1, 0.1, 0.1]), reference)
    assert (result.index, result.edge, result.learns) == (2, "", False)


def test_a_reference_that_never_improves_does_not_learn():
    assert not tuned(grid([0.1] * 5)).learns
    assert not tuned(grid([np.nan] * 5, diverged=range(5))).learns

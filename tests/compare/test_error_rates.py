"""Simulated experiments: how often intervals miss, equal losses are called worse, others found.

Bounds are those of the protocol plus two standard errors of the simulation itself.
"""

import numpy as np
import pytest

from landscape.compare.intervals import mean_interval
from landscape.compare.joint_test import joint_test
from landscape.compare.verdicts import verdicts

pytestmark = pytest.mark.slow
EXPERIMENTS = 400
# Deviations from the mean; accuracies pile up below a ceiling, and are multiples of 1/450.
OUTCOMES = {
    "normal": lambda rng, size: rng.normal(size=size),
    "skewed": lambda rng, size: 1 - rng.exponential(size=size),
    "counted": lambda rng, size: rng.binomial(450, 0.97, size=size) / 450 - 0.97,
}


def at_most(bound, experiments=EXPERIMENTS):
    return bound + 2 * np.sqrt(bound * (1 - bound) / experiments)


@pytest.mark.parametrize("outcomes", OUTCOMES)
@pytest.mark.parametrize("seeds", [6, 10, 20])
def test_the_mean_is_in_its_interval_in_92_to_98_percent(outcomes, seeds):
    rng = np.random.default_rng(seeds)
    intervals = [mean_interval(sample) for sample in OUTCOMES[outcomes](rng, (1000, seeds))]
    coverage = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert 1 - at_most(0.08, 1000) <= coverage <= at_most(0.98, 1000)


@pytest.mark.parametrize(
    ("losses", "outcomes"),
    [(2, "normal"), (5, "normal"), (10, "normal"), (20, "normal"), (5, "skewed"), (5, "counted")],
)
@pytest.mark.parametrize("seeds", [6, 10])
def test_some_loss_of_equal_ones_is_called_worse_in_at_most_6_percent(outcomes, losses, seeds):
    rng = np.random.default_rng(100 * losses + seeds)
    tests = [
        joint_test(OUTCOMES[outcomes](rng, (seeds, losses)) + rng.normal(size=(seeds, 1)))
        for _ in range(EXPERIMENTS)
    ]
    assert np.mean([(test.p <= 0.05).any() for test in tests]) <= at_most(0.06)


@pytest.mark.parametrize("seeds", [6, 10])
def test_all_true_differences_are_in_their_intervals_in_92_percent(seeds):
    rng, means = np.random.default_rng(seeds), np.array([0, 0.5, 1, 3, 8.0])
    covered = 0
    for _ in range(EXPERIMENTS):
        test = joint_test(rng.normal(size=(seeds, 5)) + means)
        truth = np.array([means[i] - means[j] for i, j in test.pairs])
        covered += np.all((test.low <= truth) & (truth <= test.high))
    assert covered / EXPERIMENTS >= 1 - at_most(0.08)


def found(rng, seeds, shift, losses=5):
    """The share of experiments in which the one worse loss, worse by `shift`, is called worse."""
    hits = 0
    for _ in range(EXPERIMENTS):
        outcomes = rng.normal(size=(seeds, losses))
        outcomes[:, 0] -= shift
        hits += np.any(joint_test(outcomes).p[: losses - 1] <= 0.05)
    return hits / EXPERIMENTS


def test_a_worse_loss_is_found():
    rng = np.random.default_rng(0)
    # By two standard deviations of the paired difference; then of the outcomes themselves.
    assert found(rng, 6, 2 * np.sqrt(2)) >= 0.72 - 0.05
    assert found(rng, 10, 2.0) >= 0.93
    assert found(rng, 6, 50.0) == 1.0


@pytest.mark.parametrize("seeds", [6, 10])
def test_unequal_spreads_do_not_make_a_loss_worse(seeds):
    rng = np.random.default_rng(seeds)
    wrong = 0
    for _ in range(EXPERIMENTS):
        test = joint_test(rng.normal(size=(seeds, 5)) * np.array([5.0, 1, 1, 1, 0.2]))
        wrong += np.any(test.p <= 0.05)
    assert wrong / EXPERIMENTS <= at_most(0.06)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("seeds", [6, 10])
def test_rare_collapses_are_reported_as_rates_and_not_as_worse(rate, seeds):
    rng = np.random.default_rng(int(100 * rate) + seeds)
    wrong = 0
    for _ in range(EXPERIMENTS):
        outcomes = rng.normal(0.97, 0.005, size=(seeds, 5))
        collapsed = rng.random(seeds) < rate
        outcomes[collapsed, 0] = 0.1
        failures = [np.count_nonzero(collapsed), 0, 0, 0, 0]
        names = verdicts(joint_test(outcomes), 0.001, failures, [seeds] * 5)
        wrong += "worse" in names or "better" in names
        assert (names[0] == "rates differ") == (0 < failures[0] < seeds)
    assert wrong / EXPERIMENTS <= at_most(0.06)

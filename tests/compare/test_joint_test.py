"""The joint test against loops over all flips, and its error rates and power."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from landscape.compare.joint_test import joint_test


def brute_force(outcomes):
    """p of each pair: Westfall and Young's step-down, by loops over all flips and pairs."""
    seeds, losses = outcomes.shape
    pairs = list(combinations(range(losses), 2))

    def t(flip, pair):
        values = [
            sign * (row[pair[0]] - row[pair[1]])
            for sign, row in zip(flip, outcomes, strict=True)
            if np.isfinite(row[list(pair)]).all()
        ]
        return abs(stats.ttest_1samp(values, 0).statistic)

    flips = list(product([1, -1], repeat=seeds))
    table = {flip: {pair: t(flip, pair) for pair in pairs} for flip in flips}
    observed = table[(1,) * seeds]
    p, floor = {}, 0.0
    for pair in sorted(pairs, key=lambda pair: -observed[pair]):
        remaining = [other for other in pairs if other not in p]
        reached = [
            max(table[flip][other] for other in remaining) >= observed[pair] * (1 - 1e-9)
            for flip in flips
        ]
        floor = p[pair] = max(floor, np.mean(reached))
    return [p[pair] for pair in pairs]


# With six seeds the shares fall from one pair to the next, so p is the larger one.
@pytest.mark.parametrize(("seeds", "missing"), [(6, 0), (7, 0), (7, 1)])
def test_p_is_the_share_of_flips_whose_maximum_reaches_t(seeds, missing):
    outcomes = np.random.default_rng(missing).normal(size=(seeds, 4)) + np.array([0, 0, 0.8, 2.5])
    outcomes[2, :missing] = np.nan
    result = joint_test(outcomes)
    assert result.pairs == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    assert result.p == pytest.approx(brute_force(outcomes))
    expected = [np.nanmean(outcomes[:, i] - outcomes[:, j]) for i, j in result.pairs]
    assert result.differences == pytest.approx(expected)


def test_two_losses_have_the_ordinary_sign_flip_test():
    outcomes = np.random.default_rng(1).normal(size=(9, 2)) + np.array([0, 0.6])
    expected = stats.permutation_test(
        (outcomes[:, 0] - outcomes[:, 1],), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert joint_test(outcomes).p == pytest.approx([expected.pvalue])


@pytest.mark.parametrize("seeds", [6, 7, 10])
def test_the_smallest_p_is_two_over_two_to_the_n(seeds):
    outcomes = np.array([0.0, 1.0]) + np.arange(seeds)[:, None] * [0.01, 0.02]
    assert joint_test(outcomes).p == pytest.approx([2 / 2**seeds])


def test_a_constant_difference_is_found_and_no_difference_is_not():
    outcomes = np.tile([0.98, 0.11, 0.98], (6, 1))
    result = joint_test(outcomes)
    assert result.p == pytest.approx([1 / 32, 1.0, 1 / 32])
    assert result.low == pytest.approx(result.differences) and result.high == pytest.approx(
        result.differences
    )


def test_pairs_with_fewer_than_six_shared_seeds_are_not_tested():
    outcomes = np.random.default_rng(0).normal(size=(8, 3))
    outcomes[:3, 2] = np.nan
    result = joint_test(outcomes)
    assert np.isnan(result.p).tolist() == [False, True, True]
    assert np.isnan(result.low).tolist() == np.isnan(result.high).tolist() == [False, True, True]
    assert result.p[0] == joint_test(outcomes[:, :2]).p[0]
    assert np.isnan(joint_test(outcomes[:5]).p).all()


def test_sampled_flips_agree_with_the_limit_of_students_test():
    outcomes = np.random.default_rng(2).normal(size=(60, 2)) + np.array([0, 0.3])
    expected = stats.ttest_rel(outcomes[:, 0], outcomes[:, 1]).pvalue
    result = joint_test(outcomes).p[0]
    assert result == pytest.approx(expected, abs=4 * np.sqrt(expected / 8192) + 0.005)
    assert result == joint_test(outcomes).p[0]


def test_the_order_and_the_unit_of_the_losses_do_not_matter():
    outcomes = np.random.default_rng(3).normal(size=(8, 4)) + np.array([0, 0.5, 1, 2])
    result, turned = joint_test(outcomes), joint_test(100 * outcomes[:, ::-1] - 7)
    place = [turned.pairs.index((3 - j, 3 - i)) for i, j in result.pairs]
    assert turned.p[place] == pytest.approx(result.p)
    # A turned pair is the negative difference, in the new unit.
    assert turned.low[place] == pytest.approx(-100 * result.high)


def test_the_interval_of_one_pair_is_at_least_students():
    outcomes = np.random.default_rng(4).normal(size=(12, 2))
    result = joint_test(outcomes)
    expected = stats.ttest_rel(outcomes[:, 0], outcomes[:, 1]).confidence_interval(0.95)
    assert result.low[0] <= expected.low + 1e-12 and result.high[0] >= expected.high - 1e-12
    assert result.high[0] - result.low[0] < 1.5 * (expected.high - expected.low)

"""Ranking losses against scikit-learn, scipy and loops over pairs, in float64."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from landscape.parts.losses import ranking

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=20)
RELEVANCE = RNG.integers(4, size=20).astype(float)
GROUPS = RNG.permutation(np.repeat([7, 3, 11, 5, 2], [6, 5, 4, 4, 1])).astype(np.int32)
RELEVANCE[GROUPS == 5] = 2  # a group without a pair
MEMBERS = [np.flatnonzero(group == GROUPS) for group in np.unique(GROUPS)]
PAIRS = [
    (i, j)
    for members in MEMBERS
    for i, j in itertools.permutations(members, 2)
    if RELEVANCE[i] > RELEVANCE[j]
]
WITH_GROUPS = (ranking.ranknet, ranking.listnet, ranking.lambda_loss)


def value(loss, scores=SCORES, relevance=RELEVANCE, groups=GROUPS, **options):
    with jax.enable_x64(True):
        return float(jax.jit(partial(loss, **options))(scores, relevance, groups=groups))


def test_ranknet_is_the_mean_over_pairs():
    expected = np.mean([np.log1p(np.exp(SCORES[j] - SCORES[i])) for i, j in PAIRS])
    np.testing.assert_allclose(value(ranking.ranknet), expected)


def test_listnet_is_the_mean_cross_entropy_of_groups():
    expected = [
        -np.sum(scipy.special.softmax(RELEVANCE[rows]) * scipy.special.log_softmax(SCORES[rows]))
        for rows in MEMBERS
    ]
    np.testing.assert_allclose(value(ranking.listnet), np.mean(expected))


def ndcg(scores, relevance):
    """scikit-learn's gains are linear, ours exponential."""
    return sklearn.metrics.ndcg_score([2**relevance - 1], [scores])


def test_lambda_loss_weights_pairs_by_the_change_of_ndcg():
    total, groups_with_a_pair = 0.0, 0
    for rows in MEMBERS:
        scores, relevance = SCORES[rows], RELEVANCE[rows]
        pairs = [
            (i, j)
            for i, j in itertools.permutations(range(len(rows)), 2)
            if relevance[i] > relevance[j]
        ]
        groups_with_a_pair += bool(pairs)
        for i, j in pairs:
            swapped = scores.copy()
            swapped[[i, j]] = scores[[j, i]]
            change = abs(ndcg(scores, relevance) - ndcg(swapped, relevance))
            total += change * np.log2(1 + np.exp(1.7 * (scores[j] - scores[i])))
    computed = value(ranking.lambda_loss, sharpness=1.7)
    np.testing.assert_allclose(computed, total / groups_with_a_pair)


def test_pointwise_squared_error_needs_no_groups():
    computed = ranking.pointwise_squared_error(SCORES, RELEVANCE)
    np.testing.assert_allclose(computed, (SCORES - RELEVANCE) ** 2, rtol=1e-5)


@pytest.mark.parametrize("loss", WITH_GROUPS)
def test_groups_are_compared_with_themselves_only(loss):
    # Adding a constant to the scores of a group changes no order within it.
    offsets = np.array([RNG.normal() * 9 for _ in MEMBERS])
    moved = SCORES + offsets[np.searchsorted(np.unique(GROUPS), GROUPS)]
    np.testing.assert_allclose(value(loss, moved), value(loss))
    renamed = (GROUPS * 13 + 4).astype(np.int32)
    np.testing.assert_allclose(value(loss, groups=renamed), value(loss))


@pytest.mark.parametrize("loss", WITH_GROUPS)
@pytest.mark.parametrize("case", ["no relevant document", "groups of one", "one document"])
def test_without_a_pair_the_loss_has_a_zero_gradient(loss, case):
    size = 1 if case == "one document" else 6
    scores = jnp.asarray(SCORES[:size], jnp.float32)
    relevance = np.zeros(size, np.float32)
    groups = np.arange(size) if case == "groups of one" else np.zeros(size, int)
    if case == "groups of one":
        relevance = np.arange(size, dtype=np.float32)
    compiled = jax.jit(jax.value_and_grad(loss))
    loss_value, slopes = compiled(scores, relevance, groups=groups.astype(np.int32))
    assert np.isfinite(loss_value) and np.isfinite(slopes).all()
    if loss is not ranking.listnet or case != "no relevant document":
        assert loss_value == 0 and not slopes.any()

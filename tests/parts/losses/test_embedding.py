"""Embedding losses against loops over pairs and triplets, in float64."""

import itertools
from functools import partial

import jax
import numpy as np
import pytest

from landscape.parts.losses import embedding

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(12, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 0, 3, 2, 0], np.int32)  # label 3 has one example
COUNT = range(len(LABELS))


def values(loss, points=POINTS, labels=LABELS, **options):
    with jax.enable_x64(True):
        return float(jax.jit(partial(loss, **options))(points, labels))


def distance(i, j):
    return np.linalg.norm(POINTS[i] - POINTS[j])


def similarity(i, j):
    return POINTS[i] @ POINTS[j] / np.linalg.norm(POINTS[i]) / np.linalg.norm(POINTS[j])


def others(i, same):
    return [j for j in COUNT if j != i and (LABELS[i] == LABELS[j]) == same]


def test_triplet_of_all_is_the_mean_over_triplets():
    expected = [
        max(distance(i, j) - distance(i, k) + 0.4, 0)
        for i in COUNT
        for j, k in itertools.product(others(i, True), others(i, False))
    ]
    np.testing.assert_allclose(
        values(embedding.triplet, margin=0.4, mining="all"), np.mean(expected)
    )


def test_triplet_takes_the_farthest_positive_and_the_nearest_negative():
    expected = [
        max(
            max(distance(i, j) for j in others(i, True))
            - min(distance(i, k) for k in others(i, False))
            + 0.4,
            0,
        )
        for i in COUNT
        if others(i, True)
    ]
    np.testing.assert_allclose(values(embedding.triplet, margin=0.4), np.mean(expected))


def test_contrastive_is_the_mean_over_pairs():
    expected = [
        distance(i, j) ** 2 / 2 if LABELS[i] == LABELS[j] else max(2 - distance(i, j), 0) ** 2 / 2
        for i, j in itertools.combinations(COUNT, 2)
    ]
    np.testing.assert_allclose(values(embedding.contrastive, margin=2.0), np.mean(expected))


def test_info_nce_is_the_mean_over_positive_pairs():
    expected = []
    for i in COUNT:
        rivals = sum(np.exp(similarity(i, k) / 0.3) for k in others(i, False))
        for j in others(i, True):
            hit = np.exp(similarity(i, j) / 0.3)
            expected.append(-np.log(hit / (hit + rivals)))
    np.testing.assert_allclose(values(embedding.info_nce, temperature=0.3), np.mean(expected))


def test_supervised_contrastive_is_the_mean_over_anchors():
    expected = []
    for i in COUNT:
        total = sum(np.exp(similarity(i, k) / 0.3) for k in COUNT if k != i)
        costs = [-np.log(np.exp(similarity(i, j) / 0.3) / total) for j in others(i, True)]
        expected += [np.mean(costs)] if costs else []
    computed = values(embedding.supervised_contrastive, temperature=0.3)
    np.testing.assert_allclose(computed, np.mean(expected))


@pytest.mark.parametrize("loss", [embedding.info_nce, embedding.supervised_contrastive])
def test_losses_of_cosines_ignore_the_lengths(loss):
    lengths = RNG.uniform(0.1, 9, size=(12, 1))
    np.testing.assert_allclose(values(loss, lengths * POINTS), values(loss))


DEGENERATE = {
    "all different": np.arange(6, dtype=np.int32),
    "one label": np.zeros(6, np.int32),
    "one example": np.zeros(1, np.int32),
}


@pytest.mark.parametrize("points", ["random", "equal", "zero"])
@pytest.mark.parametrize("labels", DEGENERATE.values(), ids=DEGENERATE)
def test_without_the_pairs_it_compares_a_loss_is_zero_and_always_finite(labels, points):
    scale, offset = {"random": (1, 0), "equal": (0, 1), "zero": (0, 0)}[points]
    batch = (scale * RNG.normal(size=(len(labels), 3)) + offset).astype(np.float32)
    zero = {
        "triplet": True,
        "info_nce": True,
        "contrastive": len(labels) == 1,
        "supervised_contrastive": len(set(labels.tolist())) == len(labels),
    }
    for name, is_zero in zero.items():
        loss = getattr(embedding, name)
        value, slopes = jax.jit(jax.value_and_grad(loss))(batch, labels)
        assert np.isfinite(value) and np.isfinite(slopes).all(), name
        if is_zero:
            assert value == 0 and not slopes.any(), name

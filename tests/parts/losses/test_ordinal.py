"""Ordinal losses against scikit-learn, scoringrules and loops, in float64."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import scoringrules
import sklearn.metrics

from landscape.parts.losses import ordinal

RNG = np.random.default_rng(0)
LOGITS = 2 * RNG.normal(size=(30, 4))
OF_THRESHOLDS = RNG.integers(5, size=30).astype(np.int32)
OF_CLASSES = RNG.integers(4, size=30).astype(np.int32)


def values(loss, labels, logits=LOGITS, **options):
    with jax.enable_x64(True):
        return np.asarray(loss(logits, labels, **options))


def test_coral_is_the_sum_of_the_cross_entropies_of_thresholds():
    probabilities = scipy.special.expit(LOGITS)
    expected = sum(
        sklearn.metrics.log_loss(k < OF_THRESHOLDS, probabilities[:, k], labels=[False, True])
        for k in range(4)
    )
    np.testing.assert_allclose(values(ordinal.coral, OF_THRESHOLDS).mean(), expected)


def test_all_threshold_hinge_bounds_the_error_of_the_class():
    expected = [
        sum(max(1 - (1 if label > k else -1) * row[k], 0) for k in range(4))
        for row, label in zip(LOGITS, OF_THRESHOLDS, strict=True)
    ]
    computed = values(ordinal.all_threshold_hinge, OF_THRESHOLDS)
    np.testing.assert_allclose(computed, expected)
    assert np.all(computed >= np.abs((LOGITS > 0).sum(axis=1) - OF_THRESHOLDS))


def test_emd_is_the_ranked_probability_score():
    probabilities = scipy.special.softmax(LOGITS, axis=1)
    one_hot = np.eye(4)[OF_CLASSES]
    expected = scoringrules.rps_score(OF_CLASSES + 1, probabilities)
    np.testing.assert_allclose(values(ordinal.emd, OF_CLASSES), expected)
    gaps = np.cumsum(probabilities - one_hot, axis=1)
    np.testing.assert_allclose(values(ordinal.emd, OF_CLASSES), (gaps**2).sum(axis=1))


def test_emd_of_a_certain_mistake_is_the_distance_of_the_classes():
    certain = np.where(np.eye(4)[[0, 0, 0, 3]] > 0, 100, -100).astype(np.float32)
    computed = ordinal.emd(certain, np.array([0, 1, 3, 1], np.int32))
    np.testing.assert_allclose(computed, [0, 1, 3, 2], atol=1e-6)


def test_soft_ordinal_labels_is_minimal_where_the_softmax_is_the_soft_label():
    distances = np.abs(np.arange(4)[None] - OF_CLASSES[:, None])
    soft = np.exp(-0.7 * distances)
    soft /= soft.sum(axis=1, keepdims=True)
    computed = values(ordinal.soft_ordinal_labels, OF_CLASSES, sharpness=0.7)
    expected = -(soft * scipy.special.log_softmax(LOGITS, axis=1)).sum(axis=1)
    np.testing.assert_allclose(computed, expected)
    with jax.enable_x64(True):
        loss = partial(ordinal.soft_ordinal_labels, targets=OF_CLASSES, sharpness=0.7)
        slopes = jax.jit(jax.grad(lambda logits: jnp.sum(loss(logits))))(np.log(soft))
        np.testing.assert_allclose(slopes, 0, atol=1e-12)


def test_softmax_cross_entropy_matches_sklearn():
    probabilities = scipy.special.softmax(LOGITS, axis=1)
    computed = values(ordinal.softmax_cross_entropy, OF_CLASSES).mean()
    np.testing.assert_allclose(
        computed, sklearn.metrics.log_loss(OF_CLASSES, probabilities, labels=range(4))
    )
    sharp = values(ordinal.soft_ordinal_labels, OF_CLASSES, sharpness=1e3).mean()
    np.testing.assert_allclose(sharp, computed)

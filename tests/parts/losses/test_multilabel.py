"""Multilabel losses against scikit-learn and the printed formulas, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from landscape.errors import UserError
from landscape.parts.losses import multilabel

RNG = np.random.default_rng(0)
LOGITS = 2 * RNG.normal(size=(30, 4))
TARGETS = RNG.integers(2, size=(30, 4)).astype(float)


def values(loss, logits=LOGITS, targets=TARGETS, **options):
    with jax.enable_x64(True):
        return np.asarray(loss(logits, targets, **options))


def gradient(loss, logits, targets, **options):
    return np.asarray(jax.jit(jax.grad(lambda z: jnp.sum(loss(z, targets, **options))))(logits))


def test_sigmoid_cross_entropy_matches_sklearn():
    expected = sklearn.metrics.log_loss(TARGETS.ravel(), scipy.special.expit(LOGITS).ravel())
    np.testing.assert_allclose(values(multilabel.sigmoid_cross_entropy).mean(), expected)


def test_focal_is_cross_entropy_times_the_power_of_the_error():
    hits = np.where(TARGETS > 0, scipy.special.expit(LOGITS), scipy.special.expit(-LOGITS))
    computed = values(multilabel.focal, gamma=1.5, alpha=0.3)
    shares = np.where(TARGETS > 0, 0.3, 0.7)
    np.testing.assert_allclose(computed, -shares * (1 - hits) ** 1.5 * np.log(hits))


@pytest.mark.parametrize("options", [(1.0, 4.0, 0.05), (0.5, 0.5, 0.3), (0.0, 0.0, 0.0)])
def test_asymmetric_matches_its_formula(options):
    positive, negative, margin = options
    p = scipy.special.expit(LOGITS)
    clipped = np.maximum(p - margin, 0)
    expected = np.where(
        TARGETS > 0, -((1 - p) ** positive) * np.log(p), -(clipped**negative) * np.log(1 - clipped)
    )
    computed = values(
        multilabel.asymmetric, gamma_positive=positive, gamma_negative=negative, margin=margin
    )
    np.testing.assert_allclose(computed, expected, rtol=1e-9, atol=1e-15)


def test_asymmetric_has_no_gradient_for_easy_absent_labels():
    logits = np.array([[-4.0, -2.0, 0.0]], np.float32)  # p = 0.018, 0.12, 0.5
    slopes = gradient(multilabel.asymmetric, logits, np.zeros((1, 3), np.float32))
    np.testing.assert_array_equal(slopes != 0, [[False, True, True]])


def test_soft_macro_f1_of_certain_predictions_is_that_of_sklearn():
    decisions = RNG.integers(2, size=(30, 4))
    certain = np.where(decisions > 0, 100.0, -100.0)
    expected = 1 - sklearn.metrics.f1_score(TARGETS, decisions, average="macro")
    np.testing.assert_allclose(values(multilabel.soft_macro_f1, certain), expected)


def test_soft_macro_f1_leaves_out_labels_without_a_positive_example():
    targets = TARGETS.copy()
    targets[:, 2] = 0
    kept = [0, 1, 3]
    np.testing.assert_allclose(
        values(multilabel.soft_macro_f1, LOGITS, targets),
        values(multilabel.soft_macro_f1, LOGITS[:, kept], targets[:, kept]),
    )
    nothing = np.zeros((30, 4), np.float32)
    assert multilabel.soft_macro_f1(LOGITS.astype(np.float32), nothing) == 0
    assert not gradient(multilabel.soft_macro_f1, LOGITS.astype(np.float32), nothing).any()


def test_other_ranks_are_refused():
    with pytest.raises(UserError, match=r"\(batch, labels\)"):
        multilabel.sigmoid_cross_entropy(np.zeros(3, np.float32), np.zeros(3, np.float32))

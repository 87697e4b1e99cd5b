"""Sequence losses against scikit-learn and loops over positions, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from landscape.parts.losses import multiclass, sequence

RNG = np.random.default_rng(0)
LOGITS = 2 * RNG.normal(size=(4, 6, 3))
LABELS = RNG.integers(3, size=(4, 6)).astype(np.int32)
LENGTHS = np.array([6, 3, 1, 0])
MASK = (np.arange(6)[None] < LENGTHS[:, None]).astype(np.float32)


def values(loss, labels=LABELS, **arguments):
    with jax.enable_x64(True):
        return np.asarray(loss(LOGITS, labels, **arguments))


def test_the_mean_over_a_sequence_is_that_over_its_counted_positions():
    probabilities = scipy.special.softmax(LOGITS, axis=2)
    means = values(sequence.softmax_cross_entropy, mask=MASK).mean(axis=1)
    for row, length in enumerate(LENGTHS[:3]):
        expected = sklearn.metrics.log_loss(
            LABELS[row, :length], probabilities[row, :length], labels=range(3)
        )
        np.testing.assert_allclose(means[row], expected)
    assert means[3] == 0


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "focal"])
def test_positions_are_those_of_the_multiclass_loss(loss):
    with jax.enable_x64(True):
        flat = getattr(multiclass, loss)(LOGITS.reshape(24, 3), np.eye(3)[LABELS.ravel()])
    np.testing.assert_allclose(values(getattr(sequence, loss)).ravel(), flat)
    np.testing.assert_allclose(values(getattr(sequence, loss), mask=np.ones((4, 6))).ravel(), flat)


def test_label_smoothing_mixes_with_the_uniform_distribution():
    log_shares = scipy.special.log_softmax(LOGITS, axis=2)
    hit = np.take_along_axis(log_shares, LABELS[..., None], axis=2)[..., 0]
    expected = -0.7 * hit - 0.3 * log_shares.mean(axis=2)
    computed = values(sequence.softmax_cross_entropy, label_smoothing=0.3)
    np.testing.assert_allclose(computed, expected)


@pytest.mark.parametrize("loss", [sequence.softmax_cross_entropy, sequence.focal])
def test_masked_positions_have_no_gradient_whatever_their_label(loss):
    padded = np.where(MASK > 0, LABELS, -1).astype(np.int32)
    logits = jnp.asarray(LOGITS, jnp.float32)
    slopes = [
        np.asarray(jax.grad(lambda z, t=labels: jnp.sum(loss(z, t, mask=MASK)))(logits))
        for labels in (LABELS, padded)
    ]
    np.testing.assert_array_equal(*slopes)
    assert not slopes[0][MASK == 0].any() and slopes[0][MASK > 0].any(axis=1).all()

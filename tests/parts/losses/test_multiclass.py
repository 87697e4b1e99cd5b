"""Multiclass losses against scipy, scikit-learn and independent formulas, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from landscape.errors import UserError
from landscape.parts.losses import multiclass

ROWS, CLASSES = 40, 5
RNG = np.random.default_rng(3)
LOGITS = 3 * RNG.normal(size=(ROWS, CLASSES))
LABELS = RNG.permutation(np.arange(ROWS) % CLASSES)
TARGETS = np.eye(CLASSES)[LABELS]
PROBABILITIES = scipy.special.softmax(LOGITS, axis=1)
TRUE = PROBABILITIES[np.arange(ROWS), LABELS]
TRUE_LOGITS = LOGITS[np.arange(ROWS), LABELS]
RIVALS = np.array([np.delete(row, label) for row, label in zip(LOGITS, LABELS, strict=True)])


def values(loss, logits=LOGITS, targets=TARGETS, **options):
    with jax.enable_x64(True):
        return np.asarray(loss(logits, targets, **options))


def slopes(loss, logits=LOGITS, targets=TARGETS, **options):
    with jax.enable_x64(True):
        return np.asarray(
            jax.grad(lambda z: jnp.sum(loss(z, targets, **options)))(jnp.asarray(logits))
        )


FORMULAS = {
    multiclass.softmax_cross_entropy: -np.log(TRUE),
    multiclass.poly: -np.log(TRUE) + 2 * (1 - TRUE),
    multiclass.focal: -((1 - TRUE) ** 2) * np.log(TRUE),
    multiclass.brier: np.sum(PROBABILITIES**2, axis=1) - 2 * TRUE + 1,
    multiclass.multiclass_hinge: np.maximum(0, 1 + RIVALS.max(axis=1) - TRUE_LOGITS),
    multiclass.logsumexp_margin: np.log(np.exp(TRUE_LOGITS) + np.exp(RIVALS + 1).sum(axis=1))
    - TRUE_LOGITS,
    multiclass.absolute_probability_error: 2 - 2 * TRUE,
    multiclass.generalized_cross_entropy: (1 - TRUE**0.7) / 0.7,
    multiclass.symmetric_cross_entropy: -0.1 * np.log(TRUE) + 4 * (1 - TRUE),
    multiclass.zero_one: LOGITS.argmax(axis=1) != LABELS,
}


@pytest.mark.parametrize("loss", FORMULAS)
def test_value_matches_its_formula(loss):
    np.testing.assert_allclose(values(loss), FORMULAS[loss], rtol=1e-9, atol=1e-14)


def test_means_match_sklearn():
    cross_entropy = sklearn.metrics.log_loss(LABELS, PROBABILITIES)
    np.testing.assert_allclose(values(multiclass.softmax_cross_entropy).mean(), cross_entropy)
    hinge = sklearn.metrics.hinge_loss(LABELS, LOGITS)
    np.testing.assert_allclose(values(multiclass.multiclass_hinge).mean(), hinge)
    brier = sklearn.metrics.brier_score_loss(LABELS, PROBABILITIES, scale_by_half=False)
    np.testing.assert_allclose(values(multiclass.brier).mean(), brier)
    zero_one = sklearn.metrics.zero_one_loss(LABELS, LOGITS.argmax(axis=1))
    np.testing.assert_allclose(values(multiclass.zero_one).mean(), zero_one)


def test_label_smoothing_spreads_the_target():
    smoothed = 0.8 * TARGETS + 0.2 / CLASSES
    expected = -np.sum(smoothed * scipy.special.log_softmax(LOGITS, axis=1), axis=1)
    found = values(multiclass.softmax_cross_entropy, label_smoothing=0.2)
    np.testing.assert_allclose(found, expected)
    at_smoothed = slopes(multiclass.softmax_cross_entropy, np.log(smoothed), label_smoothing=0.2)
    np.testing.assert_allclose(at_smoothed, 0, atol=1e-15)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (multiclass.poly, {"epsilon": 0.0}),
        (multiclass.focal, {"gamma": 0.0}),
        (multiclass.generalized_cross_entropy, {"q": 1e-10}),
        (multiclass.symmetric_cross_entropy, {"alpha": 1.0, "beta": 0.0}),
    ],
)
def test_cross_entropy_is_a_special_case(loss, options):
    expected = values(multiclass.softmax_cross_entropy)
    np.testing.assert_allclose(values(loss, **options), expected, rtol=1e-7)


def test_absolute_probability_error_is_a_special_case():
    expected = values(multiclass.absolute_probability_error) / 2
    found = values(multiclass.generalized_cross_entropy, q=1.0)
    np.testing.assert_allclose(found, expected)
    only_reverse = {"alpha": 0.0, "beta": 1.0, "log_zero": -2.0}
    found = values(multiclass.symmetric_cross_entropy, **only_reverse)
    np.testing.assert_allclose(found, 2 * expected)


def test_fractional_gamma_matches_its_formula():
    expected = -((1 - TRUE) ** 0.3) * np.log(TRUE)
    np.testing.assert_allclose(values(multiclass.focal, gamma=0.3), expected, rtol=1e-9)


def test_logsumexp_margin_approaches_the_hard_maximum_from_above():
    hard = values(multiclass.multiclass_hinge)
    for temperature in (1.0, 0.1, 1e-3):
        gap = values(multiclass.logsumexp_margin, temperature=temperature) - hard
        assert np.all(gap >= -1e-12)
        assert np.all(gap <= temperature * np.log(CLASSES) + 1e-12)


def test_hard_maximum_reaches_two_classes_and_soft_losses_reach_all():
    hard = slopes(multiclass.multiclass_hinge)
    margin = TRUE_LOGITS - RIVALS.max(axis=1)
    np.testing.assert_array_equal((hard != 0).sum(axis=1), np.where(margin < 1, 2, 0))
    np.testing.assert_array_equal(hard[np.arange(ROWS), LABELS], np.where(margin < 1, -1, 0))
    for loss in (multiclass.softmax_cross_entropy, multiclass.logsumexp_margin):
        assert np.all(slopes(loss) != 0)
    np.testing.assert_allclose(
        slopes(multiclass.softmax_cross_entropy), PROBABILITIES - TARGETS, atol=1e-15
    )


def test_targets_may_be_probabilities():
    soft = scipy.special.softmax(np.random.default_rng(4).normal(size=LOGITS.shape), axis=1)
    log_p = scipy.special.log_softmax(LOGITS, axis=1)
    cross_entropy = -np.sum(soft * log_p, axis=1)
    reverse = -np.sum(PROBABILITIES * np.log(soft), axis=1)
    expected = {
        multiclass.softmax_cross_entropy: cross_entropy,
        multiclass.brier: np.sum((PROBABILITIES - soft) ** 2, axis=1),
        multiclass.absolute_probability_error: np.sum(np.abs(PROBABILITIES - soft), axis=1),
        multiclass.symmetric_cross_entropy: 0.1 * cross_entropy + reverse,
    }
    for loss, value in expected.items():
        np.testing.assert_allclose(values(loss, targets=soft), value)


def test_a_tie_goes_to_the_first_class():
    logits, targets = np.zeros((2, 3), np.float32), np.eye(3, dtype=np.float32)[:2]
    np.testing.assert_array_equal(multiclass.zero_one(logits, targets), [0, 1])


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (multiclass.softmax_cross_entropy, {"label_smoothing": -0.1}),
        (multiclass.softmax_cross_entropy, {"label_smoothing": 1.1}),
        (multiclass.poly, {"epsilon": -1.5}),
        (multiclass.focal, {"gamma": -1}),
        (multiclass.logsumexp_margin, {"temperature": 0.0}),
        (multiclass.generalized_cross_entropy, {"q": 0.0}),
        (multiclass.generalized_cross_entropy, {"q": 1.5}),
        (multiclass.symmetric_cross_entropy, {"alpha": -1.0}),
        (multiclass.symmetric_cross_entropy, {"beta": -1.0}),
        (multiclass.symmetric_cross_entropy, {"log_zero": 0.0}),
    ],
)
def test_options_out_of_range_are_refused(loss, options):
    ((name, value),) = options.items()
    with pytest.raises(UserError, match=f"`{name}` is {value!r}; expected"):
        loss(np.zeros((3, 2), np.float32), np.eye(3, 2, dtype=np.float32), **options)

"""Binary losses against scipy, scikit-learn and independent formulas, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from landscape.errors import UserError
from landscape.parts.losses import binary

LOGITS = np.array([-9.0, -2.5, -1.0, -0.3, 0.0, 0.2, 0.9, 1.0, 1.7, 8.0])
LOGITS, TARGETS = np.tile(LOGITS, 2), np.repeat([0.0, 1.0], LOGITS.size)
MARGINS = np.where(TARGETS == 1, LOGITS, -LOGITS)
PROBABILITIES = 1 / (1 + np.exp(-LOGITS))
TRUE = 1 / (1 + np.exp(-MARGINS))


def values(loss, logits=LOGITS, targets=TARGETS, **options):
    with jax.enable_x64(True):
        return np.asarray(loss(logits, targets, **options))


def slopes(loss, logits, targets, **options):
    return jax.grad(lambda z: jnp.sum(loss(z, targets, **options)))(jnp.asarray(logits))


def one_by_one(metric, predictions, **options):
    pairs = zip(TARGETS, predictions, strict=True)
    return [metric([target], [prediction], **options) for target, prediction in pairs]


FORMULAS = {
    binary.sigmoid_cross_entropy: -scipy.special.log_expit(MARGINS),
    binary.clipped_cross_entropy: -np.log(TRUE),
    binary.focal: -((1 - TRUE) ** 2) * np.log(TRUE),
    binary.hinge: [max(1 - margin, 0) for margin in MARGINS],
    binary.squared_hinge: [max(1 - margin, 0) ** 2 for margin in MARGINS],
    binary.smoothed_hinge: np.select(
        [MARGINS <= 0, MARGINS < 1], [0.5 - MARGINS, (1 - MARGINS) ** 2 / 2], 0
    ),
    binary.exponential: np.exp(-MARGINS),
    binary.savage: 1 / (1 + np.exp(2 * MARGINS)) ** 2,
}


@pytest.mark.parametrize("loss", FORMULAS)
def test_value_matches_its_formula(loss):
    np.testing.assert_allclose(values(loss), FORMULAS[loss], rtol=1e-9, atol=1e-15)


def test_values_match_sklearn():
    cross_entropy = one_by_one(sklearn.metrics.log_loss, PROBABILITIES, labels=[0, 1])
    np.testing.assert_allclose(values(binary.sigmoid_cross_entropy), cross_entropy, rtol=1e-9)
    brier = one_by_one(sklearn.metrics.brier_score_loss, PROBABILITIES, pos_label=1)
    np.testing.assert_allclose(values(binary.brier), brier, rtol=1e-9)
    hinge = sklearn.metrics.hinge_loss(TARGETS, LOGITS)
    np.testing.assert_allclose(values(binary.hinge).mean(), hinge)
    zero_one = one_by_one(sklearn.metrics.zero_one_loss, (LOGITS > 0).astype(float))
    np.testing.assert_array_equal(values(binary.zero_one), zero_one)


@pytest.mark.parametrize("epsilon", [1e-3, 0.1])
def test_clipped_cross_entropy_clips_the_probability(epsilon):
    clipped = np.clip(PROBABILITIES, epsilon, 1 - epsilon)
    expected = -np.log(np.where(TARGETS == 1, clipped, 1 - clipped))
    np.testing.assert_allclose(
        values(binary.clipped_cross_entropy, epsilon=epsilon), expected, rtol=1e-12
    )


def test_clipped_cross_entropy_is_dead_on_confident_mistakes_in_float32():
    logits, targets = np.float32([15, -15, 17, -17, 100]), np.float32([0, 1, 0, 1, 0])
    slope = slopes(binary.clipped_cross_entropy, logits, targets)
    np.testing.assert_array_equal(slope != 0, [True, True, False, False, False])
    assert np.all(slopes(binary.sigmoid_cross_entropy, logits, targets) != 0)
    largest = binary.clipped_cross_entropy(logits, targets).max()
    np.testing.assert_allclose(largest, -np.log(1e-7), rtol=0.02)


def test_focal_reduces_to_cross_entropy_and_weighs_classes():
    cross_entropy = values(binary.sigmoid_cross_entropy)
    np.testing.assert_allclose(values(binary.focal, gamma=0), cross_entropy)
    weighted = values(binary.focal, gamma=0.0, alpha=0.25)
    np.testing.assert_allclose(weighted, np.where(TARGETS == 1, 0.25, 0.75) * cross_entropy)
    expected = -((1 - TRUE) ** 0.7) * np.log(TRUE)
    np.testing.assert_allclose(values(binary.focal, gamma=0.7), expected, rtol=1e-9)


def test_hinges_have_the_slopes_of_their_margins():
    logits, targets = np.float32([-3, 0.25, 1.5]), np.ones(3, np.float32)
    np.testing.assert_array_equal(slopes(binary.hinge, logits, targets), [-1, -1, 0])
    np.testing.assert_array_equal(slopes(binary.squared_hinge, logits, targets), [-8, -1.5, 0])
    np.testing.assert_array_equal(slopes(binary.smoothed_hinge, logits, targets), [-1, -0.75, 0])


def test_savage_is_brier_of_twice_the_logit():
    np.testing.assert_allclose(values(binary.savage), values(binary.brier, 2 * LOGITS), rtol=1e-9)


def test_exponential_overflows_to_inf_in_float32():
    logits, targets = np.float32([-100, 100]), np.float32([1, 1])
    found = binary.exponential(logits, targets)
    np.testing.assert_allclose(found, [np.inf, np.exp(-100.0)], atol=1e-37)
    assert slopes(binary.exponential, logits, targets)[0] == -np.inf


def test_cross_entropy_takes_probabilities_as_targets():
    soft = np.linspace(0, 1, LOGITS.size)
    expected = -soft * np.log(PROBABILITIES) - (1 - soft) * np.log1p(-PROBABILITIES)
    np.testing.assert_allclose(values(binary.sigmoid_cross_entropy, LOGITS, soft), expected)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (binary.clipped_cross_entropy, {"epsilon": 0.0}),
        (binary.clipped_cross_entropy, {"epsilon": 1e-9}),
        (binary.clipped_cross_entropy, {"epsilon": 0.6}),
        (binary.focal, {"gamma": -0.1}),
        (binary.focal, {"alpha": 1.5}),
        (binary.focal, {"alpha": -0.5}),
    ],
)
def test_options_out_of_range_are_refused(loss, options):
    ((name, value),) = options.items()
    with pytest.raises(UserError, match=f"`{name}` is {value!r}; expected"):
        loss(np.zeros(3, np.float32), np.zeros(3, np.float32), **options)


def test_a_smaller_epsilon_is_fine_in_float64():
    far = values(binary.clipped_cross_entropy, np.array([-60.0]), np.array([1.0]), epsilon=1e-12)
    np.testing.assert_allclose(far, -np.log(1e-12))

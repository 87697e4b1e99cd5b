"""Regression losses against scipy, scikit-learn and independent formulas, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics

from landscape.errors import UserError
from landscape.parts.losses import regression

ERRORS = np.array([-30.0, -3.7, -1.01, -0.6, -1e-3, 0.0, 1e-6, 0.02, 0.4, 0.99, 2.5, 12.0])
TARGETS = np.linspace(-2, 2, ERRORS.size)


def values(loss, errors=ERRORS, **options):
    with jax.enable_x64(True):
        targets = np.zeros_like(errors)
        return np.asarray(loss(errors, targets, **options))


def slopes(loss, errors=ERRORS, **options):
    with jax.enable_x64(True):
        return np.asarray(
            jax.grad(lambda e: jnp.sum(loss(e, jnp.zeros_like(e), **options)))(jnp.asarray(errors))
        )


def naive_barron(errors, alpha, scale):
    """The formula as printed, with digits to spare."""
    errors, alpha = errors.astype(np.longdouble), np.longdouble(alpha)
    b = abs(alpha - 2)
    return b / alpha * (((errors / scale) ** 2 / b + 1) ** (alpha / 2) - 1)


def by_sklearn(metric, **options):
    predictions = ERRORS + TARGETS
    pairs = zip(TARGETS, predictions, strict=True)
    return [metric([target], [prediction], **options) for target, prediction in pairs]


def test_squared_and_absolute_error_match_sklearn():
    with jax.enable_x64(True):
        squared = regression.squared_error(ERRORS + TARGETS, TARGETS)
        absolute = regression.absolute_error(ERRORS + TARGETS, TARGETS)
    np.testing.assert_allclose(squared, by_sklearn(sklearn.metrics.mean_squared_error))
    np.testing.assert_allclose(absolute, by_sklearn(sklearn.metrics.mean_absolute_error))
    np.testing.assert_allclose(slopes(regression.squared_error), 2 * ERRORS)
    np.testing.assert_array_equal(slopes(regression.absolute_error), np.sign(ERRORS))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_quantile_matches_sklearn(level):
    with jax.enable_x64(True):
        found = regression.quantile(ERRORS + TARGETS, TARGETS, level=level)
    expected = by_sklearn(sklearn.metrics.mean_pinball_loss, alpha=level)
    np.testing.assert_allclose(found, expected, atol=1e-15)


def test_quantile_is_minimized_by_the_quantile():
    sample = np.random.default_rng(0).exponential(size=999)
    candidates = np.linspace(0, 5, 501)
    risks = [
        values(lambda p, _: regression.quantile(p, sample, level=0.8), np.full(999, c)).mean()
        for c in candidates
    ]
    assert abs(candidates[np.argmin(risks)] - np.quantile(sample, 0.8)) < 0.02


@pytest.mark.parametrize("delta", [0.3, 1.0, 5.0])
def test_huber_and_pseudo_huber_match_scipy(delta):
    huber = values(regression.huber, delta=delta)
    pseudo_huber = values(regression.pseudo_huber, delta=delta)
    np.testing.assert_allclose(huber, scipy.special.huber(delta, ERRORS))
    np.testing.assert_allclose(pseudo_huber, scipy.special.pseudo_huber(delta, ERRORS), rtol=1e-9)


def test_pseudo_huber_keeps_small_errors_in_float32():
    small = np.array([1e-5, 3e-4], np.float32)
    found = regression.pseudo_huber(small, np.zeros_like(small))
    np.testing.assert_allclose(found, small**2 / 2, rtol=1e-6)


def test_log_cosh_is_log_of_cosh_and_does_not_overflow():
    np.testing.assert_allclose(values(regression.log_cosh), np.log(np.cosh(ERRORS)), atol=1e-15)
    np.testing.assert_allclose(slopes(regression.log_cosh), np.tanh(ERRORS), atol=1e-15)
    far = values(regression.log_cosh, np.array([1e4]))
    np.testing.assert_allclose(far, 1e4 - np.log(2))


@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_epsilon_insensitive_is_zero_within_the_tube(epsilon):
    expected = [max(abs(error) - epsilon, 0) for error in ERRORS]
    np.testing.assert_allclose(values(regression.epsilon_insensitive, epsilon=epsilon), expected)
    inside = np.abs(ERRORS) <= epsilon
    found = slopes(regression.epsilon_insensitive, epsilon=epsilon)
    np.testing.assert_array_equal(found == 0, inside)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_cauchy_is_the_negative_log_likelihood_of_cauchy_noise(scale):
    noise = scipy.stats.cauchy(scale=np.sqrt(2) * scale)
    expected = noise.logpdf(0) - noise.logpdf(ERRORS)
    np.testing.assert_allclose(values(regression.cauchy, scale=scale), expected, atol=1e-14)


@pytest.mark.parametrize("limit", [0.5, 2.0])
def test_clipped_squared_error_is_flat_beyond_the_limit(limit):
    found = values(regression.clipped_squared_error, limit=limit)
    np.testing.assert_allclose(found, [min(error**2, limit**2) for error in ERRORS])
    expected = np.where(np.abs(ERRORS) < limit, 2 * ERRORS, 0)
    np.testing.assert_allclose(slopes(regression.clipped_squared_error, limit=limit), expected)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("alpha", [-50, -2, -0.5, -1e-3, 1e-3, 0.3, 1, 1.7, 1.999, 2.001, 3])
def test_barron_matches_its_formula(alpha, scale):
    found = values(regression.barron, alpha=alpha, scale=scale)
    np.testing.assert_allclose(
        found, naive_barron(ERRORS, alpha, scale).astype(float), rtol=1e-9, atol=1e-15
    )


LIMITS = {
    2: lambda e: e**2 / 2,
    0: lambda e: np.log(e**2 / 2 + 1),
    -np.inf: lambda e: 1 - np.exp(-(e**2) / 2),
    -2: lambda e: 2 * e**2 / (e**2 + 4),
    1: lambda e: np.sqrt(e**2 + 1) - 1,
}
LIMIT_SLOPES = {
    2: lambda e: e,
    0: lambda e: 2 * e / (e**2 + 2),
    -np.inf: lambda e: e * np.exp(-(e**2) / 2),
}


@pytest.mark.parametrize("alpha", LIMITS)
def test_barron_has_the_named_special_cases(alpha):
    scaled = ERRORS / 1.5
    found = values(regression.barron, alpha=alpha, scale=1.5)
    np.testing.assert_allclose(found, LIMITS[alpha](scaled), rtol=1e-9, atol=1e-12)
    if alpha in LIMIT_SLOPES:
        found = slopes(regression.barron, alpha=alpha, scale=1.5)
        np.testing.assert_allclose(found, LIMIT_SLOPES[alpha](scaled) / 1.5, atol=1e-15)


def test_barron_agrees_with_its_neighbors_in_the_menu():
    barron = regression.barron
    np.testing.assert_allclose(values(barron, alpha=2), values(regression.squared_error) / 2)
    np.testing.assert_array_equal(
        values(barron, alpha=0, scale=0.6), values(regression.cauchy, scale=0.6)
    )
    np.testing.assert_allclose(
        values(barron, alpha=1, scale=0.6), values(regression.pseudo_huber, delta=0.6) / 0.36
    )


@pytest.mark.parametrize("gap", [1e-3, 1e-5, 1e-7, 1e-12, 1e-40])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("limit", [0, 2])
def test_barron_is_safe_close_to_a_limit_in_float32(limit, sign, gap):
    errors = np.array([-3.0, -1e-3, 0.0, 0.5, 10.0], np.float32)
    zeros = np.zeros_like(errors)
    alpha = limit + sign * gap

    def total(e, alpha):
        return jnp.sum(regression.barron(e, zeros, alpha=alpha))

    found = regression.barron(errors, zeros, alpha=alpha)
    wide = errors.astype(np.float64)
    np.testing.assert_allclose(found, LIMITS[limit](wide), rtol=1e-5 + 20 * gap)
    slope = jax.grad(total)(jnp.asarray(errors), alpha)
    np.testing.assert_allclose(slope, LIMIT_SLOPES[limit](wide), rtol=1e-5 + 20 * gap)


@pytest.mark.parametrize("alpha", [2.0, 0.0, -np.inf, 1.0])
def test_barron_takes_alpha_as_a_traced_value(alpha):
    errors = ERRORS.astype(np.float32)
    zeros = np.zeros_like(errors)
    alphas = jnp.array([alpha, 0.5])
    found = jax.vmap(lambda a: regression.barron(errors, zeros, alpha=a))(alphas)
    np.testing.assert_allclose(found[0], LIMITS[alpha](ERRORS), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (regression.huber, {"delta": 0}),
        (regression.huber, {"delta": -1.0}),
        (regression.pseudo_huber, {"delta": 0.0}),
        (regression.quantile, {"level": 0}),
        (regression.quantile, {"level": 1}),
        (regression.epsilon_insensitive, {"epsilon": -0.1}),
        (regression.cauchy, {"scale": 0.0}),
        (regression.barron, {"scale": -1.0}),
        (regression.clipped_squared_error, {"limit": 0.0}),
    ],
)
def test_options_out_of_range_are_refused(loss, options):
    ((name, value),) = options.items()
    with pytest.raises(UserError, match=f"`{name}` is {value!r}; expected"):
        loss(np.zeros(3, np.float32), np.zeros(3, np.float32), **options)

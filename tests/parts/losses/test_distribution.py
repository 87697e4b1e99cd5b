"""Distribution losses against scipy, scikit-learn and scoringrules, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import scoringrules
import sklearn.metrics

from landscape.errors import UserError
from landscape.parts.losses import distribution

RNG = np.random.default_rng(0)
TARGETS = 3 * RNG.normal(size=40)
HEADS = 2 * RNG.normal(size=(40, 2))
MIXTURES = 2 * RNG.normal(size=(40, 6))
FLOOR = 0.05


def values(loss, predictions, targets=TARGETS, **options):
    with jax.enable_x64(True):
        return np.asarray(loss(predictions, targets, **options))


def gradient(loss, predictions, targets=TARGETS, **options):
    with jax.enable_x64(True):
        slopes = jax.jit(jax.grad(lambda p: jnp.sum(loss(p, targets, **options))))
        return np.asarray(slopes(predictions))


def scale(raw):
    return FLOOR + np.log1p(np.exp(raw))


def test_gaussian_nll_is_the_negative_log_density():
    noise = scipy.stats.norm(HEADS[:, 0], scale(HEADS[:, 1]))
    computed = values(distribution.gaussian_nll, HEADS, floor=FLOOR)
    np.testing.assert_allclose(computed, -noise.logpdf(TARGETS))


def test_crps_gaussian_matches_scoringrules():
    expected = scoringrules.crps_normal(TARGETS, HEADS[:, 0], scale(HEADS[:, 1]))
    computed = values(distribution.crps_gaussian, HEADS, floor=FLOOR)
    np.testing.assert_allclose(computed, expected, rtol=1e-10)


def test_crps_gaussian_far_from_the_target_is_the_absolute_error():
    far = np.array([[-1e4, 0.0], [1e4, 0.0]], np.float32)
    computed = distribution.crps_gaussian(far, np.zeros(2, np.float32))
    np.testing.assert_allclose(computed, 1e4, rtol=1e-4)
    slopes = jax.grad(lambda p: jnp.sum(distribution.crps_gaussian(p, jnp.zeros(2))))(far)
    np.testing.assert_allclose(slopes[:, 0], [-1, 1])


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_beta_nll_scales_the_gradient_of_gaussian_nll(beta):
    factors = scale(HEADS[:, 1]) ** (2 * beta)
    computed = gradient(distribution.beta_nll, HEADS, beta=beta, floor=FLOOR)
    plain = gradient(distribution.gaussian_nll, HEADS, floor=FLOOR)
    np.testing.assert_allclose(computed, factors[:, None] * plain)
    if beta == 1:
        np.testing.assert_allclose(computed[:, 0], HEADS[:, 0] - TARGETS)


def test_pinball_is_the_mean_over_levels_of_sklearns():
    levels = (0.05, 0.5, 0.8)
    quantiles = RNG.normal(size=(40, 3))
    expected = np.mean(
        [
            sklearn.metrics.mean_pinball_loss(TARGETS, quantiles[:, k], alpha=level)
            for k, level in enumerate(levels)
        ]
    )
    computed = values(distribution.pinball, quantiles, levels=levels)
    np.testing.assert_allclose(computed.mean(), expected)


def test_pinball_of_many_levels_approaches_half_the_crps():
    levels = (np.arange(400) + 0.5) / 400
    quantiles = scipy.stats.norm(HEADS[:, :1], scale(HEADS[:, 1:])).ppf(levels[None])
    computed = values(distribution.pinball, quantiles, levels=tuple(levels.tolist()))
    expected = scoringrules.crps_normal(TARGETS, HEADS[:, 0], scale(HEADS[:, 1]))
    np.testing.assert_allclose(2 * computed, expected, rtol=2e-2)


def test_mixture_nll_is_the_negative_log_density_of_the_mixture():
    logits, means, raw_scales = np.split(MIXTURES, 3, axis=1)
    weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    densities = scipy.stats.norm(means, scale(raw_scales)).pdf(TARGETS[:, None])
    computed = values(distribution.mixture_nll, MIXTURES, floor=FLOOR)
    np.testing.assert_allclose(computed, -np.log((weights * densities).sum(axis=1)))


def test_mixture_nll_of_one_component_is_gaussian_nll():
    single = np.concatenate([np.full((40, 1), 7.0), HEADS], axis=1)
    np.testing.assert_allclose(
        values(distribution.mixture_nll, single), values(distribution.gaussian_nll, HEADS)
    )


@pytest.mark.parametrize("loss", [distribution.gaussian_nll, distribution.crps_gaussian])
def test_the_minimizer_is_the_mean_and_the_standard_deviation_of_normal_noise(loss):
    sample = 1.5 + 2 * scipy.stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    raw = np.log(np.expm1(np.array([1.8, 2.0, 2.2]) - FLOOR))
    risks = [
        values(loss, np.tile([mean, r], (2000, 1)), sample, floor=FLOOR).mean()
        for mean in (1.3, 1.5, 1.7)
        for r in raw
    ]
    assert np.argmin(risks) == 4


@pytest.mark.parametrize(
    ("loss", "columns", "expected"),
    [
        (distribution.gaussian_nll, 3, r"\(batch, 2\): mean and raw scale"),
        (distribution.mixture_nll, 4, r"\(batch, 3 components\)"),
        (distribution.pinball, 2, "one column for each of the 3 `levels`"),
    ],
)
def test_a_head_with_other_columns_is_refused(loss, columns, expected):
    with pytest.raises(UserError, match=expected):
        loss(np.zeros((5, columns), np.float32), np.zeros(5, np.float32))


def test_options_out_of_range_are_refused():
    head, targets = np.zeros((5, 2), np.float32), np.zeros(5, np.float32)
    with pytest.raises(UserError, match=r"`levels` is 1\.0; expected"):
        distribution.pinball(head, targets, levels=(0.5, 1.0))
    with pytest.raises(UserError, match="`floor` is 0; expected"):
        distribution.gaussian_nll(head, targets, floor=0)
    with pytest.raises(UserError, match=r"`beta` is 1\.5; expected"):
        distribution.beta_nll(head, targets, beta=1.5)

"""Survival losses against loops over risk sets and pairs, in float64."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.parts.losses import survival

RNG = np.random.default_rng(0)
RISKS = RNG.normal(size=25)
TIMES = RNG.integers(1, 9, size=25).astype(float)
EVENTS = RNG.integers(2, size=25)
UNTIED = RNG.permutation(25).astype(float)
LOSSES = (survival.cox, survival.concordance_hinge, survival.concordance_logistic)


def value(loss, times=TIMES, events=EVENTS, risks=RISKS, **options):
    with jax.enable_x64(True):
        return float(jax.jit(partial(loss, **options))(risks, times, events=events))


def partial_likelihood(times, ties):
    """The negative log partial likelihood, one event time after the other."""
    total = 0.0
    for time in np.unique(times[EVENTS == 1]):
        tied = np.flatnonzero((times == time) & (EVENTS == 1))
        at_risk = np.exp(RISKS[times >= time]).sum()
        for position, i in enumerate(tied):
            share = position / len(tied) if ties == "efron" else 0
            total += np.log(at_risk - share * np.exp(RISKS[tied]).sum()) - RISKS[i]
    return total


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_is_the_mean_partial_likelihood(ties):
    expected = partial_likelihood(TIMES, ties) / EVENTS.sum()
    np.testing.assert_allclose(value(survival.cox, ties=ties), expected)
    untied = value(survival.cox, UNTIED, ties=ties)
    np.testing.assert_allclose(untied, partial_likelihood(UNTIED, "breslow") / EVENTS.sum())


def test_the_gradient_of_cox_is_the_share_of_risk_in_float32_at_large_risks():
    risks = jnp.array([300.0, -300.0, 0.0], jnp.float32)
    times, events = np.array([1, 2, 3], np.float32), np.array([1, 1, 0])
    slopes = jax.jit(jax.grad(survival.cox))(risks, times, events=events)
    np.testing.assert_allclose(slopes, [0, -0.5, 0.5], atol=1e-6)


def comparable():
    return [
        RISKS[i] - RISKS[j]
        for i in range(25)
        for j in range(25)
        if EVENTS[i] and (TIMES[i] < TIMES[j] or (TIMES[i] == TIMES[j] and not EVENTS[j]))
    ]


def test_losses_of_pairs_are_means_over_comparable_pairs():
    gaps = np.array(comparable())
    hinge = value(survival.concordance_hinge, margin=0.5)
    np.testing.assert_allclose(hinge, np.maximum(0.5 - gaps, 0).mean())
    logistic = value(survival.concordance_logistic)
    np.testing.assert_allclose(logistic, np.log1p(np.exp(-gaps)).mean())
    wrong = np.mean(gaps < 0)
    assert value(survival.concordance_hinge) >= wrong and logistic / np.log(2) >= wrong


@pytest.mark.parametrize("loss", LOSSES)
def test_only_differences_of_risks_and_the_order_of_times_matter(loss):
    np.testing.assert_allclose(value(loss, risks=RISKS + 5), value(loss))
    np.testing.assert_allclose(value(loss, TIMES**3), value(loss))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("event", [0, 1])
def test_without_an_event_or_a_pair_the_loss_is_zero(loss, size, event):
    events = np.zeros(size, np.float32)
    events[-1] = event  # at the last time: no example is left to compare with
    times = np.arange(size, dtype=np.float32)
    risks = jnp.asarray(RISKS[:size], jnp.float32)
    loss_value, slopes = jax.jit(jax.value_and_grad(loss))(risks, times, events=events)
    assert loss_value == 0 and not slopes.any()

"""A loss as a pytree: what is static, what is traced, and how often programs are compiled."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.numerics.loss import Loss, StaticOptions

RNG = np.random.default_rng(4)
PREDICTIONS = RNG.normal(size=(6, 3)).astype(np.float32)
LABELS = np.array([0, 2, 1, 1, 0, 2])


def power(predictions, targets, *, exponent=2.0, scale=1.0, kind="mean"):
    values = scale * jnp.abs(predictions - targets) ** exponent
    return values if kind == "elementwise" else jnp.mean(values, axis=-1)


def traced_calls():
    """A jitted mean of a loss, and the list of its traces."""
    traces = []

    @jax.jit
    def mean(loss, predictions, targets):
        traces.append(loss.options)
        return loss.mean(predictions, targets)

    return mean, traces


def test_values_of_traced_options_share_one_program_and_others_do_not():
    mean, traces = traced_calls()
    targets = np.zeros((6, 3), np.float32)
    for scale, exponent, kind, expected in [
        (1.0, 2.0, "mean", 1),
        (3.0, 2.0, "mean", 1),
        (3.0, 3.0, "mean", 2),
        (3.0, 3.0, "elementwise", 3),
        (1.5, 2.0, "mean", 3),
    ]:
        options = {"exponent": exponent, "scale": scale, "kind": kind}
        loss = Loss(power, StaticOptions(options)).traced(["scale"])
        value = mean(loss, PREDICTIONS, targets)
        exact = scale * np.mean(np.abs(PREDICTIONS.astype(float)) ** exponent)
        np.testing.assert_allclose(value, exact, rtol=1e-5)
        assert len(traces) == expected


def test_stacked_losses_are_mapped_over_their_numbers():
    loss = Loss(power, StaticOptions({"scale": 1.0})).traced(["scale"])
    stacked = jax.tree.map(lambda _: jnp.asarray([1.0, 2.0, 5.0]), loss)
    targets = jnp.zeros((6, 3))
    means = jax.vmap(lambda loss: loss.mean(jnp.asarray(PREDICTIONS), targets))(stacked)
    exact = np.mean(PREDICTIONS.astype(float) ** 2)
    np.testing.assert_allclose(means, exact * np.array([1, 2, 5]), rtol=1e-5)


@pytest.mark.parametrize("first", [1, 1.0, True, [1], (1,), "1"])
def test_static_options_of_different_types_are_different_programs(first):
    for second in (1, 1.0, True, [1], (1,), "1"):
        same = type(first) is type(second)
        one, other = StaticOptions({"a": first}), StaticOptions({"a": second})
        assert (one == other) is same
        assert hash(one) == hash(StaticOptions({"a": first}))


def test_labels_are_passed_one_hot():
    loss = Loss(lambda predictions, targets: targets * predictions, classes=3)
    np.testing.assert_array_equal(
        loss(jnp.asarray(PREDICTIONS), jnp.asarray(LABELS)),
        np.eye(3, dtype=np.float32)[LABELS] * PREDICTIONS,
    )


@pytest.mark.parametrize("kind", ["elementwise", "mean"])
def test_slopes_of_the_mean_and_of_the_sum(kind):
    loss = Loss(functools.partial(power, kind=kind), StaticOptions({"exponent": 3.0}))
    targets = RNG.normal(size=(6, 3)).astype(np.float32)
    value = loss.mean_and_slopes(jnp.asarray(PREDICTIONS), jnp.asarray(targets))
    residual = PREDICTIONS.astype(float) - targets
    exact = 3 * np.abs(residual) * residual / residual.size
    np.testing.assert_allclose(value.mean, np.mean(np.abs(residual) ** 3), rtol=1e-5)
    np.testing.assert_allclose(value.mean_slopes, exact, rtol=1e-4, atol=1e-6)
    size = 18 if kind == "elementwise" else 6
    np.testing.assert_allclose(value.slopes, size * exact, rtol=1e-4, atol=1e-5)


def test_the_bound_function_is_the_one_that_was_configured():
    loss = Loss(power, StaticOptions({"exponent": 1.0, "scale": 2.0}), classes=3).traced(["scale"])
    assert loss.bound.func is power
    assert loss.bound.keywords == {"exponent": 1.0, "scale": 2.0}

"""A loss as a pytree: what is static, what is traced, and how often programs are compiled."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from landscape.numerics.loss import Loss, LossFamily, StaticOptions, Targets

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
        value = mean(loss, PREDICTIONS, Targets(targets))
        exact = scale * np.mean(np.abs(PREDICTIONS.astype(float)) ** exponent)
        np.testing.assert_allclose(value, exact, rtol=1e-5)
        assert len(traces) == expected


def test_stacked_losses_are_mapped_over_their_numbers():
    loss = Loss(power, StaticOptions({"scale": 1.0})).traced(["scale"])
    stacked = jax.tree.map(lambda _: jnp.asarray([1.0, 2.0, 5.0]), loss)
    targets = jnp.zeros((6, 3))
    means = jax.vmap(lambda loss: loss.mean(jnp.asarray(PREDICTIONS), Targets(targets)))(stacked)
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
        loss(jnp.asarray(PREDICTIONS), Targets(jnp.asarray(LABELS))),
        np.eye(3, dtype=np.float32)[LABELS] * PREDICTIONS,
    )


@pytest.mark.parametrize("kind", ["elementwise", "mean"])
def test_slopes_of_the_mean_and_of_the_sum(kind):
    loss = Loss(functools.partial(power, kind=kind), StaticOptions({"exponent": 3.0}))
    targets = RNG.normal(size=(6, 3)).astype(np.float32)
    value = loss.mean_and_slopes(jnp.asarray(PREDICTIONS), Targets(jnp.asarray(targets)))
    residual = PREDICTIONS.astype(float) - targets
    exact = 3 * np.abs(residual) * residual / residual.size
    np.testing.assert_allclose(value.mean, np.mean(np.abs(residual) ** 3), rtol=1e-5)
    np.testing.assert_allclose(value.mean_slopes, exact, rtol=1e-4, atol=1e-6)
    size = 18 if kind == "elementwise" else 6
    np.testing.assert_allclose(value.slopes, size * exact, rtol=1e-4, atol=1e-5)


def huber(residual, delta):
    large = np.abs(residual) > delta
    return np.where(large, delta * (np.abs(residual) - delta / 2), residual**2 / 2)


def family(index, delta=0.5):
    """Three losses that return a value per prediction, per example, and a scalar."""
    members = (
        Loss(lambda p, t, delta: optax.huber_loss(p, t, delta=delta), numbers={"delta": delta}),
        Loss(lambda p, t: jnp.sum((p - t) ** 2, axis=-1)),
        Loss(lambda p, t: jnp.mean(jnp.exp(p - t))),
    )
    return LossFamily(members, np.int32(index))


EXACT = [
    lambda r: (np.mean(huber(r, 0.5)), np.clip(r, -0.5, 0.5) / r.size, r.size),
    lambda r: (np.mean(np.sum(r**2, -1)), 2 * r / len(r), len(r)),
    lambda r: (np.mean(np.exp(r)), np.exp(r) / r.size, 1),
]


@pytest.mark.parametrize("index", range(3))
def test_a_family_has_the_mean_and_slopes_of_the_selected_member(index):
    targets = RNG.normal(size=(6, 3)).astype(np.float32)
    mean, gradient, size = EXACT[index](PREDICTIONS.astype(float) - targets)
    arguments = jnp.asarray(PREDICTIONS), Targets(jnp.asarray(targets))
    value = jax.jit(LossFamily.mean_and_slopes)(family(index), *arguments)
    np.testing.assert_allclose(value.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(value.mean_slopes, gradient, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(value.slopes, size * gradient, rtol=1e-4, atol=1e-5)
    differentiated = jax.jit(jax.value_and_grad(lambda p, f, t: f.mean(p, t)))
    value, slopes = differentiated(arguments[0], family(index), arguments[1])
    np.testing.assert_allclose(value, mean, rtol=1e-5)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-4, atol=1e-6)


def test_the_hessian_of_a_family_is_that_of_the_selected_member():
    targets = RNG.normal(size=(6, 3)).astype(np.float32)
    residual = PREDICTIONS.astype(float) - targets
    exact = [np.abs(residual) <= 0.5, np.full((6, 3), 6.0), np.exp(residual)]
    for index, diagonal in enumerate(exact):
        gradient = jax.grad(lambda p, i=index: family(i).mean(p, Targets(jnp.asarray(targets))))
        ones = jnp.ones_like(PREDICTIONS)
        product = jax.jvp(gradient, (jnp.asarray(PREDICTIONS),), (ones,))[1]
        np.testing.assert_allclose(product, diagonal / 18, rtol=1e-4, atol=1e-6)


def test_a_family_is_mapped_over_numbers_of_one_member():
    targets = Targets(jnp.zeros_like(PREDICTIONS))
    deltas = np.array([0.1, 0.5, 2.0], np.float32)
    losses = family(0, deltas)
    means = jax.vmap(lambda loss: loss.mean(PREDICTIONS, targets), (losses.mapped_axes,))(losses)
    np.testing.assert_allclose(means, [huber(PREDICTIONS, d).mean() for d in deltas], rtol=1e-5)
    mean = jax.vmap(lambda loss: loss.mean(PREDICTIONS, targets), (losses.mapped_axes,))
    text = str(jax.make_jaxpr(mean)(losses))
    assert "cond[" in text and "select_n[" not in text.split("cond[")[0]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_gradients_of_a_family_have_the_precision_of_the_predictions(dtype):
    with jax.enable_x64(dtype == "float32"):
        wider = "float64" if dtype == "float32" else "float32"
        targets = Targets(jnp.zeros(PREDICTIONS.shape, wider))
        predictions = jnp.asarray(PREDICTIONS).astype(dtype)
        squares = Loss(lambda p, t: (p.astype(t.dtype) - t) ** 2)

        def mean(p):
            return LossFamily((squares, squares), np.int32(1)).mean(p * jnp.ones_like(p), targets)

        gradient = jax.grad(mean)(predictions)
        product = jax.jvp(jax.grad(mean), (predictions,), (jnp.ones_like(predictions),))[1]
    assert gradient.dtype == product.dtype == predictions.dtype
    np.testing.assert_allclose(
        np.asarray(gradient, float), 2 * PREDICTIONS / PREDICTIONS.size, rtol=0.03, atol=1e-3
    )


def test_a_family_of_one_member_remains_a_switch():
    alone = LossFamily(family(0).members[1:2], np.int32(0))
    text = str(jax.make_jaxpr(lambda f, p: f.mean(p, Targets(p)))(alone, jnp.asarray(PREDICTIONS)))
    assert "cond[" in text


def test_the_bound_function_is_the_one_that_was_configured():
    loss = Loss(power, StaticOptions({"exponent": 1.0, "scale": 2.0}), classes=3).traced(["scale"])
    assert loss.bound.func is power
    assert loss.bound.keywords == {"exponent": 1.0, "scale": 2.0}

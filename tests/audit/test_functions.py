"""Functions and layers: dead regions, large differences between components, falls without bound."""

import jax
import jax.numpy as jnp
import pytest

from landscape.audit import audit


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def clipped_sum(x):
    return jnp.clip(jnp.sum(x), -1, 1)


def hard_tanh(x):
    return jnp.clip(x, -1, 1)


def smooth_clip(x):
    return jnp.tanh(jnp.sum(x) / 100)


def entropy(x):
    p = jax.nn.softmax(x)
    return -jnp.sum(p * jnp.log(p))


def guarded_entropy(x):
    return -jnp.sum(jax.nn.softmax(x) * jax.nn.log_softmax(x))


def softmax_by_hand(x):
    weights = jnp.exp(x)
    return weights / jnp.sum(weights, axis=-1, keepdims=True)


def softmax(x):
    return jax.nn.softmax(x, axis=-1)


def difference_in_the_exponent(x):
    return jnp.log(jnp.exp(x[:, :2] - x[:, 2:]) + 1)


def difference_in_softplus(x):
    return jax.nn.softplus(x[:, :2] - x[:, 2:])


def free_energy(x):
    return jnp.sum(x**2) - 0.01 * jnp.sum(x**4)


def quartic(x):
    return jnp.sum(x**4) - 3 * jnp.sum(x**2)


def linear_layer(x):
    return 2 * x - 1


FOUND = [
    (clipped_sum, "G202", "note"),
    (hard_tanh, "G202", "note"),
    (entropy, "N301", "warning"),
    (softmax_by_hand, "N301", "warning"),
    (difference_in_the_exponent, "N301", "warning"),
    (free_energy, "S402", "note"),
]
ABSENT = [
    (smooth_clip, "G202"),
    (guarded_entropy, "N301"),
    (softmax, "N301"),
    (difference_in_softplus, "N301"),
    (quartic, "S402"),
    (linear_layer, "S402"),
]


@pytest.mark.parametrize(("function", "code", "severity"), FOUND)
def test_functions_are_checked_as_losses_are(function, code, severity):
    findings = [f for f in audit(function, kind="function").findings if f.code == code]
    assert [f.severity for f in findings] == [severity]


@pytest.mark.parametrize(("function", "code"), ABSENT)
def test_a_sound_function_has_no_such_finding(function, code):
    result = audit(function, kind="function")
    assert code not in result.codes()
    assert result.verdict == "trainable", result.findings

"""Directions along which a loss falls without bound or its gradient fades."""

import jax
import jax.numpy as jnp
import optax
import pytest

from landscape.audit import audit


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def batch_max(predictions, targets):
    hinge = jnp.max(predictions, 0) - predictions * targets
    return hinge + jnp.log1p(jnp.exp(-jnp.abs(predictions)))


def shift(predictions, targets):
    score, mean = jnp.sum(predictions * targets, -1), jnp.mean(predictions, -1)
    return jax.nn.logsumexp(predictions, axis=-1) - 0.9 * score + 0.1 * mean


def shift_without_gain(predictions, targets):
    score, mean = jnp.sum(predictions * targets, -1), jnp.mean(predictions, -1)
    return jax.nn.logsumexp(predictions, axis=-1) - 0.9 * score - 0.1 * mean


def single(predictions, targets):
    soft = 0.9 * targets + 1.0 / targets.shape[-1]
    return jnp.mean(jax.nn.softplus(predictions) - soft * predictions, axis=-1)


def single_smoothed(predictions, targets):
    soft = 0.9 * targets + 0.1 / targets.shape[-1]
    return jnp.mean(jax.nn.softplus(predictions) - soft * predictions, axis=-1)


def skewed(predictions, targets):
    """Falls along (1, 1, -2, 0) only, which no unit vector or path shows."""
    direction = jnp.array([1.0, 1.0, -2.0, 0.0]) / jnp.sqrt(6.0)
    along = predictions @ direction
    rest = predictions - along[:, None] * direction
    loss = optax.softmax_cross_entropy(predictions, targets)
    return loss + jnp.sum(rest**2, axis=-1) - 5 * along


def skewed_bounded(predictions, targets):
    direction = jnp.array([1.0, 1.0, -2.0, 0.0]) / jnp.sqrt(6.0)
    return optax.softmax_cross_entropy(predictions, targets) + (predictions @ direction) ** 2


def counts(predictions, targets):
    return jnp.exp(predictions) - targets * predictions


UNBOUNDED = [
    (batch_max, "binary", "error"),
    (shift, "multiclass", "warning"),
    (single, "multiclass", "warning"),
    (skewed, "multiclass", "error"),
    (counts, "regression", "note"),
]


@pytest.mark.parametrize(("loss", "task", "severity"), UNBOUNDED)
def test_a_fall_without_bound_is_found_in_its_direction(loss, task, severity):
    (finding,) = (f for f in audit(loss, task=task).findings if f.code == "S402")
    assert finding.severity == severity
    values = finding.evidence["values"]
    assert values[3] < values[2] < values[1]


@pytest.mark.parametrize("loss", [shift_without_gain, single_smoothed, skewed_bounded])
def test_a_loss_with_a_lower_bound_has_no_such_direction(loss):
    assert "S402" not in audit(loss, task="multiclass").codes()


def expectation(predictions, targets):
    places = jnp.arange(predictions.shape[-1])
    return (jnp.sum(jax.nn.softmax(predictions) * places, axis=-1) - targets) ** 2


def expectation_and_entropy(predictions, targets):
    entropy = optax.softmax_cross_entropy_with_integer_labels(predictions, targets)
    return expectation(predictions, targets) + entropy


def test_a_prediction_that_is_sure_of_one_wrong_class_can_lose_its_gradient():
    (finding,) = (
        f for f in audit(expectation, task="multiclass", targets="labels").findings
        if f.code == "G205"
    )  # fmt: skip
    assert finding.severity == "warning"
    point, label = jnp.array([[20.0, 0, 0, 0]]), jnp.array([3])
    slope = jax.grad(lambda p: expectation(p, label)[0])(point)
    assert jnp.abs(slope).max() < 1e-6 and expectation(point, label)[0] > 8


def test_cross_entropy_keeps_the_gradient_of_such_a_prediction():
    result = audit(expectation_and_entropy, task="multiclass", targets="labels")
    assert "G205" not in result.codes()

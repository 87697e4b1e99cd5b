"""Losses without curvature, and gradients that grow toward the fit."""

import jax
import jax.numpy as jnp
import optax
import pytest

from landscape.audit import audit


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def negative_psnr(predictions, targets):
    return 10 * jnp.log10(jnp.mean((predictions - targets) ** 2) + 1e-10)


def log_of_error(predictions, targets):
    return jnp.log((predictions - targets) ** 2 + 1e-8)


def root_of_error(predictions, targets):
    return jnp.sqrt(jnp.abs(predictions - targets) + 1e-6)


def log_ratio_of_powers(predictions, targets):
    noise = jnp.sum((predictions - targets) ** 2)
    return -jnp.log((jnp.sum(targets**2) + 1e-6) / (noise + 1e-6))


def cauchy(predictions, targets):
    return jnp.log1p((predictions - targets) ** 2)


def root_mean_square(predictions, targets):
    return jnp.sqrt(jnp.mean((predictions - targets) ** 2) + 1e-12)


def relative_error(predictions, targets):
    return (predictions - targets) ** 2 / (1 + targets**2)


def squared_log_error(predictions, targets):
    return (jnp.log1p(jnp.abs(predictions - targets))) ** 2


@pytest.mark.parametrize("loss", [negative_psnr, log_of_error, root_of_error, log_ratio_of_powers])
def test_a_gradient_that_grows_toward_the_fit_is_a_warning(loss):
    (finding,) = (f for f in audit(loss, task="regression").findings if f.code == "G208")
    assert finding.severity == "warning"
    far, near, nearest = finding.evidence["norms"]
    assert nearest > 2 * near > 4 * far


@pytest.mark.parametrize(
    "loss", [cauchy, root_mean_square, relative_error, squared_log_error, optax.l2_loss]
)
def test_a_gradient_that_does_not_grow_is_none(loss):
    assert "G208" not in audit(loss, task="regression").codes()


def absolute(predictions, targets):
    return jnp.abs(predictions - targets)


def pinball(predictions, targets):
    error = targets - predictions
    return jnp.maximum(0.9 * error, -0.1 * error)


def hinge(predictions, targets):
    return jax.nn.relu(1 - (2 * targets - 1) * predictions)


def squared_hinge(predictions, targets):
    return hinge(predictions, targets) ** 2


def perceptron_with_decay(predictions, targets):
    return absolute(predictions, targets) + 1e-3 * predictions**2


@pytest.mark.parametrize(
    ("loss", "task", "flat"),
    [
        (absolute, "regression", True),
        (pinball, "regression", True),
        (hinge, "binary", True),
        (squared_hinge, "binary", False),
        (perceptron_with_decay, "regression", False),
        (optax.huber_loss, "regression", False),
        (optax.sigmoid_binary_cross_entropy, "binary", False),
    ],
)
def test_a_second_derivative_of_zero_is_a_note(loss, task, flat):
    result = audit(loss, task=task)
    assert any("second derivative is zero" in note for note in result.notes) is flat
    assert result.verdict == "trainable"

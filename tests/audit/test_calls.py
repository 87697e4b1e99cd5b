"""Domains, heads, conventions of calls, and what a loss may return."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape import UserError
from landscape.audit import audit


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def squares(predictions, targets):
    return (predictions - targets) ** 2


def divergence(predictions, targets):
    return -jnp.sum(targets * predictions, axis=-1)


def cosine(predictions, targets):
    return 1 - jnp.sum(predictions * targets, axis=-1)


def margin(predictions, targets):
    return jax.nn.relu(1 - (2 * targets - 1) * predictions)


def inverse_sigmoid(predictions, targets):
    return (jnp.arctanh(predictions) - targets) ** 2


def log_of_variance(predictions, targets):
    return jnp.log(predictions[:, 1]) + (predictions[:, 0] - targets) ** 2 / predictions[:, 1]


HEALTHY = [
    (squares, {"task": "regression", "domain": "symmetric"}),
    (margin, {"task": "binary", "domain": "symmetric"}),
    (divergence, {"task": "multiclass", "domain": "log_simplex"}),
    (divergence, {"task": "multiclass", "head": "log_softmax"}),
    (cosine, {"task": "multiclass", "domain": "sphere"}),
]
BROKEN = [
    (squares, {"task": "regression", "head": "softplus", "target_range": (0.5, 4)}, "G205"),
    (inverse_sigmoid, {"task": "regression", "domain": "symmetric"}, "N301"),
    (margin, {"task": "binary", "head": "tanh"}, "G205"),
    (squares, {"task": "regression", "head": "tanh"}, "S403"),
    (divergence, {"task": "multiclass"}, "S402"),
    (squares, {"task": "regression", "head": "exp", "target_range": (0.5, 4)}, "G206"),
    (log_of_variance, {"task": "distribution"}, "N301"),
]


@pytest.mark.parametrize(("loss", "options"), HEALTHY)
def test_a_loss_is_trainable_on_its_domain(loss, options):
    result = audit(loss, **options)
    assert result.verdict == "trainable", result.findings


@pytest.mark.parametrize(("loss", "options", "code"), BROKEN)
def test_a_domain_or_head_that_does_not_fit_is_found(loss, options, code):
    assert code in audit(loss, **options).codes()


def test_label_1_may_mean_a_small_distance():
    def contrastive(predictions, targets):
        return targets * predictions**2 + (1 - targets) * jnp.maximum(1 - predictions, 0) ** 2

    assert audit(contrastive, task="binary", domain="positive").verdict == "trainable"


def test_a_head_and_a_domain_that_is_the_result_of_one_exclude_each_other():
    with pytest.raises(UserError, match="log_simplex is the result of log_softmax"):
        audit(divergence, task="multiclass", domain="log_simplex", head="softmax")


def with_metrics(predictions, targets):
    error = predictions - targets
    return jnp.mean(error**2), {"mae": jnp.mean(jnp.abs(error))}


def with_names(predictions, targets):
    return {"mse": jnp.mean((predictions - targets) ** 2), "count": jnp.float32(1)}


def rounded_with_metrics(predictions, targets):
    return jnp.mean((jnp.round(predictions) - targets) ** 2), {}


def of_model(model, x, y):
    return jnp.mean((jax.vmap(model)(x) - y) ** 2)


def of_apply(model, x, y):
    return jnp.mean((model.apply(None, x) - jax.lax.stop_gradient(model.apply(None, x))) ** 2)


def test_the_loss_among_several_results_is_audited():
    assert audit(with_metrics, task="regression").verdict == "trainable"
    assert audit(rounded_with_metrics, task="regression").verdict == "untrainable"
    assert audit(with_names, task="regression", result="mse").verdict == "trainable"
    with pytest.raises(UserError, match="a dictionary with mse, count"):
        audit(with_names, task="regression")
    with pytest.raises(UserError, match="a dictionary with mse, count") as raised:
        audit(with_names, task="regression", result="mes")
    assert "mse" in str(raised.value.hint)


def test_a_loss_of_a_model_is_audited_on_its_predictions():
    options = {"task": "regression", "call": "model-inputs-targets"}
    assert audit(of_model, **options).verdict == "trainable"
    assert audit(of_apply, **options).verdict == "untrainable"


def of_params(params, batch):
    x, y = batch
    return jnp.mean((x @ params["w"] + params["b"] - y) ** 2)


def of_params_rounded(params, batch):
    x, y = batch
    return jnp.mean((jnp.round(x @ params["w"] + params["b"]) - y) ** 2)


def test_a_loss_of_parameters_is_audited_on_a_batch():
    rng = np.random.default_rng(5)
    example = {
        "params/w": rng.normal(size=2),
        "params/b": np.zeros(()),
        "batch/0": rng.normal(size=(8, 2)),
        "batch/1": rng.normal(size=8),
    }
    convex = audit(of_params, call="params-batch", example=example)
    assert convex.verdict == "trainable", convex.findings
    # the largest eigenvalue of the Hessian 2 A^T A / n with a column of ones
    design = np.column_stack([example["batch/0"], np.ones(8)])
    largest = np.linalg.eigvalsh(2 * design.T @ design / 8)[-1]
    assert convex.properties["curvature"].value == pytest.approx(largest, rel=1e-3)
    assert audit(of_params_rounded, call="params-batch", example=example).verdict == "untrainable"
    with pytest.raises(UserError, match="needs the arrays of `params` and of `batch`"):
        audit(of_params, call="params-batch")

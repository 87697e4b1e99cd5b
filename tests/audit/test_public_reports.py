"""Losses that are reported to fail, or to train in spite of a corner, beside near misses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.audit import audit


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def severities(result):
    return {finding.code: finding.severity for finding in result.findings}


def great_circle(y_true, y_pred):
    first, second = y_true[:, 0], y_pred[:, 0]
    across = jnp.sin((y_pred[:, 1] - y_true[:, 1]) / 2) ** 2
    share = jnp.sin((second - first) / 2) ** 2 + jnp.cos(first) * jnp.cos(second) * across
    return jnp.arcsin(jnp.sqrt(share + 1e-6))


def test_a_periodic_loss_is_bounded_below():
    result = audit(great_circle, task="regression", outputs=2, target_range=(-1.5, 1.5))
    assert "S402" not in result.codes()


def _elbo(y_true, y_pred, sign):
    image, mean, log_variance = y_pred[..., :2], y_pred[..., 2:4], y_pred[..., 4:]
    divergence = -0.5 * jnp.sum(1 + log_variance - mean**2 - jnp.exp(log_variance), -1)
    return jnp.sum((image - y_true) ** 2, -1) + sign * divergence


def elbo(y_true, y_pred):
    return _elbo(y_true, y_pred, 1)


def elbo_with_flipped_divergence(y_true, y_pred):
    return _elbo(y_true, y_pred, -1)


def test_a_free_loss_that_falls_ever_faster_is_untrainable():
    rng = np.random.default_rng(0)
    arrays = {"y_true": rng.normal(size=(8, 2)), "y_pred": rng.normal(size=(8, 6))}
    assert severities(audit(elbo_with_flipped_divergence, example=arrays))["S402"] == "error"
    assert "S402" not in audit(elbo, example=arrays).codes()


def cosine(y_true, y_pred):
    across = jnp.sum(y_true * y_pred, -1)
    return 1 - across / (jnp.linalg.norm(y_true, axis=-1) * jnp.linalg.norm(y_pred, axis=-1))


def log_of_differences(y_true, y_pred):
    """NaN for every target that falls somewhere, equal or not."""
    return jnp.sum((jnp.log(jnp.diff(y_true, axis=-1) - 4) - jnp.diff(y_pred, axis=-1)) ** 2, -1)


def test_nan_for_vectors_of_zeros_only_is_a_warning():
    assert severities(audit(cosine, task="regression", outputs=3))["N301"] == "warning"
    result = audit(log_of_differences, task="regression", outputs=3, target_range=(-1, 1))
    assert severities(result)["N301"] == "error"


def mse_of_present(y_true, y_pred):
    present = ~jnp.isnan(y_true)
    squares = jnp.where(present, jnp.square(y_true - y_pred), 0.0)
    return jnp.sum(squares) / jnp.sum(present)


def mse_of_present_guarded(y_true, y_pred):
    present = ~jnp.isnan(y_true)
    squares = jnp.square(jnp.where(present, y_true, 0.0) - y_pred)
    return jnp.sum(jnp.where(present, squares, 0.0)) / jnp.maximum(jnp.sum(present), 1)


def test_a_missing_target_behind_a_where_spoils_the_gradient():
    result = audit(mse_of_present, task="regression")
    assert severities(result)["N302"] == "error" and result.rows > 1
    slope = jax.grad(lambda p: mse_of_present(jnp.array([jnp.nan, 1.0]), p))(jnp.zeros(2))
    assert np.isnan(slope[0])
    assert audit(mse_of_present_guarded, task="regression").verdict == "trainable"


def chamfer(y_true, y_pred):
    gaps = jnp.square(y_true[:, :, None] - y_pred[:, None, :])
    return jnp.mean(jnp.min(gaps, 1), -1) + jnp.mean(jnp.min(gaps, 2), -1)


def spectrum(y_true, y_pred):
    return jnp.mean(jnp.abs(jnp.abs(jnp.fft.rfft(y_true)) - jnp.abs(jnp.fft.rfft(y_pred))), -1)


def error_of_mean(y_true, y_pred):
    return jnp.square(jnp.mean(y_true - y_pred, axis=-1))


def test_the_points_of_one_example_may_be_a_set():
    result = audit(chamfer, task="regression", outputs=4)
    assert result.aim == "distribution" and result.verdict == "trainable"
    for loss in (spectrum, error_of_mean):  # shifts in time, and other vectors of the same mean
        result = audit(loss, task="regression", outputs=4)
        assert result.aim == "target" and "S405" in result.codes()


def relative(y_true, y_pred):
    return jnp.mean(jnp.abs((y_true - y_pred) / jnp.maximum(jnp.abs(y_true), 1e-7)), axis=-1)


def test_a_cost_beside_a_far_larger_one_is_no_other_assignment():
    codes = audit(relative, task="regression", outputs=4).codes()
    assert "S405" not in codes and "G206" in codes


def smoothed(y_true, y_pred):
    return jnp.sum((y_pred - y_true) ** 2, -1) + 0.2 * jnp.sum(jnp.diff(y_pred, axis=-1) ** 2, -1)


def halved_mean(y_true, y_pred):
    return jnp.sum((y_pred - 0 * y_true + jnp.mean(y_true, -1, keepdims=True)) ** 2, -1)


def test_a_penalty_that_moves_the_minimum_a_little_is_a_warning():
    assert severities(audit(smoothed, task="regression", outputs=4))["S403"] == "warning"
    assert severities(audit(halved_mean, task="regression", outputs=4))["S403"] == "error"


def clipped_surrogate(log_probs, old_log_probs, advantages):
    ratio = jnp.exp(log_probs - old_log_probs)
    return -jnp.mean(jnp.minimum(ratio * advantages, jnp.clip(ratio, 0.8, 1.2) * advantages))


def test_a_loss_of_further_arrays_is_not_untrainable_for_its_minimizer():
    rng = np.random.default_rng(0)
    arrays = {
        "log_probs": -rng.exponential(size=16),
        "old_log_probs": -rng.exponential(size=16),
        "advantages": rng.normal(size=16),
    }
    result = audit(clipped_surrogate, task="regression", example=arrays)
    assert severities(result).get("S403") != "error"


def listwise(y_true, y_pred):
    return -jnp.sum(jax.nn.softmax(y_true) * jnp.log(jax.nn.softmax(y_pred)))


def listwise_stable(y_true, y_pred):
    return -jnp.sum(jax.nn.softmax(y_true) * jax.nn.log_softmax(y_pred))


def test_one_prediction_of_a_list_that_is_far_from_the_others_is_tried():
    assert "N301" in audit(listwise, task="regression").codes()
    assert audit(listwise_stable, task="regression").verdict == "trainable"


def pulled_together(labels, embeddings):
    same = (labels[:, None] == labels[None]).astype(jnp.float32)
    gaps = jnp.sum(jnp.square(embeddings[:, None] - embeddings[None]), -1)
    return jnp.sum(same * gaps) / jnp.sum(same)


def pulled_and_pushed(labels, embeddings):
    same = (labels[:, None] == labels[None]).astype(jnp.float32)
    gaps = jnp.sum(jnp.square(embeddings[:, None] - embeddings[None]), -1)
    return jnp.mean(same * gaps + (1 - same) * jax.nn.relu(1 - gaps))


def test_embeddings_that_nothing_pushes_apart_collapse():
    result = audit(pulled_together, task="embedding")
    assert severities(result)["S403"] == "error" and result.rows > 1
    assert "S403" not in audit(pulled_and_pushed, task="embedding").codes()


def lifetimes(predictions, targets, events):
    scale, shape = jnp.exp(predictions[:, 0]), jax.nn.softplus(predictions[:, 1])
    scaled = jnp.log(targets) - jnp.log(scale)
    return jnp.mean(jnp.exp(shape * scaled) - events * (jnp.log(shape) + shape * scaled))


def test_a_distribution_of_survival_times_has_no_order_of_its_outputs():
    result = audit(lifetimes, task="survival", outputs=2)
    assert result.aim == "none" and not result.codes() & {"S402", "S403", "S404"}


def test_a_jump_of_a_direction_gets_the_advice_of_the_operation():
    result = audit(cosine, task="regression", outputs=3)
    jumps = [finding for finding in result.findings if finding.code == "D101"]
    assert jumps and all("comparison" not in finding.suggestion for finding in jumps)

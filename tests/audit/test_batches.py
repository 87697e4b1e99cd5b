"""Losses that mix the examples of a batch: recognized by the program, and judged as batches."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from landscape.audit import audit


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def balanced(predictions, targets):
    share = jnp.mean(targets)
    weight = targets * (1 - share) + (1 - targets) * share
    return weight * optax.sigmoid_binary_cross_entropy(predictions, targets)


def balanced_mean(predictions, targets):
    return jnp.mean(balanced(predictions, targets))


def ranking(predictions, targets):
    above = targets[:, None] > targets[None, :]
    terms = jax.nn.softplus(predictions[None, :] - predictions[:, None])
    return jnp.sum(jnp.where(above, terms, 0.0), axis=1)


def batch_max(predictions, targets):
    hinge = jnp.max(predictions, 0) - predictions * targets
    return hinge + jnp.log1p(jnp.exp(-jnp.abs(predictions)))


def area_by_pairs(predictions, targets):
    gap = predictions[:, None] - predictions[None, :]
    pairs = targets[:, None] * (1 - targets[None, :])
    return jnp.sum(pairs * jax.nn.softplus(-gap)) / jnp.sum(pairs)


def masked_mean(predictions, targets):
    seen = targets != 0
    return jnp.sum(jnp.where(seen, (predictions - targets) ** 2, 0.0)) / jnp.sum(seen)


def labels_by_index(logits, labels):
    rows = jnp.arange(len(labels))
    return jax.nn.logsumexp(logits, axis=-1) - logits[rows, labels]


def centered_logits(logits, targets):
    centered = logits - jnp.mean(logits, axis=-1, keepdims=True)
    return optax.softmax_cross_entropy(centered, targets)


def summed_by_matrix(predictions, targets):
    return jnp.ones(len(targets)) @ (predictions - targets) ** 2 / len(targets)


def root_of_mean(predictions, targets):
    return jnp.sqrt(jnp.mean((predictions - targets) ** 2) + 1e-6)


@functools.cache
def audited(loss, task):
    """Returns the audit of a loss, at which several tests look."""
    return audit(loss, task=task)


MIXING = [
    (balanced, "binary"),
    (balanced_mean, "binary"),
    (ranking, "regression"),
    (batch_max, "binary"),
    (area_by_pairs, "binary"),
    (masked_mean, "regression"),
    (root_of_mean, "regression"),
]
SEPARATE = [
    (labels_by_index, "multiclass"),
    (centered_logits, "multiclass"),
    (summed_by_matrix, "regression"),
]


@pytest.mark.parametrize(("loss", "task"), MIXING)
def test_a_loss_whose_examples_interact_is_audited_on_several(loss, task):
    assert interacts(loss)
    assert audited(loss, task).rows == 4


@pytest.mark.parametrize(("loss", "task"), SEPARATE)
def test_a_loss_of_single_examples_is_audited_on_one(loss, task):
    result = audited(loss, task)
    assert result.rows == 1
    assert result.verdict == "trainable"


def interacts(loss):
    """Whether the gradient of an example depends on another one, for losses of two numbers."""
    predictions, targets = np.array([0.3, -0.8, 1.1]), np.array([1.0, 0.0, 1.0])
    slope = jax.grad(lambda p, t: jnp.mean(loss(p, t)))
    with jax.enable_x64(True):
        before = slope(predictions, targets)[0]
        others = [(np.array([0.3, -1.7, -2.0]), targets), (predictions, np.array([1.0, 0.0, 0.0]))]
        return any(abs(slope(*other)[0] - before) > 1e-6 for other in others)


def test_weights_by_class_frequency_get_the_same_verdict_with_and_without_a_mean():
    results = [audited(loss, "binary") for loss in (balanced, balanced_mean)]
    assert [result.verdict for result in results] == ["trainable", "trainable"]
    assert all(any("batch_size" in note for note in result.notes) for result in results)


def test_a_batch_without_positives_is_named_with_its_share():
    notes = audited(balanced, "binary").notes
    (note,) = (note for note in notes if "no gradient" in note)
    assert f"{0.95**32:.0%}" in note


def test_a_batch_of_one_class_without_pairs_is_a_warning_about_the_batch():
    result = audited(area_by_pairs, "binary")
    assert result.verdict == "care"
    (finding,) = (finding for finding in result.findings if finding.code == "N301")
    assert "batch of target" in finding.message and "example" not in finding.message


def test_a_mean_over_what_is_not_masked_is_trainable():
    result = audited(masked_mean, "regression")
    assert result.verdict == "trainable", result.findings


def test_a_ranking_is_trainable_and_its_aim_is_an_order():
    result = audited(ranking, "regression")
    assert result.aim == "order"
    assert result.verdict == "trainable", result.findings

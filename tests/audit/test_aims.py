"""What a loss leads predictions to, and losses that lead them to nothing."""

import jax
import jax.numpy as jnp
import optax
import pytest

from landscape.audit import audit


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def chamfer(predictions, targets):
    gap = jnp.abs(predictions[:, None] - targets[None, :])
    return jnp.mean(jnp.min(gap, axis=0)) + jnp.mean(jnp.min(gap, axis=1))


def energy_distance(predictions, targets):
    def distance(a, b):
        return jnp.mean(jnp.abs(a[:, None] - b[None, :]))

    between = distance(predictions, targets)
    return 2 * between - distance(predictions, predictions) - distance(targets, targets)


def mean_discrepancy(predictions, targets):
    def kernel(a, b):
        return jnp.mean(jnp.exp(-((a[:, None] - b[None, :]) ** 2)))

    between = kernel(predictions, targets)
    return kernel(predictions, predictions) + kernel(targets, targets) - 2 * between


def sorted_distance(predictions, targets):
    return jnp.mean(jnp.abs(jnp.sort(predictions) - jnp.sort(targets)))


def broadcast_square(predictions, targets):
    return jnp.mean((predictions[:, None] - targets[None, :]) ** 2)


def broadcast_absolute(predictions, targets):
    return jnp.mean(jnp.abs(predictions[:, None] - targets[None, :]))


def broadcast_labels(predictions, targets):
    return jnp.mean(optax.sigmoid_binary_cross_entropy(predictions[:, None], targets[None, :]))


@pytest.mark.parametrize("loss", [chamfer, energy_distance, mean_discrepancy, sorted_distance])
def test_a_distance_of_distributions_is_no_broadcast(loss):
    result = audit(loss, task="regression")
    assert result.aim == "distribution"
    assert result.verdict == "trainable", result.findings


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        (broadcast_square, "regression"),
        (broadcast_absolute, "regression"),
        (broadcast_labels, "binary"),
    ],
)
def test_a_loss_that_leads_all_predictions_to_one_value_is_a_broadcast(loss, task):
    (finding,) = (f for f in audit(loss, task=task).findings if f.code == "B501")
    assert finding.severity == "error"
    assert "equal predictions" in finding.message


def square_of_mean(predictions, targets):
    return jnp.mean(predictions - targets) ** 2


def means_alike(predictions, targets):
    return jnp.abs(jnp.mean(predictions) - jnp.mean(targets))


def softmax_over_batch(predictions, targets):
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(predictions, axis=0), axis=-1))


def error_and_mean(predictions, targets):
    return jnp.mean((predictions - targets) ** 2) + square_of_mean(predictions, targets)


def relative_to_variance(predictions, targets):
    return jnp.sum((predictions - targets) ** 2) / (jnp.var(targets) + 0.1)


def weighted_classes(predictions, targets):
    share = 1.0 + jnp.mean(targets, axis=0)
    return optax.softmax_cross_entropy(predictions, targets) / jnp.sum(share * targets, axis=-1)


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        (square_of_mean, "regression"),
        (means_alike, "regression"),
        (softmax_over_batch, "multiclass"),
    ],
)
def test_other_predictions_that_cost_as_little_are_found(loss, task):
    result = audit(loss, task=task)
    (finding,) = (f for f in result.findings if f.code == "S405")
    predictions = jnp.array(finding.evidence["predictions"])
    targets = jnp.array(finding.evidence["targets"])
    assert float(loss(predictions, targets)) == pytest.approx(finding.evidence["value"], abs=1e-4)


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        (error_and_mean, "regression"),
        (relative_to_variance, "regression"),
        (weighted_classes, "multiclass"),
    ],
)
def test_a_loss_of_each_prediction_has_no_other_assignment(loss, task):
    result = audit(loss, task=task)
    assert result.rows == 4
    assert "S405" not in result.codes()


def ordinal(predictions, targets):
    above = (targets[:, None] > jnp.arange(predictions.shape[-1])).astype(jnp.float32)
    return jnp.sum(optax.sigmoid_binary_cross_entropy(predictions, above), axis=-1)


def wrong_class_rewarded(predictions, targets):
    chosen = jax.nn.one_hot(targets, predictions.shape[-1])
    return jnp.sum(chosen * jax.nn.softmax(predictions), axis=-1)


def partial_likelihood(predictions, targets):
    at_risk = targets[:, None] <= targets[None, :]
    return jax.nn.logsumexp(jnp.where(at_risk, predictions, -1e9), axis=1) - predictions


def embedding_pairs(predictions, targets):
    alike = targets @ targets.T
    gap = jnp.sum((predictions[:, None] - predictions[None]) ** 2, axis=-1)
    return jnp.mean(alike * gap + (1 - alike) * jax.nn.relu(4.0 - gap))


@pytest.mark.parametrize(
    ("loss", "options", "aim"),
    [
        (ordinal, {"task": "multiclass", "targets": "labels"}, "order"),
        (partial_likelihood, {"task": "regression"}, "order"),
        (embedding_pairs, {"task": "multiclass"}, "none"),
        (optax.softmax_cross_entropy, {"task": "multiclass"}, "decision"),
        (optax.squared_error, {"task": "regression"}, "target"),
    ],
)
def test_the_aim_is_inferred_and_decides_what_is_judged(loss, options, aim):
    result = audit(loss, **options)
    assert result.aim == aim
    assert not result.codes() & {"S403", "S404"}


def test_a_reward_of_the_wrong_class_is_no_order():
    result = audit(wrong_class_rewarded, task="multiclass", targets="labels")
    assert result.aim == "decision"
    assert result.verdict == "untrainable"


def test_a_requested_aim_decides():
    assert "S403" in audit(ordinal, task="multiclass", targets="labels", aim="decision").codes()


def contrastive_distance(predictions, targets):
    margin = jnp.maximum(1.0 - predictions, 0) ** 2
    return targets * predictions**2 + (1 - targets) * margin


def similarity(predictions, targets):
    return targets * jnp.exp(-predictions) + (1 - targets) * predictions


@pytest.mark.parametrize(("loss", "small"), [(contrastive_distance, True), (similarity, False)])
def test_label_one_may_point_to_small_positive_predictions(loss, small):
    result = audit(loss, task="binary", domain="positive")
    assert any("small predictions" in note for note in result.notes) is small
    assert not result.codes() & {"S403", "S404"}, result.findings


def squared_logits(predictions, targets):
    return predictions**2


def detached_targets(predictions, targets):
    return jax.nn.softplus(predictions) + targets


def multiplied_by_zero(predictions, targets):
    return predictions**2 + 0.0 * targets * predictions


def merged_classes(predictions, targets):
    return optax.softmax_cross_entropy_with_integer_labels(predictions, jnp.minimum(targets, 2))


def shrunk(predictions, targets):
    return optax.sigmoid_binary_cross_entropy(predictions, targets) + predictions**2


def nearly_ignored(predictions, targets):
    return predictions**2 - 1e-3 * targets * predictions


def quantile(predictions, targets):
    error = targets - predictions
    return jnp.where(error > 0, 0.9 * error, -0.1 * error)


@pytest.mark.parametrize("loss", [squared_logits, detached_targets, multiplied_by_zero])
def test_a_loss_that_ignores_its_targets_is_untrainable(loss):
    (finding,) = (f for f in audit(loss, task="binary").findings if f.code == "S406")
    assert finding.severity == "error"


def test_classes_that_are_merged_are_named():
    result = audit(merged_classes, task="multiclass", targets="labels")
    (finding,) = (f for f in result.findings if f.code == "S406")
    assert finding.severity == "warning"
    assert finding.evidence["targets"] == ["class 2", "class 3"]


@pytest.mark.parametrize(
    ("loss", "task"),
    [(shrunk, "binary"), (nearly_ignored, "binary"), (quantile, "regression")],
)
def test_targets_that_matter_are_not_ignored(loss, task):
    assert "S406" not in audit(loss, task=task).codes()


def test_a_loss_without_targets_can_be_intended():
    assert audit(squared_logits, task="binary", aim="none").verdict == "trainable"

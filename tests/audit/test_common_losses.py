"""Classification losses as people write them: sound ones beside near misses that fail."""

import jax
import jax.numpy as jnp
import pytest
from jax.nn import log_softmax, relu, sigmoid, softmax

from landscape.audit import audit

EPSILON = 1e-7


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def severities(result) -> dict[str, str]:
    return {finding.code: finding.severity for finding in result.findings}


def clipped_to(epsilon):
    def cross_entropy(y_true, y_pred):
        y_pred = jnp.clip(y_pred, epsilon, 1 - epsilon)
        return -jnp.mean(y_true * jnp.log(y_pred) + (1 - y_true) * jnp.log(1 - y_pred))

    return cross_entropy


@pytest.mark.parametrize(("epsilon", "severity"), [(1e-7, "note"), (1e-2, "warning")])
def test_a_clip_of_probabilities_matters_by_its_width(epsilon, severity):
    result = audit(clipped_to(epsilon), task="binary", domain="unit")
    assert severities(result)["G202"] == severity


def normalized_cross_entropy(y_true, y_pred):
    y_pred = y_pred / jnp.sum(y_pred, axis=-1, keepdims=True)
    return -jnp.sum(y_true * jnp.log(jnp.clip(y_pred, EPSILON, 1.0)), axis=-1)


def divided_by_the_largest_margin(y_true, y_pred):
    margin = jnp.max(y_pred, -1) - jnp.min(y_pred, -1)
    return jnp.sum((y_true - y_pred) ** 2, axis=-1) / margin


def test_points_outside_the_simplex_are_not_audited():
    result = audit(normalized_cross_entropy, task="multiclass", domain="simplex")
    assert result.verdict == "trainable", result.findings


def test_a_pole_inside_the_simplex_is_found():
    result = audit(divided_by_the_largest_margin, task="multiclass", domain="simplex")
    assert "N301" in severities(result)


def padded_logarithm(y_true, y_pred):
    return -jnp.sum(y_true * jnp.log(softmax(y_pred) + EPSILON), axis=-1)


def linear_probability(y_true, y_pred):
    return 1 - jnp.sum(y_true * softmax(y_pred), axis=-1)


@pytest.mark.parametrize(
    ("loss", "severity"), [(padded_logarithm, "note"), (linear_probability, "warning")]
)
def test_a_gradient_that_fades_late_is_a_note(loss, severity):
    assert severities(audit(loss, task="multiclass"))["G205"] == severity


def recall(y_true, y_pred):
    return 1 - jnp.sum(y_true * y_pred) / (jnp.sum(y_true) + EPSILON)


def precision(y_true, y_pred):
    return 1 - jnp.sum(y_true * y_pred) / (jnp.sum(y_pred) + EPSILON)


def soft_f1(y_true, y_pred):
    hits = jnp.sum(y_true * y_pred)
    return 1 - 2 * hits / (jnp.sum(y_true) + jnp.sum(y_pred) + EPSILON)


@pytest.mark.parametrize(
    ("loss", "is_found"), [(recall, True), (precision, True), (soft_f1, False)]
)
@pytest.mark.parametrize("options", [{"domain": "unit"}, {"head": "sigmoid"}], ids=str)
def test_predictions_of_one_class_may_cost_nothing(loss, is_found, options):
    result = audit(loss, task="binary", **options)
    assert ("S405" in result.codes()) is is_found, result.findings


def generalized_dice(y_true, y_pred):
    weights = 1 / (jnp.sum(y_true, axis=(0, 1, 2)) ** 2 + 1.0)
    p = softmax(y_pred, -1)
    both = jnp.sum(weights * jnp.sum(y_true * p, axis=(0, 1, 2)))
    each = jnp.sum(weights * jnp.sum(y_true + p, axis=(0, 1, 2)))
    return 1 - 2 * both / each


def test_classes_of_pixels_that_a_batch_mixes_are_audited():
    result = audit(generalized_dice, task="segmentation", outputs=3)
    assert result.rows > 1
    assert "S405" not in result.codes()


def contrastive(y, d):
    return jnp.mean(y * d**2 + (1 - y) * relu(1 - d) ** 2)


def contrastive_without_margin(y, d):
    return jnp.mean(y * d**2 - (1 - y) * d**2)


def test_distances_are_the_predictions_beside_y():
    result = audit(contrastive, task="binary", domain="positive")
    assert result.verdict == "trainable", result.findings
    result = audit(contrastive_without_margin, task="binary", domain="positive")
    assert "S402" in result.codes()


def cosine_classifier(margin):
    def loss(y_true, cosine):
        angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))
        logits = 30 * jnp.where(y_true == 1, jnp.cos(angle + margin), cosine)
        return -jnp.mean(jnp.sum(y_true * log_softmax(logits), -1))

    return loss


def supervised_contrast(embeddings, labels):
    unit = embeddings / (jnp.sqrt(jnp.sum(embeddings**2, 1, keepdims=True) + 1e-18))
    diagonal = jnp.eye(len(unit))
    same = (labels[:, None] == labels[None, :]) * (1 - diagonal)
    log_p = log_softmax(5 * unit @ unit.T - 1e9 * diagonal, 1)
    return -jnp.mean(jnp.sum(same * log_p, 1) / jnp.maximum(same.sum(1), 1))


def test_a_direction_at_the_zero_vector_is_a_note():
    result = audit(supervised_contrast, task="embedding")
    assert severities(result).get("D101", "note") == "note", result.findings


def test_a_jump_between_classes_is_a_warning():
    def hits(logits, y_true):
        wrong = jnp.argmax(logits, -1) != jnp.argmax(y_true, -1)
        return (1 + wrong) * -jnp.sum(y_true * log_softmax(logits), -1)

    assert severities(audit(hits, task="multiclass"))["D101"] == "warning"


def tensorflow_formula(logits, labels):
    return relu(logits) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))


def signed_parts(logits, labels):
    logits = relu(logits) - relu(-logits)
    return jax.nn.softplus(logits) - logits * labels


@pytest.mark.parametrize(
    ("loss", "severity"), [(tensorflow_formula, "note"), (signed_parts, "warning")]
)
def test_a_wrong_slope_is_a_note_if_the_other_class_leaves_the_tie(loss, severity):
    assert severities(audit(loss, task="binary"))["D104"] == severity


def pairs_of_labels(y_true, y_pred):
    higher = y_pred[:, None, :] - y_pred[:, :, None]
    pairs = y_true[:, :, None] * (1 - y_true[:, None, :])
    return jnp.mean(jnp.sum(pairs * relu(1 + higher), (1, 2)))


def product_with_the_labels(y_true, y_pred):
    return jnp.sum(y_true * (1 - sigmoid(y_pred)), -1)


def test_labels_that_leave_nothing_to_rank_are_no_dead_region():
    result = audit(pairs_of_labels, task="multilabel")
    assert "G202" not in result.codes(), result.findings
    assert "G202" in audit(product_with_the_labels, task="multilabel").codes()

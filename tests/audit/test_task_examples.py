"""Examples of every task: their shapes and fields, and the verdicts on losses of the tasks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from landscape import catalog
from landscape.audit import audit
from landscape.audit.measure.task_examples import EXAMPLES, MASK, field_values
from landscape.audit.measure.task_targets import Layout
from landscape.parts import tasks

ROWS = 6


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


CASES = [(task, i) for task, ways in EXAMPLES.items() for i in range(len(ways))]


def test_every_task_but_custom_has_examples():
    assert {*EXAMPLES, "custom"} == set(catalog.task_names())


@pytest.mark.parametrize(("task", "number"), CASES)
def test_targets_and_predictions_are_those_of_the_task(task, number):
    """The task itself checks the targets, and computes the shape of predictions from theirs."""
    examples, value = EXAMPLES[task][number], tasks.named(task)
    layout = Layout((ROWS, *examples.shape(examples.outputs)), examples.form)
    drawn = examples.random(np.random.default_rng(0), layout)
    values = np.asarray(drawn.value)
    if examples.form == "onehot":
        values = values.argmax(-1).astype(np.int32)
    shape, places = layout.shape, values.shape[1:]
    fields = {name: field_values(name, shape, places) for name in value.fields}
    value.check(values if values.dtype.kind == "i" else values.astype(value.dtype), fields)
    outputs = 1 if layout.shape[1:] in ((), MASK) else layout.shape[-1]
    assert tuple(value.prediction_shape(places, outputs)) == layout.shape[1:]
    for target in examples.targets(layout):
        assert np.shape(target.value)[0] == ROWS
        assert np.broadcast_shapes(np.shape(target.away), layout.shape) == layout.shape


def gaussian(predictions, targets):
    mean, log_variance = predictions[:, 0], predictions[:, 1]
    return 0.5 * (log_variance + (targets - mean) ** 2 * jnp.exp(-log_variance))


def gaussian_without_minus(predictions, targets):
    return -gaussian(predictions, targets)


def gaussian_broadcast(predictions, targets):
    mean, log_variance = predictions[:, :1], predictions[:, 1:]
    return jnp.mean(0.5 * (log_variance + (targets - mean) ** 2 * jnp.exp(-log_variance)))


def quantiles(predictions, targets):
    levels = jnp.array([0.1, 0.5, 0.9])
    error = targets[:, None] - predictions
    return jnp.mean(jnp.maximum(levels * error, (levels - 1) * error), axis=-1)


def ranked(scores, relevance, groups):
    above = (relevance[:, None] > relevance[None]) & (groups[:, None] == groups[None])
    terms = jax.nn.softplus(scores[None] - scores[:, None])
    return jnp.sum(jnp.where(above, terms, 0.0)) / jnp.maximum(jnp.sum(above), 1)


def ranked_backwards(scores, relevance, groups):
    return ranked(-scores, relevance, groups)


def cox(risk, times, events):
    at_risk = times[None] >= times[:, None]
    sums = jax.nn.logsumexp(jnp.where(at_risk, risk[None], -jnp.inf), axis=1)
    return jnp.sum(events * (sums - risk)) / jnp.maximum(jnp.sum(events), 1)


def cox_of_survival(risk, times, events):
    return cox(-risk, times, events)


def cox_per_event(risk, times, events):
    at_risk = times[None] >= times[:, None]
    sums = jax.nn.logsumexp(jnp.where(at_risk, risk[None], -jnp.inf), axis=1)
    return jnp.sum(events * (sums - risk)) / jnp.sum(events)


def triplet_with_root(embeddings, labels):
    distance = jnp.sqrt(jnp.sum((embeddings[:, None] - embeddings[None]) ** 2, -1))
    same = labels[:, None] == labels[None]
    positive = jnp.max(jnp.where(same, distance, 0), 1)
    negative = jnp.min(jnp.where(same, 1e9, distance), 1)
    return jnp.mean(jax.nn.relu(positive - negative + 0.2))


def squared_pairs(embeddings, labels):
    squares = jnp.sum((embeddings[:, None] - embeddings[None]) ** 2, -1)
    same = labels[:, None] == labels[None]
    return jnp.mean(jnp.where(same, squares, jax.nn.relu(1 - squares)))


def tokens(logits, labels, mask):
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.sum(losses * mask) / jnp.maximum(jnp.sum(mask), 1)


def tokens_rounded(logits, labels, mask):
    return tokens(jnp.round(logits), labels, mask)


def alignment(logits, labels):
    return optax.ctc_loss(logits, jnp.zeros(logits.shape[:2]), labels, jnp.zeros(labels.shape))


def thresholds(predictions, targets):
    above = (targets[:, None] > jnp.arange(predictions.shape[-1])).astype(jnp.float32)
    return jnp.sum(optax.sigmoid_binary_cross_entropy(predictions, above), axis=-1)


def expected_class(predictions, targets):
    places = jnp.arange(predictions.shape[-1])
    return (jnp.sum(jax.nn.softmax(predictions) * places, axis=-1) - targets) ** 2


def corners(predictions, targets):
    return jnp.sum(jnp.abs(predictions - targets), axis=1)


def overlap(predictions, targets):
    low = jnp.maximum(predictions[:, :2], targets[:, :2])
    size = jnp.clip(jnp.minimum(predictions[:, 2:], targets[:, 2:]) - low, 0)
    inter = size[:, 0] * size[:, 1]
    areas = [jnp.prod(jnp.clip(b[:, 2:] - b[:, :2], 0), -1) for b in (predictions, targets)]
    return 1 - inter / (areas[0] + areas[1] - inter + 1e-7)


def share_of_labels(predictions, targets):
    logs = jax.nn.log_sigmoid(predictions)
    return -jnp.sum(targets * logs, -1) / jnp.sum(targets, -1)


def labels_each(predictions, targets):
    return jnp.mean(optax.sigmoid_binary_cross_entropy(predictions, targets), axis=-1)


def pixels(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


HEALTHY = [
    (gaussian, "distribution", {}),
    (quantiles, "distribution", {}),
    (ranked, "ranking", {}),
    (cox, "survival", {}),
    (squared_pairs, "embedding", {}),
    (tokens, "sequence", {}),
    (alignment, "sequence", {}),
    (thresholds, "ordinal", {}),
    (corners, "boxes", {}),
    (labels_each, "multilabel", {}),
    (pixels, "segmentation", {"outputs": 3}),
]
BROKEN = [
    (gaussian_without_minus, "distribution", "S402", "error"),
    (gaussian_broadcast, "distribution", "B501", "error"),
    (ranked_backwards, "ranking", "S403", "error"),
    (cox_of_survival, "survival", "S403", "error"),
    (cox_per_event, "survival", "N301", "warning"),
    (triplet_with_root, "embedding", "N302", "error"),
    (tokens_rounded, "sequence", "G201", "error"),
    (expected_class, "ordinal", "G205", "warning"),
    (overlap, "boxes", "G202", "warning"),
    (share_of_labels, "multilabel", "N301", "error"),
]


@pytest.mark.parametrize(("loss", "task", "options"), HEALTHY)
def test_a_sound_loss_of_a_task_is_trainable(loss, task, options):
    result = audit(loss, task=task, **options)
    assert result.verdict == "trainable", result.findings


@pytest.mark.parametrize(("loss", "task", "code", "severity"), BROKEN)
def test_a_broken_loss_of_a_task_is_recognized(loss, task, code, severity):
    findings = audit(loss, task=task).findings
    assert (code, severity) in {(f.code, f.severity) for f in findings}, findings


@pytest.mark.parametrize(
    ("loss", "task"), [(ranked, "ranking"), (cox, "survival"), (overlap, "boxes")]
)
def test_the_task_is_guessed_from_arguments_and_names(loss, task):
    def boxes_overlap(predictions, targets):
        return overlap(predictions, targets)

    guessed = audit(boxes_overlap if loss is overlap else loss)
    assert guessed.task == task
    assert any("--task decides" in note for note in guessed.notes)


def test_a_bounded_loss_of_several_classes_of_pixels_is_audited_without_outputs(tmp_path):
    part = catalog.Spec("lovasz_softmax", {})
    loss = catalog.build("losses", part, folder=tmp_path, task="segmentation")
    report = audit(loss, task="segmentation")
    assert any("refuses masks" in note for note in report.notes)
    assert "S402" not in {finding.code for finding in report.findings}

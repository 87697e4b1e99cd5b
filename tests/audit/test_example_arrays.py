"""Losses of several outputs, of special targets, and of the arrays of an example."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from landscape import UserError
from landscape.audit import audit


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def squares_by_axis(y_true, y_pred):
    return jnp.mean((y_true - y_pred) ** 2, axis=-1)


def weighted_outputs(predictions, targets):
    return jnp.sum(jnp.array([1.0, 2.0, 3.0, 4.0]) * (predictions - targets) ** 2, axis=-1)


def first_outputs(predictions, targets):
    return jnp.sum((predictions - targets)[:, :-1] ** 2, axis=1)


def softmax_of_outputs(predictions, targets):
    return jnp.sum((jax.nn.softmax(predictions, axis=-1) - targets) ** 2, axis=-1)


def squares(predictions, targets):
    return (predictions - targets) ** 2


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [(squares_by_axis, "trainable"), (weighted_outputs, "trainable"), (first_outputs, "care")],
)
def test_the_last_axis_is_never_taken_for_the_batch(loss, verdict):
    result = audit(loss, task="regression")
    assert (result.rows, result.verdict) == (1, verdict), result.findings
    assert any("4 outputs" in note for note in result.notes)
    codes = result.codes()
    assert ("G203" in codes) == (loss is first_outputs) and "B502" not in codes


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_the_number_of_outputs_is_that_of_the_predictions(outputs):
    def scaled(predictions, targets):
        assert predictions.shape[1:] == (() if outputs == 1 else (outputs,))
        return (predictions - targets) ** 2

    assert audit(scaled, task="regression", outputs=outputs).verdict == "trainable"


def roots(predictions, targets):
    return (predictions - jnp.sqrt(targets)) ** 2


def log_error(predictions, targets):
    return (predictions - jnp.log(targets)) ** 2


def root_error(predictions, targets):
    return jnp.sqrt(jnp.abs(predictions - targets))


def test_targets_of_which_no_loss_exists_are_left_out():
    result = audit(roots, task="regression")
    assert result.verdict == "trainable", result.findings
    assert any("targets are 0 and above" in note for note in result.notes)
    assert audit(log_error, task="regression").verdict == "trainable"
    limited = audit(log_error, task="regression", target_range=(1, 50))
    assert limited.verdict == "trainable" and not limited.notes
    assert {float(np.ravel(v)[0]) for v in limited.targets.values()} == {1.0, 25.5, 50.0}
    assert "N302" in audit(root_error, task="regression").codes()


def guarded_twice(predictions, targets):
    seen = ~jnp.isnan(targets)
    error = predictions - jnp.where(seen, targets, 0.0)
    return jnp.where(seen, error**2, 0.0)


def guarded_once(predictions, targets):
    return jnp.where(jnp.isnan(targets), 0.0, (predictions - targets) ** 2)


def mean_of_seen(predictions, targets):
    seen = ~jnp.isnan(targets)
    error = predictions - jnp.where(seen, targets, 0.0)
    return jnp.sum(jnp.where(seen, error**2, 0.0)) / jnp.maximum(jnp.sum(seen), 1)


def ignored_label(logits, labels):
    seen = labels != -1
    known = jnp.where(seen, labels, 0)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, known)
    return jnp.where(seen, losses, 0.0)


def ignored_label_of_logarithm(logits, labels):
    seen = labels != -1
    chosen = jnp.where(seen, jnp.take_along_axis(logits, labels[:, None], 1)[:, 0], -jnp.inf)
    return jnp.where(seen, jax.nn.logsumexp(logits, axis=-1) - chosen, 0.0)


@pytest.mark.parametrize("loss", [guarded_twice, mean_of_seen])
def test_a_missing_target_that_is_left_out_is_no_finding(loss):
    result = audit(loss, task="regression")
    assert result.verdict == "trainable", result.findings
    assert np.isnan(result.targets["missing target"]).all()


def test_a_missing_target_that_reaches_the_gradient_is_an_error():
    (finding,) = (f for f in audit(guarded_once, task="regression").findings if f.code == "N302")
    assert finding.severity == "error" and "missing target" in finding.message
    slope = jax.grad(guarded_once)(0.5, jnp.nan)
    assert np.isnan(slope)


def test_an_ignored_label_is_audited_as_such():
    result = audit(ignored_label, task="multiclass", targets="labels")
    assert result.verdict == "trainable", result.findings
    assert "ignored target -1" in result.targets


def test_weights_groups_and_masks_are_passed_by_name():
    def weighted(predictions, targets, *, weights):
        return weights * (predictions - targets) ** 2

    def needs_more(predictions, targets, *, confidence):
        return confidence * (predictions - targets) ** 2

    assert audit(weighted, task="regression").verdict == "trainable"
    with pytest.raises(UserError, match="requires other arguments: confidence"):
        audit(needs_more, task="regression")
    example = {"predictions": np.zeros(5), "targets": np.arange(5.0), "confidence": np.ones(5)}
    assert audit(needs_more, example=example).verdict == "trainable"


def rows_of(count, *shape):
    return np.random.default_rng(count).normal(size=(count, *shape))


EXAMPLES = {
    "numbers": ({"predictions": rows_of(8), "targets": rows_of(8)}, squares, "regression"),
    "labels": (
        {"predictions": rows_of(8, 3), "targets": np.arange(8) % 3},
        lambda p, t: optax.softmax_cross_entropy_with_integer_labels(p, t),
        "multiclass",
    ),
    "signs": (
        {"predictions": rows_of(8), "targets": np.arange(8) % 2 * 2.0 - 1},
        lambda p, t: jax.nn.softplus(-p * t),
        "binary",
    ),
    "heads": (
        {"predictions": rows_of(8, 2), "targets": rows_of(8)},
        lambda p, t: (p[:, 0] - t) ** 2 * jnp.exp(-p[:, 1]) + p[:, 1],
        "custom",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_task_of_an_example_follows_from_its_arrays(name):
    arrays, loss, task = EXAMPLES[name]
    result = audit(loss, example=arrays)
    assert result.task == task
    assert result.verdict == "trainable", result.findings


def test_values_of_an_example_are_what_is_judged():
    """A loss of pixels up to 640 is dead far from them; near them it is not."""

    def capped(predictions, targets):
        return jnp.minimum((predictions - targets) ** 2, 1e5)

    far = {"predictions": 640 * rows_of(8), "targets": np.full(8, 5000.0)}
    assert audit(capped, example=far, task="custom").codes() >= {"G202"}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"predictions": np.zeros(3)}, "has no array `targets`"),
        ({"predictions": np.zeros(3), "targets": np.zeros(2)}, "differ in their first axis"),
        (
            {"predictions": np.zeros(3), "targets": np.zeros(3), "target": np.zeros(3)},
            "array `target`, which is not an argument",
        ),
    ],
)
def test_an_example_that_does_not_fit_is_explained(arrays, words):
    with pytest.raises(UserError, match=words):
        audit(squares, example=arrays)

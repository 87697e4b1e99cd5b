"""Metrics of classes, from the decision for one class per example."""

import jax
import jax.numpy as jnp

from landscape.parts.metrics._metric import Metric, Snapshot, count, misfit, quotient


def accuracy() -> Metric:
    """Fraction of correct predictions: logit > 0 for binary, largest logit for multiclass.

    Predictions and targets of the same shape are binary; predictions (n, classes) with labels (n,)
    are multiclass, where a tie goes to the first class. From 0 to 1, higher is better. Choose it if
    classes are about equally frequent; otherwise use `f1` too.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predicted, targets, _ = _decisions(snapshot, "accuracy")
        return jnp.mean((predicted == targets).astype(snapshot.predictions.dtype))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0)


def f1() -> Metric:
    """F1 = 2 TP / (2 TP + FP + FN): of class 1 for binary, mean over classes for multiclass.

    Shapes and decisions as in `accuracy`. Binary: 0 if class 1 is neither a target nor predicted.
    Multiclass (macro): classes have equal weights; a class that is neither a target nor predicted
    is excluded. Equal to scikit-learn's `f1_score` with zero_division=0. From 0 to 1, higher is
    better. Source: van Rijsbergen, Information Retrieval (1979). Choose it if classes are
    imbalanced.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predicted, targets, classes = _decisions(snapshot, "f1")
        labels = jnp.arange(classes)[:, None]
        is_predicted = predicted.reshape(1, -1) == labels
        is_target = targets.reshape(1, -1) == labels
        both = count(is_predicted & is_target, axis=1)
        total = count(is_predicted, axis=1) + count(is_target, axis=1)
        scores = quotient(2 * both, total, empty=0.0)
        is_binary = snapshot.predictions.shape == snapshot.targets.shape
        return scores[1] if is_binary else jnp.mean(scores, where=total > 0)

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0)


def _decisions(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array, int]:
    """Returns predicted and true labels, and the number of classes."""
    predictions, targets = snapshot.predictions, snapshot.targets
    if predictions.shape == targets.shape:
        return (predictions > 0).astype(jnp.int32), targets.astype(jnp.int32), 2
    if predictions.ndim == 2 and predictions.shape[:1] == targets.shape:
        return jnp.argmax(predictions, axis=1), targets.astype(jnp.int32), predictions.shape[1]
    raise misfit(
        snapshot, name, "one shape (binary), or logits (n, classes) and labels (n,) (multiclass)"
    )

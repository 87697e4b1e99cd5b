"""Metrics of decisions for one class per example.

Predictions and targets (n,) are binary: targets are 0 or 1, and class 1 is predicted
if sigmoid(logit) > `threshold`. With `threshold: validation` it is the threshold that is best for
the metric on the evaluation set, which must then be the validation split; on the test split it is
the one that was chosen there. Predictions (n, classes) with labels (n,) are multiclass: the class
with the largest logit is predicted, the first of equal ones. Of targets (n, classes), the shares of
each class, the true class is the one with the largest share, the first of equal ones.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts._options import check_whole
from landscape.parts.metrics._decisions import (
    VALIDATION,
    Counts,
    Threshold,
    best_cut,
    counts_at,
    cut,
    is_binary,
    labels,
    refuse_threshold,
)
from landscape.parts.metrics._metric import Metric, Snapshot, count, misfit, quotient

_TASKS = ("binary", "multiclass")


def accuracy(threshold: float | Literal["validation"] = 0.5) -> Metric:
    """Fraction of correct predictions.

    From 0 to 1, higher is better. Equal to scikit-learn's `accuracy_score`. Choose it if classes
    are about equally frequent; otherwise always predicting the commonest class scores well.
    """

    def of_counts(counts: Counts) -> jax.Array:
        return (counts.hits + counts.rejections) / sum(counts)

    def of_labels(predicted: jax.Array, targets: jax.Array, classes: int) -> jax.Array:
        return jnp.mean((predicted == targets).astype(jnp.float32))

    return _decision_metric("accuracy", threshold, of_counts, of_labels, worst=0.0)


def balanced_accuracy(threshold: float | Literal["validation"] = 0.5) -> Metric:
    """Mean over classes of the share of their examples that is predicted correctly.

    A class without examples is excluded. From 0 to 1, 1 / classes for any constant prediction;
    higher is better. Equal to scikit-learn's `balanced_accuracy_score`. Source: Brodersen et al.,
    The balanced accuracy and its posterior distribution (2010). Choose it if classes are imbalanced
    and equally important.
    """

    def of_counts(counts: Counts) -> jax.Array:
        correct = jnp.stack([counts.hits, counts.rejections])
        sizes = correct + jnp.stack([counts.misses, counts.false_alarms])
        return _mean_of_present(quotient(correct, sizes, empty=0.0), sizes)

    def of_labels(predicted: jax.Array, targets: jax.Array, classes: int) -> jax.Array:
        confusion = _confusion(predicted, targets, classes)
        sizes = jnp.sum(confusion, axis=0)
        return _mean_of_present(quotient(jnp.diagonal(confusion), sizes, empty=0.0), sizes)

    return _decision_metric("balanced_accuracy", threshold, of_counts, of_labels, worst=0.0)


def f1(threshold: float | Literal["validation"] = 0.5) -> Metric:
    """F1 = 2 TP / (2 TP + FP + FN): of class 1 for binary, mean over classes for multiclass.

    Binary: 0 if class 1 is neither a target nor predicted. Multiclass (macro): classes have equal
    weights; a class that is neither a target nor predicted is excluded. Equal to scikit-learn's
    `f1_score` with zero_division=0. From 0 to 1, higher is better. Source: van Rijsbergen,
    Information Retrieval (1979). Choose it if classes are imbalanced.
    """

    def of_counts(counts: Counts) -> jax.Array:
        both = 2 * counts.hits
        return quotient(both, both + counts.false_alarms + counts.misses, empty=0.0)

    def of_labels(predicted: jax.Array, targets: jax.Array, classes: int) -> jax.Array:
        every = jnp.arange(classes)[:, None]
        is_predicted, is_target = predicted[None] == every, targets[None] == every
        both = count(is_predicted & is_target, axis=1)
        total = count(is_predicted, axis=1) + count(is_target, axis=1)
        return _mean_of_present(quotient(2 * both, total, empty=0.0), total)

    return _decision_metric("f1", threshold, of_counts, of_labels, worst=0.0)


def matthews(threshold: float | Literal["validation"] = 0.5) -> Metric:
    """Correlation of predicted and true classes: Matthews' coefficient.

    R_k for several classes. From -1 to 1, 0 for any constant prediction; higher is better. Equal to
    scikit-learn's `matthews_corrcoef`. Source: Matthews (1975); Gorodkin, Comparing two K-category
    assignments by a K-category correlation coefficient (2004). Choose it for one number that all
    four counts of a binary decision affect.
    """

    def of_counts(counts: Counts) -> jax.Array:
        hits, false_alarms, misses, rejections = (part / sum(counts) for part in counts)
        predicted = jnp.stack([misses + rejections, hits + false_alarms])
        true = jnp.stack([false_alarms + rejections, hits + misses])
        return _correlation(hits + rejections, predicted, true)

    def of_labels(predicted: jax.Array, targets: jax.Array, classes: int) -> jax.Array:
        confusion = _confusion(predicted, targets, classes) / len(targets)
        correct = jnp.trace(confusion)
        return _correlation(correct, jnp.sum(confusion, axis=1), jnp.sum(confusion, axis=0))

    return _decision_metric("matthews", threshold, of_counts, of_labels, worst=-1.0)


def top_k(k: int = 5) -> Metric:
    """Fraction of examples whose class is among the k with the largest logits; multiclass.

    Of equal logits the first classes count. From 0 to 1, higher is better. Equal to scikit-learn's
    `top_k_accuracy_score`. Choose it for many classes, several of which may be right.
    """
    check_whole(1, k=k)

    def score(snapshot: Snapshot) -> jax.Array:
        if is_binary(snapshot, "top_k"):
            raise misfit(snapshot, "top_k", "logits (n, classes) and labels (n,)")
        logits, classes = snapshot.predictions, snapshot.predictions.shape[1]
        if k >= classes:
            raise UserError(
                f"metric `top_k` has `k: {k}`, but there are {classes} classes",
                hint=f"use k < {classes}: with k = {classes} every prediction is right",
            )
        targets = labels(snapshot.targets)
        true_logits = jnp.take_along_axis(logits, targets[:, None], axis=1)
        earlier = jnp.arange(classes)[None] < targets[:, None]
        ahead = count((logits > true_logits) | ((logits == true_logits) & earlier), axis=1)
        return jnp.mean((ahead < k).astype(logits.dtype))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=("multiclass",))


def _decision_metric(
    name: str,
    threshold: Threshold,
    of_counts: Callable[[Counts], jax.Array],
    of_labels: Callable[[jax.Array, jax.Array, int], jax.Array],
    worst: float,
) -> Metric:
    """`of_counts` is the score of binary decisions, `of_labels(predicted, true, classes)` else."""
    fixed = cut(threshold)

    def score(snapshot: Snapshot, chosen: jax.Array | None = None) -> jax.Array:
        if is_binary(snapshot, name):
            return of_counts(counts_at(snapshot, fixed if chosen is None else chosen))
        refuse_threshold(name, threshold)
        predicted = jnp.argmax(snapshot.predictions, axis=1).astype(jnp.int32)
        targets = labels(snapshot.targets)
        return of_labels(predicted, targets, snapshot.predictions.shape[1])

    def tune(snapshot: Snapshot) -> jax.Array:
        if not is_binary(snapshot, name):
            refuse_threshold(name, threshold)
        return best_cut(of_counts, snapshot)

    return Metric(
        score,
        higher_is_better=True,
        best=1.0,
        worst=worst,
        tasks=_TASKS,
        tune=tune if threshold == VALIDATION else None,
    )


def _confusion(predicted: jax.Array, targets: jax.Array, classes: int) -> jax.Array:
    """Returns the number of examples by predicted and true class, (classes, classes)."""
    return jnp.zeros((classes, classes), jnp.int32).at[predicted, targets].add(1)


def _mean_of_present(scores: jax.Array, sizes: jax.Array) -> jax.Array:
    return jnp.mean(scores, axis=0, where=sizes > 0)


def _correlation(correct: jax.Array, predicted: jax.Array, true: jax.Array) -> jax.Array:
    """Returns R_k from the share of correct examples and the shares of the classes, axis 0."""
    covariance = correct - jnp.sum(predicted * true, axis=0)
    variances = (1 - jnp.sum(predicted**2, axis=0)) * (1 - jnp.sum(true**2, axis=0))
    defined = variances > 0
    return jnp.where(defined, covariance / jnp.sqrt(jnp.where(defined, variances, 1)), 0.0)

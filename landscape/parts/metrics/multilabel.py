"""Metrics of several labels per example: logits and targets 0 or 1, (n, labels).

A label is predicted if its logit is above 0.
"""

import jax
import jax.numpy as jnp

from landscape.parts.metrics._metric import Metric, Snapshot, count, mean_of, misfit, quotient
from landscape.parts.metrics._ranks import precision_of_positives

_TASKS = ("multilabel",)


def mean_average_precision() -> Metric:
    """Mean over labels of `average_precision`; labels without a positive example are excluded.

    From 0 to 1, higher is better. Equal to scikit-learn's `average_precision_score` with macro
    averages if every label occurs. Choose it as the default for several labels: no threshold, and
    rare labels count as much as frequent ones.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        logits, true = _labels(snapshot, "mean_average_precision")
        present = jnp.any(true, axis=0)
        return mean_of(jax.vmap(precision_of_positives, 1)(logits, true), present)

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=_TASKS)


def macro_f1() -> Metric:
    """Mean over labels of F1 = 2 TP / (2 TP + FP + FN).

    0 for a label that is neither true nor predicted. From 0 to 1, higher is better. Equal to
    scikit-learn's `f1_score` with macro averages. Source: van Rijsbergen, Information Retrieval
    (1979). Choose it if decisions are used.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        logits, true = _labels(snapshot, "macro_f1")
        both = count((logits > 0) & true, axis=0)
        total = count(logits > 0, axis=0) + count(true, axis=0)
        return jnp.mean(quotient(2 * both, total, empty=0.0))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=_TASKS)


def hamming() -> Metric:
    """Share of labels that are wrong.

    From 0 to 1, lower is better; predicting no label at all scores well if labels are rare. Equal
    to scikit-learn's `hamming_loss`. Choose it if every label of every example counts the same.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        logits, true = _labels(snapshot, "hamming")
        return jnp.mean(((logits > 0) != true).astype(logits.dtype))

    return Metric(score, higher_is_better=False, best=0.0, worst=1.0, tasks=_TASKS)


def coverage_error() -> Metric:
    """Mean number of labels with the largest logits that contain every true label.

    At best the mean number of true labels, lower is better; 0 for an example without one, and
    equal logits count. Equal to scikit-learn's `coverage_error`. Source: Tsoumakas et al., Mining
    multi-label data (2010). Choose it if a list of labels is checked from the top.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        logits, true = _labels(snapshot, "coverage_error")
        lowest = jnp.min(jnp.where(true, logits, jnp.inf), axis=1, keepdims=True)
        return jnp.mean(count(logits >= lowest, axis=1).astype(logits.dtype))

    return Metric(score, higher_is_better=False, tasks=_TASKS)


def _labels(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array]:
    if snapshot.predictions.shape != snapshot.targets.shape or snapshot.predictions.ndim != 2:
        raise misfit(snapshot, name, "logits and targets of one shape (n, labels)")
    return snapshot.predictions, snapshot.targets > 0.5

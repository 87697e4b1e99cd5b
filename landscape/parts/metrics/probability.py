"""Metrics of the probabilities and of the order of scores, without a decision for a class.

Predictions are logits. Predictions and targets (n,) are binary, targets 0 or 1; predictions
(n, classes) with labels (n,) or shares of classes (n, classes) are multiclass.
"""

import jax
import jax.numpy as jnp

from landscape.parts._options import check_whole
from landscape.parts.metrics._decisions import is_binary, labels, shares
from landscape.parts.metrics._metric import Metric, Snapshot, mean_of, one_per_example
from landscape.parts.metrics._ranks import counted_below, precision_of_positives

_TASKS = ("binary", "multiclass")


def roc_auc() -> Metric:
    """Probability that an example of class 1 has a larger logit than one of class 0; binary.

    Equal logits count half. The area under the receiver operating characteristic, from 0 to 1, 0.5
    for a constant prediction; higher is better. NaN without examples of both classes. Equal to
    scikit-learn's `roc_auc_score`. Source: Hanley and McNeil (1982). Choose it if the threshold is
    chosen later; for rare classes `average_precision` is stricter.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        logits, true = _binary(snapshot, "roc_auc")
        below, through = counted_below(logits, ~true)
        negatives = jnp.sum(~true)
        return mean_of((below + through) / (2 * negatives), true)

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=("binary",))


def average_precision() -> Metric:
    """Mean over examples of class 1 of the precision at their own logit; binary.

    From 0 to 1, the share of class 1 for a constant prediction; higher is better. NaN without an
    example of class 1. Equal to scikit-learn's `average_precision_score`. Source: Zhu, Recall,
    precision and average precision (2004). Choose it if class 1 is rare and must be found.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        return precision_of_positives(*_binary(snapshot, "average_precision"))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=("binary",))


def log_loss() -> Metric:
    """Mean of -log of the probability of the target: sigmoid or softmax of the logits.

    In nats, lower is better; log(classes) for equal probabilities. Equal to scikit-learn's
    `log_loss`; for shares of classes the cross entropy, which is not below their entropy. Source:
    Good, Rational decisions (1952). Choose it if probabilities are used; it is also the usual loss,
    which has an advantage under it.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        if is_binary(snapshot, "log_loss"):
            signs = 2 * snapshot.targets.astype(snapshot.predictions.dtype) - 1
            return jnp.mean(jax.nn.softplus(-signs * snapshot.predictions))
        log_probabilities = jax.nn.log_softmax(snapshot.predictions)
        if snapshot.targets.ndim == 2:
            return -jnp.mean(jnp.sum(snapshot.targets * log_probabilities, axis=1))
        true = labels(snapshot.targets)[:, None]
        return -jnp.mean(jnp.take_along_axis(log_probabilities, true, axis=1))

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def brier() -> Metric:
    """Mean squared difference of probabilities and targets.

    Summed over classes for multiclass. From 0 to 1 for binary, to 2 for multiclass; lower is
    better. Equal to scikit-learn's `brier_score_loss` with scale_by_half False for multiclass.
    Source: Brier (1950). Choose it instead of `log_loss` if a confident mistake must cost a bounded
    amount.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        if is_binary(snapshot, "brier"):
            return jnp.mean((jax.nn.sigmoid(snapshot.predictions) - snapshot.targets) ** 2)
        probabilities = jax.nn.softmax(snapshot.predictions)
        targets = shares(snapshot.targets, probabilities.shape[1])
        return jnp.mean(jnp.sum((probabilities - targets) ** 2, axis=1))

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def ece(bins: int = 15) -> Metric:
    """Mean over examples of |accuracy - mean confidence| of their bin of confidences.

    The expected calibration error: confidence is the probability of the predicted class, and bins
    of equal width divide 0 to 1, without their lower end. From 0 to 1, lower is better. Source:
    Guo et al., On calibration of modern neural networks (2017). Choose it beside `accuracy`: a
    constant prediction may be calibrated.
    """
    check_whole(1, bins=bins)

    def score(snapshot: Snapshot) -> jax.Array:
        if is_binary(snapshot, "ece"):
            logits = snapshot.predictions.ravel()
            confidence = jax.nn.sigmoid(jnp.abs(logits))
            correct = (logits > 0) == (snapshot.targets.ravel() > 0.5)
        else:
            probabilities = jax.nn.softmax(snapshot.predictions)
            confidence = jnp.max(probabilities, axis=1)
            correct = jnp.argmax(probabilities, axis=1) == labels(snapshot.targets)
        numbers = jnp.clip(jnp.ceil(confidence * bins).astype(jnp.int32) - 1, 0, bins - 1)
        gaps = jax.ops.segment_sum(correct.astype(confidence.dtype) - confidence, numbers, bins)
        return jnp.sum(jnp.abs(gaps)) / len(confidence)

    return Metric(score, higher_is_better=False, best=0.0, worst=1.0, tasks=_TASKS)


def _binary(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array]:
    logits, targets = one_per_example(snapshot, name, "one shape (n,) (binary)")
    return logits, targets > 0.5

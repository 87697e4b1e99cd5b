"""Multilabel losses: logits and targets 0 or 1, `(batch, labels)`, any number of 1 per example.

In the formulas z is a logit, p = sigmoid(z) and t the target. Raises UserError if the shapes differ
or an option is out of range.
"""

import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts._options import check_in
from landscape.parts.losses import binary
from landscape.parts.losses._means import mean_where
from landscape.parts.losses._shapes import matched


def sigmoid_cross_entropy(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """-t log(p) - (1 - t) log(1 - p) of each label; one value per label, (batch, labels).

    Source: Cox 1958. Choose it as the default: convex in the logits and calibrated. If most targets
    are 0, they dominate the gradient.
    """
    return binary.sigmoid_cross_entropy(*_matched_labels(predictions, targets))


def focal(
    predictions: jax.Array, targets: jax.Array, *, gamma: float = 2.0, alpha: float | None = None
) -> jax.Array:
    """-a (1 - q)^gamma log(q), q the probability of the target; one value per label.

    a = alpha for t = 1 and 1 - alpha for t = 0; without alpha, a = 1. Source: Lin et al. 2017.
    Choose it if easy labels dominate the gradient; probabilities are not calibrated.
    """
    return binary.focal(*_matched_labels(predictions, targets), gamma=gamma, alpha=alpha)


def asymmetric(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    gamma_positive: float = 1.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
) -> jax.Array:
    """-(1 - p)^gamma_positive log(p) for t = 1, else -c^gamma_negative log(1 - c).

    c = max(p - margin, 0), margin in [0, 1); one value per label. Where t = 0 and p < margin, value
    and gradient are exactly 0: absent labels that are easy have no weight. Source: Ridnik,
    Ben-Baruch et al. 2021 (ASL). Choose it if an example has few of many labels.
    """
    check_in("[0, inf)", gamma_positive=gamma_positive, gamma_negative=gamma_negative)
    check_in("[0, 1)", margin=margin)
    logits, targets = _matched_labels(predictions, targets)
    log_hit, log_miss = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    present = -jnp.exp(gamma_positive * log_miss) * log_hit
    shifted = jax.nn.sigmoid(logits) - margin
    # The power has an infinite slope at 0 for exponents below 1; times 0 it would be NaN.
    counted = shifted > 0
    power = jnp.where(counted, shifted, 1) ** gamma_negative
    log_margin = jnp.log(jnp.asarray(margin, logits.dtype))
    absent = -power * jnp.logaddexp(log_miss, log_margin)
    return targets * present + (1 - targets) * jnp.where(counted, absent, 0)


def soft_macro_f1(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """1 - mean over labels of 2 TP / (2 TP + FP + FN), with p in place of decisions; a scalar.

    TP = sum p t, FP = sum p (1 - t), FN = sum (1 - p) t over the batch. Labels without a positive
    example in the batch are left out; without any label left, value and gradient are 0. Source:
    Benedict et al. 2022 (sigmoidF1). Choose it if macro F1 is reported and batches are large enough
    to contain every label; it depends on the batch and is not convex.
    """
    logits, targets = _matched_labels(predictions, targets)
    probabilities = jax.nn.sigmoid(logits)
    hits = jnp.sum(probabilities * targets, axis=0)
    errors = jnp.sum(probabilities * (1 - targets) + (1 - probabilities) * targets, axis=0)
    present = jnp.sum(targets, axis=0) > 0
    return mean_where(present, errors / jnp.where(present, 2 * hits + errors, 1))


def _matched_labels(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    predictions, targets = matched(predictions, targets)
    if predictions.ndim != 2:
        shapes = f"predictions have shape {predictions.shape}, targets {targets.shape}"
        raise UserError(f"{shapes}; expected (batch, labels)")
    return predictions, targets
